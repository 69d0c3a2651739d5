import { attemptSchema, hostSchema } from '../contract/admin-plane.ts';
import { CliError, InterruptedError, UnreachableError } from './cli-error.ts';
import { type Client, type Schema, segment } from './client.ts';
import { pause } from './pause.ts';
import { type Progress, progressOn } from './progress.ts';
import { duration } from './quantity.ts';
import type { Session } from './session.ts';

const POLL_MS = 1000;

/** As the API shows it. */
export type AttemptView = Extract<ReturnType<typeof attemptSchema.safeParse>, { success: true }>['data'];

/** The answer of `/hosts/MAC/attempts`, oldest first. */
export const attemptsSchema: Schema<readonly AttemptView[]> = {
  safeParse: (value) =>
    attemptSchema
      .array()
      .safeParse(
        typeof value === 'object' && value !== null && 'attempts' in value ? value.attempts : undefined,
      ),
};

/**
 * Waits for the end of an attempt and shows on the way what it does.
 * @param timeoutSeconds null: as long as it takes
 * @returns the exit code: 0 only if it succeeded
 */
export async function followAttempt(
  session: Session,
  mac: string,
  id: string,
  timeoutSeconds: number | null,
): Promise<number> {
  const { json, print, printJson } = session;
  const progress = progressOn(session.world);
  let outcome: 'done' | 'failed' = 'failed';
  let ended: AttemptView;
  try {
    ended = await end(session, mac, id, timeoutSeconds, progress);
    if (ended.outcome === 'succeeded') outcome = 'done';
  } catch (error) {
    if (error instanceof InterruptedError)
      throw new InterruptedError(
        `no longer following; ${mac} goes on. Look at it with: warmboot host ${mac}`,
      );
    throw error;
  } finally {
    progress.end(outcome);
  }
  if (json) printJson(ended);
  const took = duration((ended.endedAt ?? session.world.now()) - ended.createdAt);
  if (ended.outcome !== 'succeeded') throw new CliError(sentence(mac, ended, took));
  if (!json) print(`${mac} runs ${ended.image} (${ended.digest}) after ${took}.\n`);
  return 0;
}

function sentence(mac: string, { image, outcome, reason, phase }: AttemptView, took: string): string {
  switch (outcome) {
    case 'rolled-back':
      return `${mac} was rolled back from ${image} after ${took}: ${reason}. Look at it with: warmboot host ${mac}`;
    case 'superseded':
      return `another order took the place of ${image} on ${mac}: ${reason}.`;
    default:
      return `${image} failed on ${mac} in phase ${phase} after ${took}: ${reason}. Once mended: warmboot retry ${mac}`;
  }
}

async function end(
  session: Session,
  mac: string,
  id: string,
  timeoutSeconds: number | null,
  progress: Progress,
): Promise<AttemptView> {
  const { client, world } = session;
  const latest = timeoutSeconds === null ? Number.POSITIVE_INFINITY : world.now() + timeoutSeconds * 1000;
  let isAway = false;
  let phase = '';
  for (;;) {
    try {
      const attempt = await read(client, mac, id);
      if (isAway) progress.note('the server is back');
      isAway = false;
      if (attempt.outcome !== null) return attempt;
      phase = attempt.phase;
      show(attempt, progress);
    } catch (error) {
      if (!(error instanceof UnreachableError)) throw error;
      // A host goes on without its server; so does the wait.
      if (!isAway) progress.note(`${error.message} Trying on.`);
      isAway = true;
    }
    const left = latest - world.now();
    if (left <= 0)
      throw new CliError(
        `${mac} is not done after ${timeoutSeconds} s${phase === '' ? '' : `, it is in phase ${phase}`}; it goes on. Look at it with: warmboot host ${mac}`,
      );
    await pause(Math.min(POLL_MS, left), world.signal);
  }
}

async function read(client: Client, mac: string, id: string): Promise<AttemptView> {
  const path = `/api/v1/hosts/${segment(mac)}`;
  const { data: host } = await client.get(path, hostSchema);
  if (host.attempt?.id === id) return host.attempt;
  const { data: attempts } = await client.get(`${path}/attempts`, attemptsSchema);
  const found = attempts.find((attempt) => attempt.id === id);
  if (!found) throw new CliError(`${mac} knows nothing of attempt ${id}: was the host removed meanwhile?`);
  return found;
}

function show({ phase, progress, reason }: AttemptView, on: Progress): void {
  if (progress === null || progress.bytesTotal === 0) on.step({ phase, message: reason });
  else
    on.step({
      phase,
      message: progress.phase,
      bytesDone: progress.bytesDone,
      bytesTotal: progress.bytesTotal,
    });
}
