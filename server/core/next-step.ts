import { isOpen, type OpenAttempt } from './attempt.ts';
import type { Digest } from './digest.ts';
import { type Host, type Observation, slotNames } from './host.ts';

/** What a host shall do now, and why. Every protocol, command and page asks `nextStep`; none decides by itself. */
export type NextStep = {
  readonly action: 'none' | 'hold' | 'install' | 'stage' | 'switch';
  /** The slot that `action` works on, or the one that runs. */
  readonly slot: string | null;
  /** The image that `action` is about, or the one that runs. */
  readonly digest: Digest | null;
  /** The attempt that wants it; null when nothing is wanted. */
  readonly attempt: OpenAttempt | null;
  readonly reason: string;
};

/** The slot that an install fills: there is no reason to prefer another on an empty disk. */
export const FIRST_SLOT = 'a';

/**
 * Compares what a host shall run with what it was observed to run. Level-triggered: asked twice, it answers the
 * same; nothing is remembered but the three records.
 * @param slotCount how many slots the host's disk layout has
 */
export function nextStep(host: Host, slotCount: number): NextStep {
  const { enrolment, attempt, observation } = host;
  const still = (action: 'none' | 'hold', reason: string): NextStep => ({
    action,
    slot: observation?.slot ?? null,
    digest: observation?.digest ?? null,
    attempt: null,
    reason,
  });

  if (enrolment.status === 'retired') return still('none', 'the host is retired');
  if (enrolment.status === 'discovered') return still('hold', 'the host waits for approval');
  if (enrolment.status === 'ignored') return still('none', 'the host is ignored: it boots its disk');
  if (observation?.trial && observation.environment === 'os')
    return {
      ...still('hold', `slot ${observation.slot} is on trial`),
      attempt: isOpen(attempt) ? attempt : null,
    };
  if (isOpen(attempt)) {
    return attempt.kind === 'install'
      ? stepOfInstall(attempt, observation)
      : stepOfSwitch(attempt, observation, slotNames(slotCount), still);
  }
  if (enrolment.assignment === null) return still('none', 'no image is assigned');
  if (runs(observation, enrolment.assignment.digest)) return still('none', 'the host runs its image');
  if (attempt?.digest === enrolment.assignment.digest && attempt.outcome === 'rolled-back')
    return still('hold', `rolled back: ${attempt.reason}`);
  if (attempt?.digest === enrolment.assignment.digest && attempt.outcome === 'failed')
    return still('hold', `failed: ${attempt.reason}`);
  return still('hold', 'the host runs another image than its own, and nobody has ordered a switch');
}

function runs(observation: Observation | null, digest: Digest): boolean {
  return observation?.environment === 'os' && observation.digest === digest;
}

function stepOfInstall(attempt: OpenAttempt, observation: Observation | null): NextStep {
  const step = { slot: FIRST_SLOT, digest: attempt.digest, attempt };
  if (attempt.phase === 'installed')
    return { ...step, action: 'none', reason: 'installed; the disk is to be booted' };
  const hasJumped = observation?.bootId !== attempt.workBootId;
  if (attempt.phase === 'confirming' || (hasJumped && !attempt.fresh && runs(observation, attempt.digest)))
    return { ...step, action: 'none', reason: 'installed; the image has to prove itself' };
  return { ...step, action: 'install', reason: `${attempt.ref} is to be installed` };
}

function stepOfSwitch(
  attempt: OpenAttempt,
  observation: Observation | null,
  slots: readonly string[],
  still: (action: 'none' | 'hold', reason: string) => NextStep,
): NextStep {
  const about = { digest: attempt.digest, attempt };
  const hold = (reason: string): NextStep => ({ ...still('hold', reason), attempt });
  if (observation === null || observation.slot === null) return hold('the host has not said what it runs');
  if (observation.disk === null) return hold('the host has not said which disk is its own');
  if (!attempt.fresh && runs(observation, attempt.digest))
    return {
      ...about,
      action: 'none',
      slot: observation.slot,
      reason: 'the image runs and has to prove itself',
    };
  const hasJumped = attempt.phase === 'switching' || attempt.phase === 'confirming';
  if (hasJumped && observation.bootId !== attempt.workBootId) {
    return runs(observation, attempt.digest)
      ? { ...about, action: 'none', slot: observation.slot, reason: 'the image runs and has to prove itself' }
      : hold('the host went to the image and came back without a word why');
  }

  const wrote = attempt.phase === 'staged' || attempt.phase === 'switching';
  const holder = slots.find(
    (slot) => slot !== observation.slot && holds(observation, slot, attempt.digest, attempt.fresh),
  );
  if (holder && (!attempt.fresh || wrote))
    return { ...about, action: 'switch', slot: holder, reason: `slot ${holder} holds ${attempt.ref}` };
  const free = freeSlot(observation, slots);
  if (free === null) return hold('every slot runs or is the boot default');
  return { ...about, action: 'stage', slot: free, reason: `${attempt.ref} is to be written to slot ${free}` };
}

/** A slot that has been run is `modified`: good enough to go back to, not for an order that asks for fresh bytes. */
function holds(observation: Observation, slot: string, digest: Digest, fresh: boolean): boolean {
  const seen = observation.slots[slot];
  return seen?.digest === digest && (seen.state === 'valid' || (seen.state === 'modified' && !fresh));
}

/** Never the slot that runs and never the boot default; one without an image before one that would be lost. */
function freeSlot(observation: Observation, slots: readonly string[]): string | null {
  const candidates = slots.filter((slot) => slot !== observation.slot && slot !== observation.bootDefault);
  const isBare = (slot: string) => !['valid', 'modified'].includes(observation.slots[slot]?.state ?? 'empty');
  return candidates.find(isBare) ?? candidates[0] ?? null;
}
