import { type BuildView, buildSchema } from '../../contract/builds.ts';
import { at } from '../api.ts';
import { BUILD_KINDS, isOpen, took } from '../builds/build-table.ts';
import { checkReport } from '../builds/checks.ts';
import { buildProgress, logLines, logSoFar } from '../builds/log.ts';
import { type Html, html, type Part } from '../html.ts';
import { imagePath } from '../images/words.ts';
import { badge } from '../parts/badge.ts';
import { facts, live, section } from '../parts/facts.ts';
import { moment } from '../parts/time.ts';
import type { Site } from '../site.ts';

/** Progress has no events. */
const WORKING_MS = 2_000;

/** One build: how far it is, what its checks found, its log as it comes. */
export function addBuild({ look }: Site): void {
  look('/builds/:id', async ({ api, page, refusal, param, now }) => {
    const id = param('id');
    // The log first: a build that ends in between is shown as ended, with all of its log at the next look.
    const [log, told] = await Promise.all([
      logSoFar(api, id),
      api.get(at`/api/v1/builds/${id}`, buildSchema),
    ]);
    if (!told.ok) return refusal(told);
    const build = told.value;
    const { name, tag, status, checks } = build;
    return page({
      title: `Build of ${name}:${tag}`,
      heading: html`Build of ${name}:${tag} <span data-live="status">${badge(status)}</span>`,
      actions: html`<a class="button" href="/builds">Builds</a>`,
      body: html`${live('outcome', outcome(build))}
${section('facts', 'Build', live('facts', buildFacts(build, isOpen(build) && buildProgress(log), now)))}
${live('checks', checks != null && section('checks', 'Checks', checkReport(checks)))}
${section('log', 'Log', logLines(log, id, isOpen(build)))}
${isOpen(build) && html`<script type="module" src="/static/build-log.js"></script>`}`,
      live: { events: { kind: BUILD_KINDS }, everyMs: isOpen(build) ? WORKING_MS : undefined },
    });
  });
}

function outcome({ status, digest, error, checks, name }: BuildView): Html | null {
  if (digest !== null)
    return html`<p class="notice good">The image is stored: <a href="${imagePath(digest)}"><code>${digest}</code></a></p>`;
  if (status === 'succeeded')
    return html`<p class="notice good">Docker has it as <code>warmboot/${name}</code>, for other Dockerfiles to copy from.</p>`;
  if (error === null) return null;
  if ((checks?.failed.length ?? 0) > 0)
    return html`<p class="notice bad">The image was built, but is not accepted: below is what its Dockerfile lacks.</p>`;
  return html`<div class="notice ${status === 'interrupted' ? 'warn' : 'bad'}"><pre>${error}</pre></div>`;
}

function buildFacts(build: BuildView, now: Part, at: number): Html {
  const { status, startedAt, endedAt, id } = build;
  return facts([
    [status === 'queued' ? 'Ordered' : 'Began', moment(startedAt)],
    ['Ended', endedAt !== null && moment(endedAt)],
    ['Took', took(build, at) || null],
    ['Now', status === 'queued' ? 'waits until others have ended: two run at once' : now],
    ['Id', html`<code>${id}</code>`],
  ]);
}
