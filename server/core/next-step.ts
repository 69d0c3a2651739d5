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
  /** What would change the answer, for people: it goes on behind "until". */
  readonly until: string;
};

/** The slot that an install fills: there is no reason to prefer another on an empty disk. */
export const FIRST_SLOT = 'a';

/**
 * Compares what a host shall run with what it was observed to run. Level-triggered: asked twice, it answers the
 * same; nothing is remembered but the three records.
 * @param slotCount how many slots the host's disk layout has
 */
export function nextStep(host: Host, slotCount: number): NextStep {
  const step = wanted(host, slotCount);
  const { held } = host.enrolment;
  if (held === null || step.action === 'none' || step.action === 'hold') return step;
  const seen = { slot: host.observation?.slot ?? null, digest: host.observation?.digest ?? null };
  return { ...step, ...seen, action: 'hold', reason: `held: ${held}`, until: 'an operator resumes it' };
}

/** What its records ask for, whether an operator holds the host or not. */
function wanted(host: Host, slotCount: number): NextStep {
  const { enrolment, attempt, observation } = host;
  const still: Still = (action, reason, until) => ({
    action,
    slot: observation?.slot ?? null,
    digest: observation?.digest ?? null,
    attempt: null,
    reason,
    until,
  });

  if (enrolment.status === 'retired')
    return still('none', 'the host is retired', 'an operator approves it again');
  if (enrolment.status === 'discovered')
    return still('hold', 'the host waits for approval', 'an operator approves it, or a rule does');
  if (enrolment.status === 'ignored')
    return still(
      'none',
      'the host is ignored: it boots its disk',
      'an operator approves it, or lets it wait again',
    );
  if (observation?.trial && observation.environment === 'os')
    return {
      ...still('hold', `slot ${observation.slot} is on trial`, 'it is confirmed, or the machine goes back'),
      attempt: isOpen(attempt) ? attempt : null,
    };
  if (isOpen(attempt)) {
    return attempt.kind === 'install'
      ? stepOfInstall(attempt, observation)
      : stepOfSwitch(attempt, observation, slotNames(slotCount), still);
  }
  if (enrolment.assignment === null) return still('none', 'no image is assigned', 'an operator assigns one');
  if (runs(observation, enrolment.assignment.digest))
    return still('none', 'the host runs its image', 'an operator assigns another');
  if (attempt?.digest === enrolment.assignment.digest && attempt.outcome === 'rolled-back')
    return still('hold', `rolled back: ${attempt.reason}`, FAILED);
  if (attempt?.digest === enrolment.assignment.digest && attempt.outcome === 'failed')
    return still('hold', `failed: ${attempt.reason}`, FAILED);
  if (observation?.wentBack != null) return still('hold', `went back: ${observation.wentBack}`, FAILED);
  return still(
    'hold',
    'the host runs another image than its own, and nobody has ordered a switch',
    'an operator assigns it an image',
  );
}

type Still = (action: 'none' | 'hold', reason: string, until: string) => NextStep;

const FAILED = 'an operator orders a retry, a rollback, or another image';
const PROVES = 'its agent has confirmed it, or the attempt has run out of time';

function runs(observation: Observation | null, digest: Digest): boolean {
  return observation?.environment === 'os' && observation.digest === digest;
}

function stepOfInstall(attempt: OpenAttempt, observation: Observation | null): NextStep {
  const step = { slot: FIRST_SLOT, digest: attempt.digest, attempt };
  if (attempt.phase === 'installed')
    return {
      ...step,
      action: 'none',
      reason: 'installed; the disk is to be booted',
      until: 'it has booted its disk',
    };
  const hasJumped = observation?.bootId !== attempt.workBootId;
  if (attempt.phase === 'confirming' || (hasJumped && !attempt.fresh && runs(observation, attempt.digest)))
    return { ...step, action: 'none', reason: 'installed; the image has to prove itself', until: PROVES };
  return {
    ...step,
    action: 'install',
    reason: `${attempt.ref} is to be installed`,
    until: 'the machine has netbooted and the installer has done it',
  };
}

function stepOfSwitch(
  attempt: OpenAttempt,
  observation: Observation | null,
  slots: readonly string[],
  still: Still,
): NextStep {
  const about = { digest: attempt.digest, attempt };
  const hold = (reason: string, until: string): NextStep => ({ ...still('hold', reason, until), attempt });
  if (observation === null || observation.slot === null)
    return hold(
      'the host has not said what it runs',
      'its agent reports a boot, or an operator orders a reinstall',
    );
  if (observation.disk === null)
    return hold('the host has not said which disk is its own', 'its agent reports its disk');
  if (!attempt.fresh && runs(observation, attempt.digest))
    return {
      ...about,
      action: 'none',
      slot: observation.slot,
      reason: 'the image runs and has to prove itself',
      until: PROVES,
    };
  const hasJumped = attempt.phase === 'switching' || attempt.phase === 'confirming';
  if (hasJumped && observation.bootId !== attempt.workBootId) {
    return runs(observation, attempt.digest)
      ? {
          ...about,
          action: 'none',
          slot: observation.slot,
          reason: 'the image runs and has to prove itself',
          until: PROVES,
        }
      : hold(
          'the host went to the image and came back without a word why',
          'the attempt has run out of time, or an operator gives another order',
        );
  }

  const wrote = attempt.phase === 'staged' || attempt.phase === 'switching';
  const holder = slots.find(
    (slot) => slot !== observation.slot && holds(observation, slot, attempt.digest, attempt.fresh),
  );
  if (holder && (!attempt.fresh || wrote))
    return {
      ...about,
      action: 'switch',
      slot: holder,
      reason: `slot ${holder} holds ${attempt.ref}`,
      until: 'its agent has jumped there',
    };
  const free = freeSlot(observation, slots);
  if (free === null)
    return hold('every slot runs or is the boot default', 'the slot that runs is the boot default');
  return {
    ...about,
    action: 'stage',
    slot: free,
    reason: `${attempt.ref} is to be written to slot ${free}`,
    until: 'its agent has written it',
  };
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
