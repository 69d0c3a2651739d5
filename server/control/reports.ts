import { applyReport } from '../core/apply-report.ts';
import { isOpen } from '../core/attempt.ts';
import { deadlineAfter } from '../core/deadlines.ts';
import { WarmbootError } from '../core/errors.ts';
import type { NewEvent } from '../core/events.ts';
import type { Host } from '../core/host.ts';
import { isWaiting } from '../core/meet-inventory.ts';
import type { Decision } from '../core/ports.ts';
import { rateLimit } from '../core/rate-limit.ts';
import type { Report, ReportHistory, Verdict } from '../core/report.ts';
import type { Caller, ClaimAnswer, MachineUseCases } from '../core/use-cases.ts';
import { type Context, change, event } from './context.ts';
import { macOf, notEnrolled } from './hosts.ts';
import { STRANGERS } from './strangers.ts';

/** What hosts say: claims and reports. */
export function reportCases(context: Context): Pick<MachineUseCases, 'claim' | 'report'> {
  const mayWrite = rateLimit(STRANGERS.each, STRANGERS.all);

  /** Whether what a stranger says of a host may still be written down; a decision that is run again hears the same. */
  function room(now: number): (host: Host) => boolean {
    let answer: boolean | null = null;
    return ({ enrolment: { id } }) => {
      answer ??= mayWrite(id, now);
      return answer;
    };
  }

  return {
    /**
     * The first token named for an install attempt is the host's; the server keeps its hash. A host that already
     * has a token may bring the same one to a new install. Refusals are told to everyone, and written down within bounds.
     */
    async claim(macText, claim) {
      const mac = macOf(macText);
      const hasRoom = room(context.clock());
      const refusal = (host: Host, reason: string): Decision<ClaimAnswer> => ({
        answer: 'refused',
        events: hasRoom(host) ? [event('claim-refused', host, 'host', reason)] : [],
      });
      const answer = await change<ClaimAnswer | WarmbootError>(
        context,
        { macs: [mac] },
        ({ hosts: [host] }, now) => {
          if (!host) return { answer: notEnrolled(mac) };
          // Strangers may say as much as they like: nothing of it is written down.
          if (isWaiting(host.enrolment)) return { answer: 'refused' };
          const { attempt, enrolment } = host;
          const held = enrolment.claim;
          if (held?.claimedFor === claim.attempt) {
            if (held.tokenHash === claim.tokenHash) return { answer: 'same' };
            return refusal(host, 'another token holds this host');
          }
          if (!isOpen(attempt) || attempt.id !== claim.attempt || attempt.kind !== 'install')
            return refusal(host, `${claim.attempt} is not an open install of this host`);
          const phase = attempt.phase === 'pending' ? 'claimed' : attempt.phase;
          const claimed: Host = {
            ...host,
            enrolment: {
              ...enrolment,
              claim: { tokenHash: claim.tokenHash, claimedFor: attempt.id, used: false },
            },
            attempt: {
              ...attempt,
              phase,
              phaseAt: now,
              reason: 'the installer has claimed the host',
              deadline: deadlineAfter(phase, now, context.patience),
            },
          };
          return {
            answer: 'new',
            hosts: [claimed],
            events: [event('claimed', claimed, 'host', 'the installer named its token')],
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
      const hasRoom = room(context.clock());
      return change(context, { macs: [mac] }, ({ hosts: [host], reports }, now) => {
        if (!host) throw notEnrolled(mac);
        authorize(host, caller);
        if (isWaiting(host.enrolment)) {
          const why = 'the host waits for approval: nothing but its inventory is taken';
          return { answer: { verdict: 'stale', why, serial: host.enrolment.serial } };
        }
        if (host.enrolment.claim === null && !hasRoom(host))
          throw new WarmbootError(
            'too-many',
            'Too many reports of a host without a token come at once. Send it again in a minute.',
          );
        const key = { hostId: host.enrolment.id, bootId: report.bootId, seq: report.seq };
        const earlier = reports.bodyHash(key);
        const history: ReportHistory = {
          sameNumber: earlier === null ? 'none' : earlier === bodyHash ? 'same' : 'other',
          bootKnown: reports.bootKnown(key.hostId, key.bootId),
        };
        const { host: judged, verdict, why } = applyReport(host, report, history, now, context.patience);
        const after = verdict === 'duplicate' ? host : withUsedClaim(judged);
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

/** @throws WarmbootError when the host was claimed and the caller does not hold its token */
export function authorize({ enrolment: { claim } }: Host, { tokenHash }: Caller): void {
  if (claim === null || claim.tokenHash === tokenHash) return;
  throw new WarmbootError(
    'unauthorized',
    tokenHash === null
      ? 'This host is claimed: send its token as "Authorization: Bearer TOKEN".'
      : 'The token is not the one that claimed this host. An operator can order a retry or a reinstall.',
  );
}

function withUsedClaim(host: Host): Host {
  const { claim } = host.enrolment;
  if (claim === null || claim.used) return host;
  return { ...host, enrolment: { ...host.enrolment, claim: { ...claim, used: true } } };
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
