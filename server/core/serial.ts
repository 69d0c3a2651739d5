import { filesTold } from './file-set.ts';
import type { Host } from './host.ts';
import { nextStep } from './next-step.ts';

/**
 * Raises the manifest's serial when a change can be seen in the manifest, and only then: a report of progress must
 * not wake the very host that sent it. The serial is at least the clock's milliseconds, so that a database restored
 * from last week does not hand out serials that every host has to refuse.
 */
export function withSerial(before: Host | null, after: Host, slotCount: number, now: number): Host {
  if (before !== null && visible(before, slotCount) === visible(after, slotCount)) return after;
  const serial = Math.max(after.enrolment.serial + 1, now);
  return { ...after, enrolment: { ...after.enrolment, serial } };
}

/** Everything of a host that its manifest shows, as text to compare. */
function visible(host: Host, slotCount: number): string {
  const { action, slot, digest, attempt, reason } = nextStep(host, slotCount);
  const { macs, layout, diskRule, append, switchMode, trialSeconds, rateBytes, readBack, assignment } =
    host.enrolment;
  const wants = [action, slot, digest, attempt?.id, attempt?.wipe, reason, host.observation?.disk];
  const settings = [layout, diskRule, append, switchMode, trialSeconds, rateBytes, readBack];
  return JSON.stringify([wants, macs, settings, assignment, filesTold(host)?.sha256]);
}
