import type { Host, Observation, SlotObservation } from './host.ts';
import { observationMove, observedOf } from './observation-moves.ts';
import type { Report } from './report.ts';

/** What the server believes of a machine after one more of its reports; nothing is inferred that it did not say. */
export function observe(host: Host, report: Report, now: number): Observation {
  const before = host.observation;
  const sameBoot = before?.bootId === report.bootId;
  const { to, namesWhatRuns } = observationMove({ host, report, history: TAKEN });
  const is = to === 'stays' ? observedOf(host) : to;
  return {
    bootId: report.bootId,
    seq: report.seq,
    environment: is === 'installer' ? 'installer' : 'os',
    slot: namesWhatRuns ? report.slot : sameBoot ? before.slot : null,
    digest: namesWhatRuns ? report.digest : sameBoot ? before.digest : null,
    bootDefault:
      report.bootDefault ?? (report.kind === 'installed' ? report.slot : before?.bootDefault) ?? null,
    slots: slotsAfter(before, report),
    disk: report.disk ?? before?.disk ?? null,
    readOnly: report.readOnly ?? (sameBoot && before.readOnly),
    trial: is === 'trial',
    wentBack: wentBackAfter(before, report, namesWhatRuns === true),
    at: now,
  };
}

/** It holds until the machine proves an image, is installed anew, or says that something else runs. */
function wentBackAfter(before: Observation | null, report: Report, namesWhatRuns: boolean): string | null {
  if (report.kind === 'rolled-back') return report.reason;
  if (report.kind === 'confirmed' || report.kind === 'installed') return null;
  const runsAnother = namesWhatRuns && report.digest !== before?.digest;
  return runsAnother ? null : (before?.wentBack ?? null);
}

/** What the order of reports has to say was said before. */
const TAKEN = { sameNumber: 'none', bootKnown: false, attemptKnown: true } as const;

function slotsAfter(before: Observation | null, report: Report): Readonly<Record<string, SlotObservation>> {
  // An install wrote a new partition table: nothing of the old slots is left.
  const slots = { ...(report.kind === 'installed' ? {} : before?.slots), ...report.slots };
  const wrote = report.kind === 'installed' || report.kind === 'staged';
  if (wrote && report.slot && report.digest && !report.slots?.[report.slot])
    slots[report.slot] = { state: 'valid', digest: report.digest };
  return slots;
}
