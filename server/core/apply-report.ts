import { isOpen, type OpenAttempt } from './attempt.ts';
import type { AttemptTrigger } from './attempt-moves.ts';
import type { Host } from './host.ts';
import { type MovedAttempt, moveAttempt } from './move-attempt.ts';
import { reportOrder } from './observation-moves.ts';
import { observe } from './observe.ts';
import { type Patience, patienceWith } from './patience.ts';
import type { Report, ReportHistory, Verdict } from './report.ts';

/** `why` is written to the event log and, for a report that is not applied, told to the host. */
export type Judgement = { readonly host: Host; readonly verdict: Verdict; readonly why: string };

/**
 * Judges one report: what it says of the machine (observation) and what it says of the attempt are judged apart, so
 * that a trial which ended for a superseded attempt is still seen, and no late word ever moves a newer attempt.
 */
export function applyReport(
  host: Host,
  report: Report,
  history: ReportHistory,
  now: number,
  patience: Patience,
): Judgement {
  const order = reportOrder({ host, report, history });
  if (order.verdict !== 'applied') return { host, verdict: order.verdict, why: order.reason };

  const observed: Host = { ...host, observation: observe(host, report, now) };
  const isForeign = report.attempt !== null && report.attempt !== host.attempt?.id;
  const stale = (why: string): Judgement => ({ host: observed, verdict: 'stale', why });
  const applied = ({ attempt, why }: MovedAttempt): Judgement => ({
    host: { ...observed, attempt },
    verdict: 'applied',
    why,
  });
  const told = history.attemptKnown ? '' : ', which this database does not know';
  if (!isOpen(host.attempt)) {
    if (report.attempt === null || !isWork(report))
      return { host: observed, verdict: 'applied', why: order.reason };
    return stale(
      isForeign ? `belongs to attempt ${report.attempt}${told}; none is open` : 'its attempt has ended',
    );
  }
  const move = (on: AttemptTrigger): MovedAttempt =>
    moved(host, host.attempt as OpenAttempt, on, report, now, patienceWith(host.enrolment, patience));
  if (report.attempt === host.attempt.id) return applied(move(report.kind));

  if (report.kind === 'booted' || report.kind === 'confirmed') {
    const runs = move('image-runs');
    if (runs.attempt !== host.attempt) return applied(runs);
    const unknown = history.attemptKnown ? null : move('unknown-attempt');
    if (unknown && unknown.attempt !== host.attempt) return applied(unknown);
  }
  return isForeign && isWork(report)
    ? stale(`belongs to attempt ${report.attempt}${told}; attempt ${host.attempt.id} is open`)
    : { host: observed, verdict: 'applied', why: order.reason };
}

/** Reports that only make sense as a step of their attempt; the others describe the machine. */
function isWork({ kind }: Report): boolean {
  return kind !== 'booted' && kind !== 'inventory';
}

/** What a report makes of the open attempt, by the table of moves. */
function moved(
  { observation }: Host,
  attempt: OpenAttempt,
  on: AttemptTrigger,
  report: Report,
  now: number,
  patience: Patience,
): MovedAttempt {
  const facts = { now, patience, report, observation };
  switch (on) {
    case 'progress': {
      const total = report.bytesTotal ?? 0;
      const done = Math.min(report.bytesDone ?? 0, total);
      const progress = { phase: report.phase ?? '', bytesDone: done, bytesTotal: total };
      return moveAttempt(attempt, on, facts, { workBootId: report.bootId, progress });
    }
    case 'installed':
      return moveAttempt(attempt, on, facts, { workBootId: report.bootId, workDisk: report.disk });
    case 'staged':
    case 'switching':
      return moveAttempt(attempt, on, facts, { workBootId: report.bootId });
    case 'rolled-back':
      return moveAttempt(attempt, on, facts, {}, report.reason);
    case 'failed':
      return moveAttempt(attempt, on, facts, {}, [report.phase, report.reason].filter(Boolean).join(': '));
    default:
      return moveAttempt(attempt, on, facts);
  }
}
