import { type EventView, eventListSchema } from '../../contract/events.ts';
import { type RolloutView, rolloutHostsSchema, rolloutSchema } from '../../contract/rollouts.ts';
import { duration } from '../../words/quantity.ts';
import { at } from '../api.ts';
import { type Html, html, type Part } from '../html.ts';
import { badge } from '../parts/badge.ts';
import { facts, live, section } from '../parts/facts.ts';
import { ago, moment } from '../parts/time.ts';
import { isStateOfHost, rolloutHosts } from '../rollouts/hosts.ts';
import { pathOfRollout, ROLLOUT_EVENTS, targetText, withHostLinks } from '../rollouts/names.ts';
import { nextOf } from '../rollouts/next.ts';
import { countsText, legend } from '../rollouts/shares.ts';
import { leftOutOf, storyOf } from '../rollouts/story.ts';
import { waveTable } from '../rollouts/waves.ts';
import type { Site } from '../site.ts';
import type { Visit } from '../visit.ts';

const HOSTS_SHOWN = 100;
/** Being silent for long makes no event. */
const LOOK_EVERY_MS = 10_000;

/** One rollout: its waves as they go, what it does and will do, and where each of its hosts is. */
export function addRollout({ look }: Site): void {
  look('/rollouts/:id', async (visit) => {
    const { api, now, page, param, query, refusal } = visit;
    const id = param('id');
    const state = isStateOfHost(query('state')) ? query('state') : '';
    const cursor = query('cursor');
    const [told, hosts] = await Promise.all([
      api.get(at`/api/v1/rollouts/${id}`, rolloutSchema),
      api.get(at`/api/v1/rollouts/${id}/hosts`, rolloutHostsSchema, { state, cursor, limit: HOSTS_SHOWN }),
    ]);
    if (!told.ok) return refusal(told);
    if (!hosts.ok) return refusal(hosts);
    const rollout = told.value;
    const events = await eventsOf(visit, rollout);
    const leftOut = leftOutOf(events);
    const path = pathOfRollout(rollout.id);
    const isOver = rollout.endedAt !== null;
    return page({
      title: rollout.name ?? `Rollout ${rollout.id}`,
      heading: html`${rollout.name ?? `Rollout ${rollout.id}`} <span data-live="badge">${badge(rollout.status)}</span>`,
      actions: visit.mayOperate && live('deeds', deeds(rollout)),
      live: { events: { kind: ROLLOUT_EVENTS }, ...(!isOver && { everyMs: LOOK_EVERY_MS }) },
      body: html`${live('now', standing(rollout))}
${live('waves', section('waves', 'Waves', [legend(rollout.states), waveTable(rollout, leftOut.length, now)]))}
${live('members', section('members', 'Hosts', rolloutHosts(rollout, hosts.value, { path, state, cursor, now })))}
<div class="grid">${live('story', section('story', 'What happened', storyOf(events, leftOut)))}
${live('facts', section('terms', 'Terms', terms(rollout, now)))}</div>`,
    });
  });
}

/** What was said of this rollout, oldest first. */
async function eventsOf({ api, now }: Visit, rollout: RolloutView): Promise<readonly EventView[]> {
  const told = await api.get('/api/v1/events', eventListSchema, {
    kind: ROLLOUT_EVENTS.filter((kind) => kind.startsWith('rollout-')),
    since: rollout.createdAt,
    until: (rollout.endedAt ?? now) + 1000,
    limit: 1000,
  });
  return told.ok ? told.value.events.filter(({ data }) => data.rollout === rollout.id) : [];
}

/** Why it stands where it stands, and what comes next. */
function standing(rollout: RolloutView): Html {
  const next = nextOf(rollout);
  const tone = rollout.status === 'paused' ? 'warn' : rollout.endedAt !== null ? '' : 'plain';
  return html`<div class="notice ${tone}" data-key="reason"><p><strong>${withHostLinks(sentence(rollout.reason))}</strong></p>
${next && html`<p>${next.text}${next.at !== null && html` That is at ${moment(next.at)}.`}</p>`}</div>`;
}

function sentence(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

/** Only what can be done now. */
function deeds({ id, status, rollbackOf, states }: RolloutView): Part {
  const path = pathOfRollout(id);
  const link = (deed: string, label: string, tone = '') =>
    html`<a class="button ${tone}" href="${path}/${deed}" data-key="${deed}">${label}</a>`;
  const hasMoved = states.waiting + states.held < Object.values(states).reduce((sum, each) => sum + each, 0);
  return [
    status === 'running' && link('pause', 'Pause'),
    status === 'paused' && link('resume', 'Resume', 'primary'),
    (status === 'running' || status === 'paused') && link('abort', 'Abort'),
    status !== 'aborting' && rollbackOf === null && hasMoved && link('rollback', 'Roll back', 'danger'),
  ];
}

function terms(rollout: RolloutView, now: number): Html {
  const { id, why, states, hosts, rollbackOf } = rollout;
  return facts([
    ['Rollout', html`<span class="code">${id}</span>`],
    ['Brings to', targetText(rollout)],
    ['Rolls back', rollbackOf !== null && html`<a href="${pathOfRollout(rollbackOf)}">${rollbackOf}</a>`],
    ['Reason', why !== '' && why],
    ['Hosts', `${countsText(states, hosts)}; ${rollout.unavailable} unavailable`],
    ['On their way at once', `${rollout.maxUnavailableHosts} (${rollout.maxUnavailable})`],
    ['Pauses at', `${rollout.failureLimit} failed (${rollout.failureThreshold})`],
    ['Soaks', rollout.soakSeconds === 0 ? 'not' : duration(rollout.soakSeconds * 1000)],
    ['Does not wait for', `hosts not seen for ${duration(rollout.skipAfterSeconds * 1000)}`],
    ['Writes anew', rollout.fresh && 'also where a slot holds the image'],
    ['Began', ago(rollout.createdAt, now)],
    ['Ended', rollout.endedAt !== null && ago(rollout.endedAt, now)],
  ]);
}
