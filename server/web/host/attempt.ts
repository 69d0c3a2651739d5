import type { EventView } from '../../contract/events.ts';
import type { HostView } from '../../contract/hosts.ts';
import { duration } from '../../words/quantity.ts';
import { imageLink } from '../hosts/image-names.ts';
import { type Html, html } from '../html.ts';
import { badge } from '../parts/badge.ts';
import { facts } from '../parts/facts.ts';
import { progress } from '../parts/progress.ts';
import { nothing, table } from '../parts/table.ts';
import { ago, clockTime, moment } from '../parts/time.ts';

export type AttemptView = NonNullable<HostView['attempt']>;

/** The attempt that is open, or the last one: how far, for how long, and until when. */
export function attemptFacts(host: HostView, now: number): Html {
  const { attempt, observation } = host;
  if (attempt === null) return nothing('Nothing was ordered for this host so far.');
  const { outcome, phase, createdAt, phaseAt, deadline, endedAt, cause, rollout, power } = attempt;
  const isOpen = outcome === null;
  return html`${isOpen && progressLine(attempt, observation?.at ?? phaseAt)}
${facts([
  ['Order', html`${attempt.kind} ${imageLink(attempt.digest, attempt.image)}`],
  [
    'By',
    html`${cause}${rollout && html` (<a href="/rollouts/${rollout}">rollout</a>)`}, ${moment(createdAt)}`,
  ],
  [
    'Outcome',
    outcome !== null &&
      html`${badge(outcome)} in phase ${phase}, after ${duration((endedAt ?? now) - createdAt)}`,
  ],
  ['Phase', isOpen && html`<strong>${phase}</strong> since ${ago(phaseAt, now)}`],
  ['Reason', attempt.reason !== '' && attempt.reason],
  ['Given up', isOpen && (deadline === null ? 'never: it waits as long as it takes' : ago(deadline, now))],
  ['Power', power !== null && POWER[power]],
])}`;
}

const POWER = {
  queued: 'its power is to be cycled, when its turn comes',
  begun: 'its power is being cycled',
  done: 'its power was cycled',
  failed: 'the power hook failed',
} as const;

/**
 * Bytes and share come with the host's reports; the rate is worked out in the browser from one report to the next, and is not shown
 * before there were two. `data-at` is when the host said it.
 */
function progressLine({ id, progress: work }: AttemptView, saidAt: number): Html | null {
  if (work === null || work.bytesTotal === 0) return null;
  const { phase, bytesDone, bytesTotal } = work;
  return html`<p class="work" data-rate="${id} ${phase}" data-done="${bytesDone}" data-total="${bytesTotal}" data-at="${saidAt}"><strong>${phase}</strong> ${progress(`${phase}: how far`, bytesDone, bytesTotal)} <span class="rate"></span></p>`;
}

/** What happened in one attempt, report by report, with the time from its beginning. */
export function timeline(attempt: AttemptView, events: readonly EventView[]): Html {
  const steps = events.filter((event) => !isEcho(event, events));
  if (steps.length === 0) return nothing('The events of this attempt are not kept any more.');
  const phases = phasesOf(attempt, events);
  return html`<ol class="phases" aria-label="Phases">${phases.map(
    ({ phase, ms }) =>
      html`<li data-key="${phase}"><strong>${phase}</strong> ${ms === null ? html`<span class="quiet">now</span>` : duration(ms)}</li>`,
  )}${attempt.outcome !== null && html`<li data-key="end">${badge(attempt.outcome)}</li>`}</ol>
<ol class="timeline" aria-label="Report by report">${steps.map((event) => stepLine(event, attempt))}</ol>`;
}

/** A report that moved the attempt is one step, not two. */
function isEcho({ kind, at, reason }: EventView, events: readonly EventView[]): boolean {
  if (kind !== 'attempt-moved') return false;
  return events.some((other) => other.kind === 'report' && other.at === at && other.reason === reason);
}

function stepLine({ id, at, kind, reason, data, by, actor }: EventView, { createdAt }: AttemptView): Html {
  const told = text(data.report);
  const [phase, words, log] = [text(data.phase), text(data.reason), text(data.log)];
  const name =
    kind === 'report' || kind === 'report-stale'
      ? `${told ?? kind}${phase === null ? '' : ` ${phase}`}`
      : kind;
  const isBad =
    told === 'failed' ||
    told === 'rolled-back' ||
    data.outcome === 'failed' ||
    data.outcome === 'rolled-back';
  return html`<li data-key="${id}"${isBad && html` class="bad"`}><span class="when">${clockTime(at)} <span class="quiet">+${duration(Math.max(0, at - createdAt))}</span></span> <strong>${name}</strong>${kind === 'report-stale' && html` <span class="tag">not taken</span>`} <span>${words ?? reason}</span> <span class="quiet">by ${by ?? actor}${words !== null && reason !== '' && words !== reason && `: ${reason}`}</span>${
    log !== null &&
    html`<details${isBad && html` open`}><summary>The last lines of its log</summary><pre tabindex="0">${log}</pre></details>`
  }</li>`;
}

type Phase = { readonly phase: string; readonly ms: number | null };

/** How long it was in each phase; null: it is in it now. */
function phasesOf(
  { createdAt, endedAt, outcome }: AttemptView,
  events: readonly EventView[],
): readonly Phase[] {
  const moves = events.flatMap(({ kind, at, data }) => {
    const phase = kind === 'claimed' ? 'claimed' : kind === 'attempt-moved' ? text(data.phase) : null;
    return phase === null ? [] : [{ phase, at }];
  });
  const begun = [{ phase: 'pending', at: createdAt }, ...moves];
  return begun.map(({ phase, at }, place) => {
    const end = begun[place + 1]?.at ?? (outcome === null ? null : endedAt);
    return { phase, ms: end === null ? null : Math.max(0, end - at) };
  });
}

function text(value: unknown): string | null {
  return typeof value === 'string' && value !== '' ? value : null;
}

/** Earlier attempts, the newest first. */
export function attemptTable(attempts: readonly AttemptView[], now: number): Html {
  return table(
    'Attempts',
    [
      { head: 'Begun', names: true, cell: ({ createdAt }: AttemptView) => moment(createdAt) },
      { head: 'Kind', cell: ({ kind }) => kind },
      { head: 'Image', cell: ({ digest, image }) => imageLink(digest, image) },
      {
        head: 'Outcome',
        cell: ({ outcome, phase }) => badge(outcome ?? phase, outcome === null ? 'moving' : undefined),
      },
      {
        head: 'Took',
        as: 'number',
        cell: ({ createdAt, endedAt }) => duration((endedAt ?? now) - createdAt),
      },
      { head: 'By', cell: ({ cause }) => cause },
      { head: 'Reason', as: 'wide', cell: ({ reason }) => reason },
    ],
    attempts,
    ({ id }) => id,
  );
}
