import { begunRolloutSchema, rolloutPlanSchema } from '../contract/rollouts.ts';
import type { OrderOptions } from './assign.ts';
import { CliError } from './cli-error.ts';
import { followRollout } from './follow-rollout.ts';
import { leftOutCount, planText } from './rollout-view.ts';
import type { Session } from './session.ts';

const PATH = '/api/v1/rollouts';

/** All at once, and nothing pauses it: who wants waves and limits starts a rollout. */
const AT_ONCE = {
  waves: ['100%'],
  maxUnavailable: '100%',
  failureThreshold: 1_000_000,
  soakSeconds: 0,
} as const;

export interface ManyOptions extends OrderOptions {
  readonly fresh?: boolean;
  readonly yes?: boolean;
}

/** `assign` for a selector: a rollout of one wave. On a terminal one has to have seen how many hosts that is. */
export async function assignMany(
  session: Session,
  selector: string,
  image: string,
  { wait, timeout, fresh, yes, revision }: ManyOptions,
): Promise<number> {
  const { client, json, tell, printJson, say, world } = session;
  if (selector.trim() === '') throw new CliError('The selector is empty: name a MAC, or labels.', 2);
  if (revision !== undefined)
    throw new CliError('--revision is of one host: name its MAC, or leave it out.', 2);
  const body = { image, selector, ...AT_ONCE, ...(fresh && { fresh }), reason: `assign ${selector}` };
  if (world.stdout.isTTY && !yes) {
    const { data } = await client.send('POST', `${PATH}?dryRun=true`, rolloutPlanSchema, body);
    for (const line of planText(data).trimEnd().split('\n')) say(line);
    throw new CliError(
      `${data.hosts === 1 ? 'that is 1 host' : `that is ${data.hosts} hosts, all at once`}: say --yes to do it, or use rollout start for waves. Nothing was changed.`,
      2,
    );
  }
  const { raw, data } = await client.send('POST', PATH, begunRolloutSchema, body);
  if (wait) {
    say(`rollout ${data.id}: ${data.hosts} hosts to ${image}`);
    return followRollout(session, data.id, timeout ?? null);
  }
  if (json) printJson(raw);
  else
    tell(
      `${data.hosts} hosts are ordered to ${image}${leftOutCount(data.leftOut)}: rollout ${data.id}. See warmboot rollout show ${data.id}`,
    );
  return 0;
}
