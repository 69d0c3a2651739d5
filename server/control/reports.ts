import { applyReport } from '../core/apply-report.ts';
import { isOpen } from '../core/attempt.ts';
import { claimedBy, isLost, moveClaim } from '../core/claim.ts';
import { claimMove } from '../core/claim-moves.ts';
import { enrolmentMove, mayMove } from '../core/enrolment-moves.ts';
import { WarmbootError } from '../core/errors.ts';
import type { NewEvent } from '../core/events.ts';
import type { Host } from '../core/host.ts';
import { isWaiting } from '../core/meet-inventory.ts';
import { moveAttempt } from '../core/move-attempt.ts';
import type { Decision } from '../core/ports.ts';
import { rateLimit } from '../core/rate-limit.ts';
import type { Report, ReportHistory, Verdict } from '../core/report.ts';
import type { Caller, ClaimAnswer, MachineUseCases } from '../core/use-cases.ts';
import { type Context, change, event } from './context.ts';
import { macOf, notEnrolled } from './one-host.ts';
import { STRANGERS } from './strangers.ts';

/** What hosts say: claims and reports. */
export function reportCases(context: Context): Pick<MachineUseCases, 'claim' | 'report'> {
  const waitOf = rateLimit(STRANGERS.each, STRANGERS.all);

  /** After how long what a stranger says of a host may be written down, 0: now. A decision that is run again hears the same. */
  function room(now: number): (host: Host) => number {
    let waitMs: number | null = null;
    return ({ enrolment: { id } }) => {
      waitMs ??= waitOf(id, now);
      return waitMs;
    };
  }

  return {
    /**
     * The first token named for an install attempt is the host's; the server keeps its hash. A host that already
     * has a token may bring the same one to a new install, unless an operator took it away. Refusals are told to everyone, and written down within bounds.
     */
    async claim(macText, claim) {
      const mac = macOf(macText);
      const waitFor = room(context.clock());
      const refusal = (host: Host, reason: string): Decision<ClaimAnswer> => ({
        answer: 'refused',
        events: waitFor(host) > 0 ? [] : [event('claim-refused', host, 'host', reason)],
      });
      const answer = await change<ClaimAnswer | WarmbootError>(
        context,
        { macs: [mac] },
        ({ hosts: [host] }, now) => {
          if (!host) return { answer: notEnrolled(mac) };
          // Strangers may say as much as they like: nothing of it is written down.
          if (isWaiting(host.enrolment)) return { answer: 'refused' };
          if (!mayMove(host.enrolment, 'claim'))
            return refusal(host, `the host ${enrolmentMove(host.enrolment.status, 'claim').reason}`);
          const { attempt } = host;
          const { patience } = context;
          const { tokenHash } = claim;
          const facts = { tokenHash, install: claim.attempt, isLost: hasLostToken(context, host, now) };
          const move = claimMove(host, 'claim', facts);
          if (move.to === 'refused') return refusal(host, move.reason);
          if (move.to === 'stays') return { answer: 'same' };
          if (!isOpen(attempt) || attempt.id !== claim.attempt || attempt.kind !== 'install')
            return refusal(host, `${claim.attempt} is not an open install of this host`);
          const { attempt: moved, to, why } = moveAttempt(attempt, 'claim', { now, patience });
          if (to === 'refused') return refusal(host, why);
          const claimed: Host = { ...claimedBy(host, tokenHash, attempt.id), attempt: moved };
          return {
            answer: 'new',
            hosts: [claimed],
            events: [event('claimed', claimed, 'host', move.reason)],
          };
        },
      );
      if (answer instanceof WarmbootError) throw answer;
      return answer;
    },

    /**
     * Takes one report. `bodyHash` tells a repetition from a contradiction.
     * @throws WarmbootError `unauthorized` without the host's token once it is claimed; before, `too-many`
     */
    report(macText, report, bodyHash, caller) {
      const mac = macOf(macText);
      const waitFor = room(context.clock());
      return change(context, { macs: [mac] }, ({ hosts: [host], reports, attempts }, now) => {
        if (!host) throw notEnrolled(mac);
        authorize(host, caller);
        if (!mayMove(host.enrolment, 'report')) {
          const why = `the host ${enrolmentMove(host.enrolment.status, 'report').reason}`;
          return { answer: { verdict: 'stale', why, serial: host.enrolment.serial } };
        }
        const waitMs = host.enrolment.claim === null ? waitFor(host) : 0;
        if (waitMs > 0)
          throw new WarmbootError(
            'too-many',
            'Too many reports of a host without a token come at once. Send it again later.',
            waitMs,
          );
        const key = { hostId: host.enrolment.id, bootId: report.bootId, seq: report.seq };
        const earlier = reports.bodyHash(key);
        const history: ReportHistory = {
          sameNumber: earlier === null ? 'none' : earlier === bodyHash ? 'same' : 'other',
          bootKnown: reports.bootKnown(key.hostId, key.bootId),
          attemptKnown:
            report.attempt === null ||
            report.attempt === host.attempt?.id ||
            attempts(key.hostId).some(({ id }) => id === report.attempt),
        };
        const heard = moveClaim(host, 'word', caller).host;
        const { host: judged, verdict, why } = applyReport(heard, report, history, now, context.patience);
        const after = verdict === 'duplicate' ? host : judged;
        return {
          answer: { verdict, why, serial: after.enrolment.serial },
          hosts: after === host ? [] : [after],
          reports: earlier === null ? [{ ...key, bodyHash }] : [],
          events: eventsOf(host, after, report, verdict, why),
        };
      });
    },
  };
}

/** Whether another token may be named for an install that was claimed. */
export function hasLostToken({ patience, deafness }: Context, host: Host, now: number): boolean {
  return now >= deafness.until && isLost(host, now, patience);
}

/** @throws WarmbootError when the host is retired, or was claimed and the caller does not hold its token */
export function authorize(host: Host, { tokenHash }: Caller): void {
  if (host.enrolment.status === 'retired')
    throw new WarmbootError('unauthorized', `The host ${enrolmentMove('retired', 'report').reason}`);
  const { to, reason } = claimMove(host, 'word', { tokenHash });
  if (to !== 'refused') return;
  const isMissing = tokenHash === null && host.enrolment.claim?.standing !== 'released';
  throw new WarmbootError(
    'unauthorized',
    isMissing ? 'This host is claimed: send its token as "Authorization: Bearer TOKEN".' : reason,
  );
}

/** Progress is telemetry: it changes a row, and only its first and last word are events. */
function eventsOf(before: Host, after: Host, report: Report, verdict: Verdict, why: string): NewEvent[] {
  if (verdict === 'duplicate') return [];
  const { kind, bootId, seq, slot, digest, phase, reason, log, trial } = report;
  const said = {
    report: kind,
    bootId,
    seq,
    slot,
    digest,
    phase,
    reason,
    trial,
    ...(log !== null && { log }),
  };
  const events: NewEvent[] = [];
  if (verdict === 'stale')
    events.push({ ...event('report-stale', after, 'host', why, said), attempt: report.attempt });
  else if (kind !== 'progress' || after.attempt?.progress?.phase !== before.attempt?.progress?.phase)
    events.push(event('report', after, 'host', why, said));
  const { attempt } = after;
  if (attempt && before.attempt && attempt.outcome !== before.attempt.outcome)
    events.push(event('attempt-ended', after, 'host', attempt.reason, { outcome: attempt.outcome }));
  else if (attempt && attempt.phase !== before.attempt?.phase)
    events.push(event('attempt-moved', after, 'host', attempt.reason, { phase: attempt.phase }));
  return events;
}
