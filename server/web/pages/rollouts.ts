import { type RolloutSummaryView, rolloutListSchema } from '../../contract/rollouts.ts';
import { statusSchema } from '../../contract/status.ts';
import { type Html, html } from '../html.ts';
import { badge } from '../parts/badge.ts';
import { live, section } from '../parts/facts.ts';
import { pager } from '../parts/pager.ts';
import { nothing, table } from '../parts/table.ts';
import { ago } from '../parts/time.ts';
import { ROLLOUT_EVENTS, rolloutLink, targetText } from '../rollouts/names.ts';
import { bar, countsText } from '../rollouts/shares.ts';
import type { Site } from '../site.ts';

const SHOWN = 50;

/** All rollouts: what is under way first, then the others, the newest first. */
export function addRollouts({ look }: Site): void {
  look('/rollouts', async ({ api, mayOperate, now, page, query, refusal }) => {
    const cursor = query('cursor');
    const [told, status] = await Promise.all([
      api.get('/api/v1/rollouts', rolloutListSchema, { cursor, limit: SHOWN }),
      cursor === '' ? api.get('/api/v1/status', statusSchema) : null,
    ]);
    if (!told.ok) return refusal(told);
    const reasons = new Map(status?.ok ? status.value.rollouts.map(({ id, reason }) => [id, reason]) : []);
    const { rollouts, next } = told.value;
    const going = rollouts.filter(({ endedAt }) => endedAt === null);
    const over = rollouts.filter(({ endedAt }) => endedAt !== null);
    return page({
      title: 'Rollouts',
      actions: mayOperate && html`<a class="button primary" href="/rollouts/new">New rollout</a>`,
      live: { events: { kind: ROLLOUT_EVENTS } },
      body: live('rollouts', [
        rollouts.length === 0 &&
          nothing(
            'No rollout yet. One brings many hosts to an image in waves: a canary first, then more and more.',
          ),
        going.length > 0 &&
          section('going', 'Under way', rolloutTable('Rollouts under way', going, now, reasons)),
        over.length > 0 && section('over', 'Over', rolloutTable('Rollouts that are over', over, now, null)),
        pager('/rollouts', {}, { isFirst: cursor === '', next }),
      ]),
    });
  });
}

/** @param reasons why each stands still, by id; null: they are over, and their end is shown instead */
function rolloutTable(
  caption: string,
  rollouts: readonly RolloutSummaryView[],
  now: number,
  reasons: ReadonlyMap<string, string> | null,
): Html {
  return table(
    caption,
    [
      { head: 'Rollout', cell: rolloutLink, names: true },
      { head: 'Brings to', cell: targetText },
      { head: 'Status', cell: ({ status }: RolloutSummaryView) => badge(status) },
      { head: 'Wave', cell: ({ wave, waveCount }) => `${wave} of ${waveCount}` },
      {
        head: 'Hosts',
        cell: ({ states, hosts }) =>
          html`<div class="stacked">${bar(states)}<span>${countsText(states, hosts)}</span></div>`,
        as: 'wide',
      },
      ...(reasons === null
        ? [{ head: 'Ended', cell: ({ endedAt }: RolloutSummaryView) => ago(endedAt, now) }]
        : [
            { head: 'Now', cell: ({ id }: RolloutSummaryView) => reasons.get(id) ?? '', as: 'wide' as const },
          ]),
      { head: 'Began', cell: ({ createdAt }) => ago(createdAt, now) },
    ],
    rollouts,
    ({ id }) => id,
  );
}
