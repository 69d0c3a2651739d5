import { attemptListSchema, type attemptSchema, hostSchema } from '../contract/hosts.ts';
import { duration } from '../words/quantity.ts';
import { CliError, InterruptedError } from './cli-error.ts';
import { type Client, segment } from './client.ts';
import { everyPage } from './pages.ts';
import { type Progress, progressOn } from './progress.ts';
import type { Session } from './session.ts';
import { clean } from './text.ts';
import { untilOver } from './until-over.ts';

/** As the API shows it. */
export type AttemptView = Extract<ReturnType<typeof attemptSchema.safeParse>, { success: true }>['data'];

/** All of a host, oldest first. */
export async function attemptsOf(client: Client, mac: string): Promise<readonly AttemptView[]> {
  const path = `/api/v1/hosts/${segment(mac)}/attempts`;
  // A server from before it had pages says nothing of a next one.
  const schema = attemptListSchema.partial({ next: true });
  return (await everyPage(client, path, new URLSearchParams(), 'attempts', schema)).data;
}

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
  const { json, tell, printJson } = session;
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
  if (ended.outcome !== 'succeeded') throw new CliError(clean(sentence(mac, ended, took)));
  if (!json) tell(`${mac} runs ${ended.image} (${ended.digest}) after ${took}.`);
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

function end(
  session: Session,
  mac: string,
  id: string,
  timeoutSeconds: number | null,
  progress: Progress,
): Promise<AttemptView> {
  let phase = '';
  return untilOver(
    session,
    progress,
    timeoutSeconds,
    () => read(session.client, mac, id),
    (attempt) => {
      if (attempt.outcome !== null) return true;
      phase = attempt.phase;
      show(attempt, progress);
      return false;
    },
    () =>
      `${mac} is not done after ${timeoutSeconds} s${phase === '' ? '' : `, it is in phase ${clean(phase)}`}; it goes on. Look at it with: warmboot host ${mac}`,
  );
}

async function read(client: Client, mac: string, id: string): Promise<AttemptView> {
  const path = `/api/v1/hosts/${segment(mac)}`;
  const { data: host } = await client.get(path, hostSchema);
  if (host.attempt?.id === id) return host.attempt;
  const found = (await attemptsOf(client, mac)).find((attempt) => attempt.id === id);
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
