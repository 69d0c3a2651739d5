import type { Digest } from './digest.ts';

/** `install` flashes a disk from the installer; `switch` brings a running host to another image. */
export type AttemptKind = 'install' | 'switch';

/**
 * The steps of each kind, in the order in which an attempt moves. Steps may be skipped, for a report can be lost; none is taken
 * back, but a jump that the machine was restarted before.
 */
export const PHASES = {
  install: ['pending', 'claimed', 'writing', 'installed', 'confirming'],
  switch: ['pending', 'staging', 'staged', 'switching', 'confirming'],
} as const satisfies Record<AttemptKind, readonly string[]>;

export type AttemptPhase = (typeof PHASES)[AttemptKind][number];

/** `superseded`: another assignment or reinstall took its place before it ended. */
export type AttemptOutcome = 'succeeded' | 'failed' | 'rolled-back' | 'superseded';

/**
 * How the one power cycle of an attempt stands. `begun` is written before the hook runs: a server that ends in between never runs
 * it twice, and cannot know whether it did its work.
 */
export const POWER_STEPS = ['queued', 'begun', 'done', 'failed'] as const;
export type PowerStep = (typeof POWER_STEPS)[number];

/** How far the present work is; `bytesDone` never exceeds `bytesTotal`. */
export type Progress = { readonly phase: string; readonly bytesDone: number; readonly bytesTotal: number };

/** Second record of a host: one try to bring it to an image. Its digest is frozen; it ends exactly once. */
export type Attempt = {
  readonly id: string;
  readonly hostId: string;
  readonly kind: AttemptKind;
  readonly digest: Digest;
  /** What the operator wrote, shown to people. */
  readonly ref: string;
  /** Who or what began it: `operator: assign`, `operator: reinstall`, … */
  readonly cause: string;
  /** The rollout that ordered it; null: somebody else. */
  readonly rolloutId: string | null;
  /** The installer may overwrite a disk that holds foreign data. */
  readonly wipe: boolean;
  /** Write the slot anew even if one holds the image already. */
  readonly fresh: boolean;
  /** The last boot that worked on it before the jump: only another boot id proves that the machine has jumped. */
  readonly workBootId: string | null;
  /** The disk that the installer has written, as it names it; null: it has not said so. */
  readonly workDisk: string | null;
  readonly phase: AttemptPhase;
  readonly progress: Progress | null;
  readonly outcome: AttemptOutcome | null;
  /** Why it ended as it did, or what it waits for. */
  readonly reason: string;
  /** All times: milliseconds since 1970. */
  readonly createdAt: number;
  readonly phaseAt: number;
  /** When the ticker ends it as failed; null while it may wait for ever (a machine that is switched off). */
  readonly deadline: number | null;
  readonly endedAt: number | null;
  /** Its one power cycle; null: none. */
  readonly power: PowerStep | null;
};

export type OpenAttempt = Attempt & { readonly outcome: null };

export function isOpen(attempt: Attempt | null): attempt is OpenAttempt {
  return attempt !== null && attempt.outcome === null;
}

/** The host said that it jumps; nobody knows where it is until it reports again. */
export function isJumping({ phase }: Attempt): boolean {
  return phase === 'installed' || phase === 'switching';
}

/** @returns true when the attempt has reached `phase` or a later one. */
export function hasReached(attempt: Pick<Attempt, 'kind' | 'phase'>, phase: AttemptPhase): boolean {
  return rank(attempt.kind, attempt.phase) >= rank(attempt.kind, phase);
}

/** -1 for a phase that this kind of attempt does not have. */
function rank(kind: AttemptKind, phase: AttemptPhase): number {
  return (PHASES[kind] as readonly AttemptPhase[]).indexOf(phase);
}

export function begin(
  facts: Pick<
    Attempt,
    'id' | 'hostId' | 'kind' | 'digest' | 'ref' | 'cause' | 'rolloutId' | 'wipe' | 'fresh' | 'workBootId'
  >,
  now: number,
): OpenAttempt {
  return {
    ...facts,
    phase: 'pending',
    workDisk: null,
    progress: null,
    outcome: null,
    reason: facts.kind === 'install' ? 'waits for the machine to netboot' : 'waits for the agent to ask',
    createdAt: now,
    phaseAt: now,
    deadline: null,
    endedAt: null,
    power: null,
  };
}

/** Ends an open attempt; an ended one stays as it is, whatever is said later. */
export function end(attempt: OpenAttempt, outcome: AttemptOutcome, reason: string, now: number): Attempt {
  return { ...attempt, outcome, reason, deadline: null, endedAt: now };
}
