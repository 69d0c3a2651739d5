import { isOpen } from './attempt.ts';
import type { Host } from './host.ts';
import type { Report, ReportHistory, ReportKind, Verdict } from './report.ts';

/** What is known of a machine: nothing, or that it is in the installer, in an OS on trial, in an OS. */
export type Observed = 'nothing' | 'installer' | 'trial' | 'os';

export function observedOf({ observation }: Host): Observed {
  if (observation === null) return 'nothing';
  if (observation.environment === 'installer') return 'installer';
  return observation.trial ? 'trial' : 'os';
}

type Facts = { readonly host: Host; readonly report: Report; readonly history: ReportHistory };

const CONDITIONS = {
  'its number came before, with the same body': ({ history }) => history.sameNumber === 'same',
  'its number came before, with another body': ({ history }) => history.sameNumber === 'other',
  'a later report of this boot was taken': ({ host: { observation }, report }) =>
    observation?.bootId === report.bootId && report.seq <= observation.seq,
  'this boot spoke before, and another one since': ({ host: { observation }, report, history }) =>
    observation !== null && observation.bootId !== report.bootId && history.bootKnown,
  'this boot spoke before': ({ host: { observation }, report }) => observation?.bootId === report.bootId,
  'this boot is on trial': ({ host, report }) =>
    host.observation?.bootId === report.bootId && observedOf(host) === 'trial',
  'it says that it is on trial': ({ report }) => report.trial,
  'an install is open': ({ host: { attempt } }) => isOpen(attempt) && attempt.kind === 'install',
} as const satisfies Record<string, (facts: Facts) => boolean>;
export type ObservationCondition = keyof typeof CONDITIONS;

/**
 * Which reports are taken. Boots follow one another and reports are numbered within a boot, so what is late is known without any
 * clock. The first line that fits decides.
 */
export const REPORT_ORDER: readonly {
  readonly when?: ObservationCondition;
  readonly verdict: Verdict;
  readonly reason: string;
}[] = [
  {
    when: 'its number came before, with the same body',
    verdict: 'duplicate',
    reason: 'was taken before',
  },
  {
    when: 'its number came before, with another body',
    verdict: 'stale',
    reason: 'contradicts the report of this boot and number that was taken before',
  },
  {
    when: 'a later report of this boot was taken',
    verdict: 'stale',
    reason: 'a later report of this boot was taken already',
  },
  {
    when: 'this boot spoke before, and another one since',
    verdict: 'stale',
    reason: 'comes from an earlier boot',
  },
  { verdict: 'applied', reason: 'observed' },
];

export type ObservationMove = {
  readonly on: readonly ReportKind[] | 'anything';
  readonly when?: ObservationCondition;
  readonly to: Observed | 'stays';
  /** The report's slot and digest are what runs; else that is as this boot said before. */
  readonly namesWhatRuns?: true;
  readonly reason: string;
};

/** What a report that is taken makes of what is known. The first line that fits decides. */
export const OBSERVATION_MOVES: readonly ObservationMove[] = [
  {
    on: ['booted'],
    when: 'it says that it is on trial',
    to: 'trial',
    namesWhatRuns: true,
    reason: 'the OS says what it is, and that it has to prove itself',
  },
  { on: ['booted'], to: 'os', namesWhatRuns: true, reason: 'the OS says what it is' },
  { on: ['confirmed'], to: 'os', namesWhatRuns: true, reason: 'it has proven itself: the trial is over' },
  { on: ['rolled-back'], to: 'os', namesWhatRuns: true, reason: 'the OS that was there before runs again' },
  { on: ['installed'], to: 'installer', reason: 'only the installer installs' },
  {
    on: 'anything',
    when: 'this boot is on trial',
    to: 'stays',
    reason: 'a trial ends by its confirmation or by another boot',
  },
  { on: ['staged', 'switching'], to: 'os', reason: 'only the agent of an OS stages and switches' },
  { on: 'anything', when: 'this boot spoke before', to: 'stays', reason: 'a boot is in one environment' },
  { on: ['inventory'], to: 'installer', reason: 'the first word of an installer' },
  {
    on: 'anything',
    when: 'an install is open',
    to: 'installer',
    reason: 'only an install is worked on from outside the OS',
  },
  { on: 'anything', to: 'os', reason: 'an agent whose first words were lost' },
];

export function reportOrder(facts: Facts): (typeof REPORT_ORDER)[number] {
  return firstThatFits(REPORT_ORDER, facts);
}

export function observationMove(facts: Facts): ObservationMove {
  const { kind } = facts.report;
  const about = OBSERVATION_MOVES.filter(({ on }) => on === 'anything' || on.includes(kind));
  return firstThatFits(about, facts);
}

function firstThatFits<Line extends { readonly when?: ObservationCondition }>(
  lines: readonly Line[],
  facts: Facts,
): Line {
  const found = lines.find(({ when }) => when === undefined || CONDITIONS[when](facts));
  if (!found) throw new Error('The table says nothing of this report.');
  return found;
}
