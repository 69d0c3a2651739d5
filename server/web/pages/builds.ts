import { buildListSchema } from '../../contract/builds.ts';
import { BUILD_KINDS, buildTable } from '../builds/build-table.ts';
import { html } from '../html.ts';
import { live } from '../parts/facts.ts';
import { pager } from '../parts/pager.ts';
import { nothing } from '../parts/table.ts';
import type { Site } from '../site.ts';
import { addBuild } from './build.ts';
import { addNewBuild } from './new-build.ts';

const SHOWN = 50;

/** Builds, newest first: those that run or wait, and how the others ended. */
export function addBuilds(site: Site): void {
  site.look('/builds', async ({ api, page, query, refusal, now, mayOperate }) => {
    const cursor = query('cursor');
    const told = await api.get('/api/v1/builds', buildListSchema, { limit: SHOWN, cursor });
    if (!told.ok) return refusal(told);
    const builds = told.value.builds.toReversed();
    return page({
      title: 'Builds',
      actions: html`${mayOperate && html`<a class="button primary" href="/builds/new">Build an image</a>`} <a class="button" href="/images">Images</a>`,
      body: html`${live(
        'builds',
        builds.length === 0
          ? nothing('No build is remembered. The last hundred are, with their logs.')
          : buildTable(builds, now),
      )}
${pager('/builds', {}, { isFirst: cursor === '', next: told.value.next ?? null })}`,
      live: { events: { kind: BUILD_KINDS } },
    });
  });
  addNewBuild(site);
  addBuild(site);
}
