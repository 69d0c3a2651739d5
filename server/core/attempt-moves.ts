import type { Attempt, AttemptKind, AttemptOutcome, AttemptPhase } from './attempt.ts';
import type { Claim, Observation } from './host.ts';
import type { Patience } from './patience.ts';
import type { Report, ReportKind } from './report.ts';

/**
 * What can move an attempt: a claim, a report that names it, `image-runs` (a boot of its image reported for another attempt or
 * for none), `unknown-attempt` (a running OS names an attempt that the database does not know), an operator's `order` or
 * `retire`, a passed `deadline`, a `restore` of the database from a backup.
 */
export const ATTEMPT_TRIGGERS = [
  'claim',
  'inventory',
  'progress',
  'installed',
  'staged',
  'switching',
  'booted',
  'confirmed',
  'rolled-back',
  'failed',
  'image-runs',
  'unknown-attempt',
  'order',
  'retire',
  'deadline',
  'restore',
] as const satisfies readonly (ReportKind | string)[];
export type AttemptTrigger = (typeof ATTEMPT_TRIGGERS)[number];

/** What the conditions of the table look at. */
export type AttemptFacts = {
  readonly now: number;
  readonly patience?: Patience;
  readonly report?: Report;
  /** What the machine had said before that report. */
  readonly observation?: Observation | null;
  readonly claim?: Claim | null;
  /** The power of a machine can be cycled. */
  readonly hasPowerHook?: boolean;
  readonly isHeld?: boolean;
};

const CONDITIONS = {
  'it names another image': ({ digest }, { report }) => report?.digest !== digest,
  'it names no image': (_, { report }) => !report?.digest,
  'it names the image': ({ digest }, { report }) => report?.digest === digest,
  'it is the boot that did the work': ({ workBootId }, { report }) => report?.bootId === workBootId,
  'it is a later boot than the one that did the work': ({ workBootId }, { report }) =>
    report?.bootId !== workBootId,
  'it comes from another disk than the one that was installed': ({ workDisk }, { report }) =>
    typeof workDisk === 'string' && typeof report?.disk === 'string' && report.disk !== workDisk,
  'this boot runs another image': ({ digest }, { report, observation }) =>
    observation?.bootId === report?.bootId &&
    observation?.environment === 'os' &&
    observation.digest !== null &&
    observation.digest !== digest,
  'the boot default is another slot': (_, { report }) =>
    report !== undefined && report.bootDefault !== null && report.bootDefault !== report.slot,
  'it is on trial': (_, { report }) => report?.trial === true,
  'the order wants fresh bytes': ({ fresh }) => fresh,
  'an operator holds the host': (_, { isHeld }) => isHeld === true,
  'no report came with the claim': ({ id }, { claim }) =>
    claim?.claimedFor === id && claim.standing === 'new',
  // Anybody may have spoken for a host that has no token.
  'its power can be cycled': ({ power }, { hasPowerHook, claim, isHeld }) =>
    hasPowerHook === true && isHeld !== true && power === null && claim !== null && claim !== undefined,
  'its power was cycled': ({ power }) => power === 'done',
  'its power was to be cycled': ({ power }) => power !== null,
  'there is time left to write': ({ phaseAt }, { now, patience }) =>
    patience !== undefined && now < phaseAt + patience.writeMs,
} as const satisfies Record<string, (attempt: Attempt, facts: AttemptFacts) => boolean>;
export type AttemptCondition = keyof typeof CONDITIONS;

/**
 * `power-cycle`: in the phase that it has, until that was done and helped, or did not. `stays`: taken, in the phase that it has, with a new deadline. `lapsed`: it waits for another claim, for ever. `unmoved`:
 * it says nothing of the attempt. `refused`: it cannot be, and nothing of the attempt changes.
 */
export type AttemptMove = {
  readonly on: AttemptTrigger | 'anything';
  /** Both kinds when left out. */
  readonly kind?: AttemptKind;
  /** Every open phase when left out. */
  readonly from?: readonly (AttemptPhase | 'ended')[];
  readonly when?: AttemptCondition;
  readonly to: AttemptPhase | AttemptOutcome | 'stays' | 'power-cycle' | 'lapsed' | 'unmoved' | 'refused';
  /** Why it moves, or why it does not. Where the host gave a reason for an end, that one is kept. */
  readonly reason: string;
};

/** The old disk of a host that was installed on another one: whatever runs there, it is not what was ordered. */
const STARTED_ELSEWHERE = {
  kind: 'install',
  when: 'it comes from another disk than the one that was installed',
  to: 'failed',
  reason:
    "the machine was started from another disk than the one that was installed: let its firmware start that one first, or take the other's boot loader away",
} as const satisfies Partial<AttemptMove>;

/** The moves of an attempt: the first line that fits decides. A test holds that one fits whatever happens. */
export const ATTEMPT_MOVES: readonly AttemptMove[] = [
  { on: 'anything', from: ['ended'], to: 'refused', reason: 'its attempt has ended' },

  {
    on: 'claim',
    kind: 'install',
    from: ['pending', 'claimed'],
    to: 'claimed',
    reason: 'the installer has claimed the host',
  },
  {
    on: 'claim',
    kind: 'install',
    from: ['writing'],
    to: 'stays',
    reason: 'the installer has claimed the host anew',
  },
  { on: 'claim', kind: 'install', to: 'refused', reason: 'it is installed: nothing is left to be claimed' },
  { on: 'claim', kind: 'switch', to: 'refused', reason: 'a switch is not claimed: the host has its token' },

  { on: 'inventory', to: 'unmoved', reason: 'observed' },

  {
    on: 'progress',
    kind: 'install',
    from: ['pending', 'claimed', 'writing'],
    to: 'writing',
    reason: 'is being written',
  },
  { on: 'progress', kind: 'switch', from: ['pending', 'staging'], to: 'staging', reason: 'is being written' },
  { on: 'progress', to: 'refused', reason: 'came late: it was written already' },

  { on: 'installed', kind: 'switch', to: 'refused', reason: 'contradicts: this attempt installs nothing' },
  {
    on: 'installed',
    when: 'it names another image',
    to: 'refused',
    reason: 'contradicts: another image was installed',
  },
  {
    on: 'installed',
    from: ['pending', 'claimed', 'writing', 'installed'],
    to: 'installed',
    reason: 'every chunk was verified on the disk',
  },
  { on: 'installed', to: 'refused', reason: 'came late: the image was started already' },

  { on: 'staged', kind: 'install', to: 'refused', reason: 'contradicts: this attempt stages nothing' },
  {
    on: 'staged',
    when: 'it names another image',
    to: 'refused',
    reason: 'contradicts: another image was staged',
  },
  {
    on: 'staged',
    from: ['pending', 'staging', 'staged'],
    to: 'staged',
    reason: 'every chunk was verified in the slot',
  },
  // The only way back to an earlier phase. A host says so once an attempt.
  {
    on: 'staged',
    from: ['switching'],
    when: 'it is a later boot than the one that did the work',
    to: 'staged',
    reason: 'the machine was restarted before it had jumped, and is to jump again',
  },
  { on: 'staged', to: 'refused', reason: 'came late: the jump was begun already' },

  { on: 'switching', kind: 'install', to: 'refused', reason: 'contradicts: this attempt is an install' },
  {
    on: 'switching',
    from: ['pending', 'staging', 'staged', 'switching'],
    to: 'switching',
    reason: 'the host said that it jumps now',
  },
  { on: 'switching', to: 'refused', reason: 'came late: the image was started already' },

  { on: 'booted', ...STARTED_ELSEWHERE },
  { on: 'booted', when: 'it names another image', to: 'unmoved', reason: 'another image runs' },
  {
    on: 'booted',
    when: 'it is the boot that did the work',
    to: 'refused',
    reason: 'contradicts: the machine has not jumped since',
  },
  {
    on: 'booted',
    from: ['confirming'],
    to: 'unmoved',
    reason: 'the image was started before, and has to prove itself',
  },
  { on: 'booted', to: 'confirming', reason: 'the image runs and has to prove itself' },

  { on: 'confirmed', ...STARTED_ELSEWHERE },
  {
    on: 'confirmed',
    when: 'it names another image',
    to: 'refused',
    reason: 'contradicts: the image does not run, or the machine has not jumped',
  },
  {
    on: 'confirmed',
    when: 'it is the boot that did the work',
    to: 'refused',
    reason: 'contradicts: the image does not run, or the machine has not jumped',
  },
  {
    on: 'confirmed',
    when: 'this boot runs another image',
    to: 'refused',
    reason: 'contradicts: this boot runs another image',
  },
  {
    on: 'confirmed',
    when: 'the boot default is another slot',
    to: 'refused',
    reason: 'contradicts: the boot default was not moved',
  },
  { on: 'confirmed', to: 'succeeded', reason: 'healthy, and the boot default' },

  { on: 'rolled-back', when: 'it names the image', to: 'refused', reason: 'contradicts: the image runs' },
  { on: 'rolled-back', to: 'rolled-back', reason: 'the machine is back on the image it ran before' },

  { on: 'failed', to: 'failed', reason: 'the host gave no reason' },

  { on: 'image-runs', ...STARTED_ELSEWHERE },
  { on: 'image-runs', when: 'it names another image', to: 'unmoved', reason: 'another image runs' },
  {
    on: 'image-runs',
    when: 'it is the boot that did the work',
    to: 'refused',
    reason: 'the machine has not jumped since',
  },
  {
    on: 'image-runs',
    when: 'this boot runs another image',
    to: 'refused',
    reason: 'contradicts: this boot runs another image',
  },
  {
    on: 'image-runs',
    when: 'the order wants fresh bytes',
    to: 'refused',
    reason: 'the order wants fresh bytes',
  },
  { on: 'image-runs', when: 'it is on trial', to: 'refused', reason: 'the image has to prove itself' },
  { on: 'image-runs', to: 'succeeded', reason: 'the host runs the image, whatever brought it there' },

  { on: 'unknown-attempt', when: 'it names no image', to: 'refused', reason: 'no image of ours runs' },
  {
    on: 'unknown-attempt',
    kind: 'install',
    from: ['pending', 'claimed'],
    to: 'superseded',
    reason:
      'the OS on its disk speaks of an attempt that this database does not know, so the order is older than the disk; order a reinstall if it is meant',
  },
  {
    on: 'unknown-attempt',
    to: 'refused',
    reason: 'the host speaks of an attempt that this database does not know',
  },

  { on: 'order', to: 'superseded', reason: 'another order took its place' },
  { on: 'retire', to: 'superseded', reason: 'the host was retired' },
  {
    on: 'restore',
    to: 'failed',
    reason:
      'the database was restored from a backup, and what became of this attempt since is not known; order it again if it is still wanted',
  },

  {
    on: 'deadline',
    from: ['claimed'],
    when: 'no report came with the claim',
    to: 'lapsed',
    reason: 'the claim lapsed: no report followed it, and another may be made',
  },
  {
    on: 'deadline',
    from: ['claimed'],
    when: 'there is time left to write',
    to: 'stays',
    reason: 'reports, but writes nothing yet',
  },
  {
    on: 'deadline',
    from: ['claimed', 'writing', 'staging'],
    when: 'an operator holds the host',
    to: 'stays',
    reason: 'an operator holds the host',
  },
  { on: 'deadline', from: ['claimed'], to: 'failed', reason: 'nothing was heard of it while it was claimed' },
  { on: 'deadline', from: ['writing'], to: 'failed', reason: 'nothing was heard of it while it was writing' },
  { on: 'deadline', from: ['staging'], to: 'failed', reason: 'nothing was heard of it while it was staging' },
  {
    on: 'deadline',
    from: ['installed', 'switching'],
    when: 'its power can be cycled',
    to: 'power-cycle',
    reason: 'the host said that it jumps and did not come back in time: its power is to be cycled',
  },
  {
    on: 'deadline',
    from: ['installed', 'switching'],
    when: 'its power was cycled',
    to: 'failed',
    reason: 'the host said that it jumps and did not come back in time, not even after its power was cycled',
  },
  {
    on: 'deadline',
    from: ['installed', 'switching'],
    when: 'its power was to be cycled',
    to: 'failed',
    reason:
      'the host said that it jumps and did not come back in time, and its power was not cycled, or nobody knows; the event log says why',
  },
  {
    on: 'deadline',
    from: ['installed', 'switching'],
    to: 'failed',
    reason: 'the host said that it jumps and did not come back in time',
  },
  {
    on: 'deadline',
    from: ['confirming'],
    to: 'failed',
    reason: 'the image started and was not confirmed in time',
  },
  { on: 'deadline', to: 'unmoved', reason: 'it may wait for ever' },
];

/** The line of the table that decides. */
export function attemptMove(attempt: Attempt, on: AttemptTrigger, facts: AttemptFacts): AttemptMove {
  const state = attempt.outcome === null ? attempt.phase : 'ended';
  const found = ATTEMPT_MOVES.find(
    (move) =>
      (move.on === on || move.on === 'anything') &&
      (move.kind ?? attempt.kind) === attempt.kind &&
      (move.from === undefined ? state !== 'ended' : move.from.includes(state)) &&
      (move.when === undefined || CONDITIONS[move.when](attempt, facts)),
  );
  if (!found) throw new Error(`The table of moves says nothing of ${on} for ${attempt.kind} in ${state}.`);
  return found;
}
