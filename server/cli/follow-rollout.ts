import { type RolloutView, rolloutSchema } from '../contract/rollouts.ts';
import { duration } from '../words/quantity.ts';
import { CliError, InterruptedError } from './cli-error.ts';
import { type Answer, segment } from './client.ts';
import { listen } from './news.ts';
import { progressOn } from './progress.ts';
import { countsText, wavePlace } from './rollout-view.ts';
import type { Session } from './session.ts';
import { untilOver } from './until-over.ts';

/**
 * Waits for the end of a rollout and shows on the way how far it is. One that pauses waits for a human: that is an end too.
 * @param timeoutSeconds null: as long as it takes
 * @returns the exit code: 0 only if no host failed and some came to run the image
 */
export async function followRollout(
  session: Session,
  id: string,
  timeoutSeconds: number | null,
): Promise<number> {
  const { client, world, json, print, printJson } = session;
  const progress = progressOn(world);
  const news = listen(session, new URLSearchParams());
  const look = `Look at it with: warmboot rollout show ${id} --hosts`;
  let last: Answer<RolloutView>;
  let outcome: 'done' | 'failed' = 'failed';
  try {
    last = await untilOver(
      session,
      progress,
      timeoutSeconds,
      () => client.get(`/api/v1/rollouts/${segment(id)}`, rolloutSchema),
      ({ data }) => {
        const message = `${countsText(data.states, data.hosts)}: ${data.reason}`;
        progress.step({ phase: wavePlace(data), message });
        return !['running', 'aborting'].includes(data.status);
      },
      () => `rollout ${id} is not over after ${timeoutSeconds} s; it goes on. ${look}`,
      news,
    );
    if (isGood(last.data)) outcome = 'done';
  } catch (error) {
    if (error instanceof InterruptedError)
      throw new InterruptedError(`no longer following; rollout ${id} goes on. ${look}`);
    throw error;
  } finally {
    news.stop();
    progress.end(outcome);
  }
  const { raw, data } = last;
  if (json) printJson(raw);
  const counts = countsText(data.states, data.hosts);
  if (data.status === 'paused')
    throw new CliError(
      `rollout ${id} is ${data.reason}. Go on with: warmboot rollout resume ${id} [--retry], or end it with rollout abort or rollout rollback.`,
    );
  if (!isGood(data)) throw new CliError(`rollout ${id} is ${data.status}: ${counts}. ${look}`);
  if (!json)
    print(`rollout ${id}: ${counts} after ${duration((data.endedAt ?? world.now()) - data.createdAt)}.\n`);
  return 0;
}

function isGood({ status, states }: RolloutView): boolean {
  return status === 'finished' && states.failed === 0 && states['rolled-back'] === 0 && states.succeeded > 0;
}
