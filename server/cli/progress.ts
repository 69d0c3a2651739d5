import { LiveProgress } from './live-progress.ts';
import { PlainProgress } from './plain-progress.ts';
import type { CliWorld } from './world.ts';

/** How far something is that takes a while. */
export interface Step {
  readonly phase: string;
  readonly message: string;
  readonly stepsDone?: number | undefined;
  readonly stepsTotal?: number | undefined;
  readonly bytesDone?: number | undefined;
  /** Left out while nobody knows it. */
  readonly bytesTotal?: number | undefined;
}

/** Shows steps on stderr while one waits. */
export interface Progress {
  step(step: Step): void;
  /** A line between the steps that stays. */
  note(text: string): void;
  /** Ends the display; afterwards stderr is free for other lines. */
  end(outcome: 'done' | 'failed'): void;
}

/** What only somebody who looks on wants to know is said on a terminal alone: a nightly job is not to be mailed of each good night. */
export function isLookedAt({ stderr }: Pick<CliWorld, 'stderr'>): boolean {
  return stderr.isTTY;
}

/** Of what moves bytes: told to who looks on. */
export function transferProgressOn(world: CliWorld): Progress {
  return isLookedAt(world) ? progressOn(world) : new QuietProgress(world.stderr, world.now);
}

/** Trouble is told everywhere. */
class QuietProgress extends PlainProgress {
  override step(): void {}
}

/** Of what others do and one waits for: one line that changes, where stderr is a terminal that can; elsewhere lines, few enough for a log. */
export function progressOn({ stderr, env, now }: CliWorld): Progress {
  const isLive = stderr.isTTY && env.TERM !== 'dumb';
  return isLive ? new LiveProgress(stderr, now) : new PlainProgress(stderr, now);
}
