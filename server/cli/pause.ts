import { setTimeout } from 'node:timers/promises';
import { InterruptedError } from './cli-error.ts';

/** @throws InterruptedError when the user pressed Ctrl-C meanwhile */
export async function pause(ms: number, signal: AbortSignal): Promise<void> {
  try {
    await setTimeout(ms, undefined, { signal });
  } catch {
    throw new InterruptedError();
  }
}
