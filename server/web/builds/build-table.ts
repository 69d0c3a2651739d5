import type { BuildView } from '../../contract/builds.ts';
import { duration } from '../../words/quantity.ts';
import { at } from '../api.ts';
import { shortDigest } from '../hosts/image-names.ts';
import { type Html, html } from '../html.ts';
import { imagePath } from '../images/words.ts';
import { badge } from '../parts/badge.ts';
import { table } from '../parts/table.ts';
import { ago } from '../parts/time.ts';

/** What is told of a build. */
export const BUILD_KINDS: readonly string[] = ['build-queued', 'build-began', 'build-ended'];

export function buildPath({ id }: Pick<BuildView, 'id'>): string {
  return at`/builds/${id}`;
}

export function isOpen({ endedAt }: Pick<BuildView, 'endedAt'>): boolean {
  return endedAt === null;
}

/** Newest first. */
export function buildTable(builds: readonly BuildView[], now: number): Html {
  return table(
    'Builds, newest first',
    [
      {
        head: 'Image',
        cell: (build: BuildView) => html`<a href="${buildPath(build)}">${build.name}:${build.tag}</a>`,
        names: true,
      },
      { head: 'State', cell: ({ status }) => badge(status) },
      { head: 'Began', cell: ({ startedAt }) => ago(startedAt, now) },
      { head: 'Took', cell: (build) => took(build, now), as: 'number' },
      { head: 'Result', cell: result, as: 'wide' },
    ],
    builds,
    ({ id }) => id,
  );
}

/** For a list of those that are under way. */
export function buildLine(build: BuildView, now: number): Html {
  return html`<li data-key="${build.id}"><a href="${buildPath(build)}">${build.name}:${build.tag}</a> ${badge(build.status)} <span class="quiet">${took(build, now)}</span></li>`;
}

export function took({ status, startedAt, endedAt }: BuildView, now: number): string {
  if (status === 'queued') return '';
  return duration((endedAt ?? now) - startedAt);
}

function result({ digest, error, checks }: BuildView): Html | string {
  if (digest !== null) return html`<a href="${imagePath(digest)}"><code>${shortDigest(digest)}</code></a>`;
  const failed = checks?.failed ?? [];
  if (failed.length > 0) return `not accepted: ${failed.map(({ check }) => check).join(', ')}`;
  return error?.split('\n')[0] ?? '';
}
