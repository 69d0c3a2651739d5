import {
  type Attempt,
  type AttemptPhase,
  end,
  hasReached,
  isLater,
  isOpen,
  type OpenAttempt,
} from './attempt.ts';
import { deadlineAfter, type Patience } from './deadlines.ts';
import type { Host } from './host.ts';
import { observe } from './observe.ts';
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
  if (history.sameNumber === 'same') return { host, verdict: 'duplicate', why: 'was taken before' };
  if (history.sameNumber === 'other')
    return {
      host,
      verdict: 'stale',
      why: `contradicts the report ${report.seq} of this boot that was taken before`,
    };
  const latest = host.observation;
  if (latest && latest.bootId === report.bootId && report.seq <= latest.seq)
    return { host, verdict: 'stale', why: `report ${latest.seq} of this boot was taken already` };
  if (latest && latest.bootId !== report.bootId && history.bootKnown)
    return { host, verdict: 'stale', why: 'comes from an earlier boot' };

  const observed: Host = { ...host, observation: observe(host, report, now) };
  if (!isOpen(host.attempt)) {
    const late = report.attempt !== null && isWork(report);
    return late
      ? { host: observed, verdict: 'stale', why: 'its attempt has ended' }
      : { host: observed, verdict: 'applied', why: 'observed' };
  }
  if (report.attempt === host.attempt.id) {
    const { attempt, why } = move(host.attempt, report, now, patience);
    return { host: { ...observed, attempt }, verdict: 'applied', why };
  }
  if (runsTarget(host.attempt, report) && !host.attempt.fresh && !report.trial) {
    const why = 'the host runs the image, whatever brought it there';
    return {
      host: { ...observed, attempt: end(host.attempt, 'succeeded', why, now) },
      verdict: 'applied',
      why,
    };
  }
  const foreign = report.attempt !== null && isWork(report);
  return foreign
    ? {
        host: observed,
        verdict: 'stale',
        why: `belongs to attempt ${report.attempt}; attempt ${host.attempt.id} is open`,
      }
    : { host: observed, verdict: 'applied', why: 'observed' };
}

/** Reports that only make sense as a step of their attempt; the others describe the machine. */
function isWork(report: Report): boolean {
  return report.kind !== 'booted' && report.kind !== 'inventory';
}

function runsTarget(attempt: Attempt, report: Report): boolean {
  const says = report.kind === 'booted' || report.kind === 'confirmed';
  return says && report.digest === attempt.digest && report.bootId !== attempt.workBootId;
}

type Moved = { readonly attempt: Attempt; readonly why: string };

/** The table of moves: which report takes an open attempt where. Whatever is not in it moves nothing. */
function move(attempt: OpenAttempt, report: Report, now: number, patience: Patience): Moved {
  const to = (phase: AttemptPhase, why: string, facts: Partial<Attempt> = {}): Moved => {
    const next = isLater(attempt, phase) ? { phase, phaseAt: now, reason: why } : {};
    const moved = { ...attempt, ...next, ...facts };
    return { attempt: { ...moved, deadline: deadlineAfter(moved.phase, now, patience) }, why };
  };
  const still = (why: string): Moved => ({ attempt, why });
  const work = { workBootId: report.bootId };

  switch (report.kind) {
    case 'inventory':
      return still('observed');
    case 'progress': {
      if (hasReached(attempt, attempt.kind === 'install' ? 'installed' : 'staged'))
        return still('came late: it was written already');
      const progress = {
        phase: report.phase ?? '',
        bytesDone: Math.min(report.bytesDone ?? 0, report.bytesTotal ?? 0),
        bytesTotal: report.bytesTotal ?? 0,
      };
      return to(attempt.kind === 'install' ? 'writing' : 'staging', 'is being written', {
        ...work,
        progress,
      });
    }
    case 'installed':
      if (attempt.kind !== 'install') return still('contradicts: this attempt installs nothing');
      if (report.digest !== attempt.digest) return still('contradicts: another image was installed');
      return to('installed', 'every chunk was verified on the disk', work);
    case 'staged':
      if (attempt.kind !== 'switch') return still('contradicts: this attempt stages nothing');
      if (report.digest !== attempt.digest) return still('contradicts: another image was staged');
      return to('staged', 'every chunk was verified in the slot', work);
    case 'switching':
      if (attempt.kind !== 'switch') return still('contradicts: this attempt is an install');
      return to('switching', 'the host said that it jumps now', work);
    case 'booted':
      if (report.digest !== attempt.digest) return still('another image runs');
      if (report.bootId === attempt.workBootId) return still('contradicts: the machine has not jumped since');
      return to('confirming', 'the image runs and has to prove itself');
    case 'confirmed':
      if (!runsTarget(attempt, report))
        return still('contradicts: the image does not run, or the machine has not jumped');
      if (report.bootDefault !== null && report.bootDefault !== report.slot)
        return still('contradicts: the boot default was not moved');
      return { attempt: end(attempt, 'succeeded', 'healthy, and the boot default', now), why: 'confirmed' };
    case 'rolled-back': {
      if (report.digest === attempt.digest) return still('contradicts: the image runs');
      const why = report.reason ?? 'the machine is back on the image it ran before';
      return { attempt: end(attempt, 'rolled-back', why, now), why };
    }
    case 'failed': {
      const why = [report.phase, report.reason].filter(Boolean).join(': ') || 'the host gave no reason';
      return { attempt: end(attempt, 'failed', why, now), why };
    }
    default:
      return report.kind satisfies never;
  }
}
