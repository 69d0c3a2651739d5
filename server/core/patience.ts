import type { AttemptPhase } from './attempt.ts';
import type { Enrolment } from './host.ts';

/** How long each phase may take without a word, in milliseconds. */
export type Patience = {
  /** A claim that no report follows is released, so that an installer which lost its token can claim again. */
  readonly claimMs: number;
  /** Writing an image, counted from the last progress. */
  readonly writeMs: number;
  /** From the word "I jump" to the word "I am up": a trial of `trialMs`, a firmware POST of 20 minutes, and some. */
  readonly jumpMs: number;
  /** The trial that `jumpMs` has room for; a host whose own trial is longer gets the difference. */
  readonly trialMs: number;
};

export const PATIENCE: Patience = {
  claimMs: 3 * 60_000,
  writeMs: 60 * 60_000,
  jumpMs: 45 * 60_000,
  trialMs: 10 * 60_000,
};

/** The patience with one host: a longer trial of its own takes longer to come back from. */
export function patienceWith(
  { trialSeconds }: Pick<Enrolment, 'trialSeconds'>,
  patience: Patience,
): Patience {
  const moreMs = (trialSeconds ?? 0) * 1000 - patience.trialMs;
  return moreMs > 0 ? { ...patience, jumpMs: patience.jumpMs + moreMs } : patience;
}

/** Which patience each phase has; null: it may wait for ever. */
export const PATIENCE_OF = {
  // A machine may be switched off.
  pending: null,
  claimed: 'claimMs',
  writing: 'writeMs',
  staging: 'writeMs',
  // A pre-switch hook may postpone the jump for as long as production needs the machine.
  staged: null,
  installed: 'jumpMs',
  switching: 'jumpMs',
  confirming: 'jumpMs',
} as const satisfies Record<AttemptPhase, 'claimMs' | 'writeMs' | 'jumpMs' | null>;

/** When an attempt that has just moved to `phase` shall be looked at again; null: it may wait for ever. */
export function deadlineAfter(phase: AttemptPhase, now: number, patience: Patience): number | null {
  const which = PATIENCE_OF[phase];
  return which === null ? null : now + patience[which];
}
