import { WarmbootError } from './errors.ts';
import type { Host } from './host.ts';

/** Revisions of a host from which a change may begin; null: from any. */
export type Expected = readonly number[] | null;

/**
 * Raises the revision when something changed that operators say or order: what two of them could take from each other. What
 * the host reports of itself does not count. Like the manifest's serial it is at least the clock's milliseconds: a
 * database that was restored, or a host that was enrolled anew, hands out no revision twice.
 */
export function withRevision(before: Host | null, after: Host, now: number): Host {
  if (before !== null && said(before) === said(after) && !isReleasedNow(before, after)) return after;
  const revision = Math.max((before?.enrolment.revision ?? 0) + 1, now);
  return { ...after, enrolment: { ...after.enrolment, revision } };
}

/** Everything of a host that is an operator's word or order, as text to compare. */
function said({ enrolment, attempt }: Host): string {
  const { claim: _, serial: __, createdAt: ___, forgetAt: ____, revision: _____, ...words } = enrolment;
  return JSON.stringify([words, attempt?.id]);
}

/** That an operator took the token away counts; that the host claims another does not. */
function isReleasedNow(before: Host, after: Host): boolean {
  return after.enrolment.claim?.standing === 'released' && before.enrolment.claim?.standing !== 'released';
}

/** @throws WarmbootError when another was faster */
export function requireRevision({ enrolment: { macs, revision } }: Host, expected: Expected): void {
  if (expected === null || expected.includes(revision)) return;
  throw new WarmbootError(
    'outdated',
    `The host ${macs[0]} was changed meanwhile: it has revision ${revision}. Read it again, then change it.`,
  );
}
