import {
  begunRolloutSchema,
  type RolloutHostView,
  type RolloutView,
  rolloutHostsSchema,
  rolloutSchema,
} from '../../contract/rollouts.ts';
import { type Api, at } from '../api.ts';
import { everyPage } from '../every-page.ts';
import { type Html, html, type Part } from '../html.ts';
import type { Notice } from '../notices.ts';
import { count } from '../parts/amounts.ts';
import { confirm } from '../parts/confirm.ts';
import { checkbox, textField } from '../parts/form.ts';
import {
  type Effect,
  effectsOfAbort,
  effectsOfPause,
  effectsOfResume,
  effectsOfRollback,
} from '../rollouts/effects.ts';
import { hostLink, pathOfRollout } from '../rollouts/names.ts';
import type { Site } from '../site.ts';

/** What an operator does with a rollout that is there: each deed has a page before it that says what it does to whom. */

type Deed = {
  readonly title: string;
  readonly label: string;
  readonly tone: 'primary' | 'danger';
  /** In which states the hosts are that the page names; null: all of them. */
  readonly looksAt: readonly RolloutHostView['state'][] | null;
  readonly says: string;
  readonly effects: (rollout: RolloutView, hosts: readonly RolloutHostView[]) => readonly Effect[];
};

const DEEDS = {
  pause: {
    title: 'Pause',
    label: 'Pause the rollout',
    tone: 'primary',
    looksAt: [],
    says: 'Nothing more is ordered until somebody resumes it.',
    effects: effectsOfPause,
  },
  resume: {
    title: 'Resume',
    label: 'Resume the rollout',
    tone: 'primary',
    looksAt: ['failed', 'rolled-back'],
    says: 'It goes on in the wave in which it stands.',
    effects: effectsOfResume,
  },
  abort: {
    title: 'Abort',
    label: 'Abort the rollout',
    tone: 'danger',
    looksAt: ['installing', 'staging', 'switching', 'confirming'],
    says: 'It ends now and cannot be resumed. Nothing is brought back: for that, roll it back.',
    effects: effectsOfAbort,
  },
  rollback: {
    title: 'Roll back',
    label: 'Roll its hosts back',
    tone: 'danger',
    looksAt: null,
    says: 'It ends now, and another rollout brings its hosts back to what they ran before, in one wave and within the same limits. A host stays where its image before is gone, or somebody gave it another order since; the answer names those.',
    effects: (_, hosts) => effectsOfRollback(hosts),
  },
} as const satisfies Record<string, Deed>;

/** Of a rollback the page reads every host: so many at most. */
const MOST_HOSTS = 10_000;
const NAMED = 200;

export function addRolloutDeeds({ look, change }: Site): void {
  for (const [name, deed] of Object.entries(DEEDS) as [keyof typeof DEEDS, Deed][]) {
    look(`/rollouts/:id/${name}`, async (visit) => {
      const { api, page, param, refusal } = visit;
      const told = await api.get(at`/api/v1/rollouts/${param('id')}`, rolloutSchema);
      if (!told.ok) return refusal(told);
      const rollout = told.value;
      const path = pathOfRollout(rollout.id);
      const hosts = await hostsIn(api, rollout.id, deed.looksAt);
      return page({
        title: `${deed.title} ${rollout.name ?? `rollout ${rollout.id}`}`,
        body: confirm(visit, {
          action: `${path}/${name}`,
          deed: deed.label,
          tone: deed.tone,
          what: [html`<p>${deed.says}</p>`, effectList(deed.effects(rollout, hosts))],
          fields: [
            name === 'resume' && hosts.length > 0 && checkbox('retry', 'Order the failed ones once more'),
            textField('reason', 'Reason, told in events', '', html` maxlength="500" size="40"`),
          ],
          back: path,
        }),
      });
    });
  }

  for (const name of ['pause', 'resume', 'abort'] as const)
    change(`/rollouts/:id/${name}`, async ({ api, done, field, once, param, refusal }) => {
      const id = param('id');
      const retry = name === 'resume' && field('retry') === 'yes';
      const body = { ...(field('reason') !== '' && { reason: field('reason') }), ...(retry && { retry }) };
      const told = await api.post(at`/api/v1/rollouts/${id}/${name}`, rolloutSchema, { body, once });
      if (!told.ok) return refusal(told);
      const { status, reason } = told.value;
      return done(pathOfRollout(id), { tone: 'good', text: `The rollout is ${status}: ${reason}.` });
    });

  change('/rollouts/:id/rollback', async ({ api, done, field, once, param, refusal }) => {
    const id = param('id');
    const body = { ...(field('reason') !== '' && { reason: field('reason') }) };
    const told = await api.post(at`/api/v1/rollouts/${id}/rollback`, begunRolloutSchema, { body, once });
    if (!told.ok) return refusal(told);
    return done(pathOfRollout(told.value.id), beganNotice(told.value));
  });
}

/** @returns what a page says once when a rollout has begun */
export function beganNotice({
  hosts,
  leftOut,
}: {
  readonly hosts: number;
  readonly leftOut: readonly unknown[];
}): Notice {
  const more =
    leftOut.length > 0 ? ` ${count(leftOut.length, 'host is', 'hosts are')} left out: see below.` : '';
  const text = `The rollout has begun, with ${count(hosts, 'host')}.${more}`;
  return { tone: leftOut.length > 0 ? 'warn' : 'good', text };
}

async function hostsIn(api: Api, id: string, states: Deed['looksAt']): Promise<readonly RolloutHostView[]> {
  const path = at`/api/v1/rollouts/${id}/hosts`;
  const found = await Promise.all(
    (states ?? ['']).map((state) =>
      everyPage(api, path, rolloutHostsSchema, { state }, ({ hosts }) => hosts, MOST_HOSTS),
    ),
  );
  return found.flatMap((told) => (told.ok ? told.value : []));
}

function effectList(effects: readonly Effect[]): Part {
  if (effects.length === 0) return html`<p>No host is touched by it.</p>`;
  return html`<ul>${effects.map(({ text, hosts }) => html`<li>${text}${hosts.length > 0 && names(hosts)}</li>`)}</ul>`;
}

function names(hosts: readonly RolloutHostView[]): Html {
  const shown = hosts.slice(0, NAMED);
  return html`<details${hosts.length <= 5 && html` open`}><summary>Which</summary><ul>${shown.map(
    ({ mac, reason }) => html`<li>${hostLink(mac)} <span class="quiet">${reason}</span></li>`,
  )}</ul>${hosts.length > NAMED && html`<p>and ${hosts.length - NAMED} more</p>`}</details>`;
}
