import { InvalidArgumentError } from 'commander';
import {
  begunRolloutSchema,
  rolloutHostsSchema,
  rolloutListSchema,
  rolloutPlanSchema,
  rolloutSchema,
} from '../contract/rollouts.ts';
import { texts, timeSpan } from './arguments.ts';
import { CliError } from './cli-error.ts';
import { segment } from './client.ts';
import type { Cli } from './command.ts';
import { followRollout } from './follow-rollout.ts';
import { everyPage } from './pages.ts';
import {
  leftOutCount,
  leftOutLines,
  planText,
  rolloutDetails,
  rolloutHostTable,
  rolloutTable,
} from './rollout-view.ts';
import { type Session, tableWidth } from './session.ts';

const PATH = '/api/v1/rollouts';
const pathOf = (id: string, step = '') => `${PATH}/${segment(id)}${step}`;
const FOLLOWED = { runningServer: 'one started for this command alone cannot be reached by any host' };

type Amount = number | string;
interface StartOptions {
  readonly selector?: string;
  readonly mac?: readonly string[];
  readonly all?: boolean;
  readonly name?: string;
  readonly waves?: readonly Amount[];
  readonly maxUnavailable?: Amount;
  readonly failureThreshold?: Amount;
  readonly soak?: number;
  readonly skipAfter?: number;
  readonly fresh?: boolean;
  readonly reason?: string;
  readonly dryRun?: boolean;
  readonly watch?: boolean;
}

/** Many hosts, in waves. */
export function addRollout({ program, run }: Cli): void {
  const rollout = program.command('rollout').description('Bring many hosts to an image, in waves.');
  rollout
    .command('start')
    .description('Begin one.')
    .argument('<image>', 'NAME, NAME:TAG or digest; resolved now and frozen')
    .option('--selector <selector>', 'hosts with these labels: pool=web, "rack in (r1, r2)", !spare')
    .option('--mac <mac>', 'this host; may be repeated, and is the order in which they are taken', texts)
    .option('--all', 'every approved host')
    .option('--waves <amounts>', 'hosts reached at the end of each wave (default: 1,10%,50%,100%)', amounts)
    .option('--max-unavailable <n|n%>', 'on their way at once (default: 10%)', amount)
    .option('--failure-threshold <n|n%>', 'pause at so many failures (default: 5%)', amount)
    .option('--soak <time>', 'rest after each wave: 0, 5m, 2h (default: 5m)', timeOrNothing)
    .option(
      '--skip-after <time>',
      'do not wait for a host that was not seen for so long (default: 10m)',
      timeSpan,
    )
    .option('--fresh', 'write the slot anew even if one holds the image')
    .option('--name <name>', 'shown in lists')
    .option('--reason <text>', 'told in events')
    .option('--dry-run', 'only say which hosts fall in which wave')
    .option('--watch', 'follow to the end; exit 1 if a host failed, or it pauses')
    .addHelpText(
      'after',
      '\nExample: warmboot rollout start debian-13:next --selector pool=web --waves 1,10%,100% --soak 15m --watch',
    )
    .action((image: string, options: StartOptions) =>
      run(options.watch ? FOLLOWED : {}, (session) => start(session, image, options)),
    );
  rollout
    .command('list')
    .description('List them, the newest first.')
    .action(() =>
      run({}, async ({ client, json, print, printJson, say, world }) => {
        const found = await everyPage(client, PATH, new URLSearchParams(), 'rollouts', rolloutListSchema);
        if (json) printJson(found.raw);
        else if (found.data.length > 0) print(rolloutTable(found.data, world.now(), tableWidth(world)));
        else say('There are no rollouts. Begin one: warmboot rollout start IMAGE --selector …');
        return 0;
      }),
    );
  rollout
    .command('show')
    .description('How far one is, and what it waits for.')
    .argument('<id>')
    .option('--hosts', 'each host, with where it stands and why')
    .option('--watch', 'follow to the end; exit 1 if a host failed, or it pauses')
    .action((id: string, options: { hosts?: boolean; watch?: boolean }) =>
      run(options.watch ? FOLLOWED : {}, (session) => show(session, id, options)),
    );
  const told = (name: string, about: string) =>
    rollout.command(name).description(about).argument('<id>').option('--reason <text>', 'told in events');
  told('pause', 'Order nothing more until it is resumed.').action((id: string, body: object) =>
    run({}, (session) => act(session, id, 'pause', body)),
  );
  told('resume', 'Go on; the failures so far are accepted.')
    .option('--retry', 'order the hosts once more that failed or rolled back')
    .action((id: string, body: object) => run({}, (session) => act(session, id, 'resume', body)));
  told('abort', 'End it: orders that no host has acted on are taken back.').action(
    (id: string, body: object) => run({}, (session) => act(session, id, 'abort', body)),
  );
  told(
    'rollback',
    'End it, and bring its hosts back to what they ran before, within the same limits.',
  ).action((id: string, body: object) => run({}, (session) => rollBack(session, id, body)));
}

async function start(session: Session, image: string, options: StartOptions): Promise<number> {
  const { client, json, print, tell, printJson } = session;
  const { selector, mac, all, dryRun, watch, soak, skipAfter, ...rest } = options;
  if ([selector, mac, all].filter((each) => each !== undefined).length !== 1 || selector === '')
    throw new CliError('say which hosts: one of --selector, --mac and --all. See --help.', 2);
  const body = {
    image,
    ...(mac ? { macs: mac } : { selector: selector ?? '' }),
    ...(soak !== undefined && { soakSeconds: soak }),
    ...(skipAfter !== undefined && { skipAfterSeconds: skipAfter }),
    ...rest,
  };
  if (dryRun) {
    const { raw, data } = await client.send('POST', `${PATH}?dryRun=true`, rolloutPlanSchema, body);
    if (json) printJson(raw);
    else print(planText(data));
    return 0;
  }
  const { raw, data } = await client.send('POST', PATH, begunRolloutSchema, body);
  if (watch) return followRollout(session, data.id, null);
  if (json) printJson(raw);
  else
    tell(
      `rollout ${data.id} has begun: ${data.hosts} hosts in ${data.waveCount} waves${leftOutCount(data.leftOut)}. Follow it with: warmboot rollout show ${data.id} --watch`,
    );
  return 0;
}

async function show(
  session: Session,
  id: string,
  { hosts, watch }: { hosts?: boolean; watch?: boolean },
): Promise<number> {
  const { client, json, print, printJson, world } = session;
  if (watch) return followRollout(session, id, null);
  const { raw, data } = await client.get(pathOf(id), rolloutSchema);
  if (!hosts) {
    if (json) printJson(raw);
    else print(rolloutDetails(data, world.now()));
    return 0;
  }
  const query = new URLSearchParams({ limit: '1000' });
  const found = await everyPage(client, pathOf(id, '/hosts'), query, 'hosts', rolloutHostsSchema);
  if (json) printJson({ ...(raw as object), ...(found.raw as object), next: undefined });
  else
    print(
      `${rolloutDetails(data, world.now())}\n${rolloutHostTable(found.data, world.now(), tableWidth(world))}`,
    );
  return 0;
}

async function act(
  { client, json, printJson, tell }: Session,
  id: string,
  what: 'pause' | 'resume' | 'abort',
  body: object,
): Promise<number> {
  const { raw, data } = await client.send('POST', pathOf(id, `/${what}`), rolloutSchema, body);
  if (json) printJson(raw);
  else tell(`rollout ${data.id} is ${data.status}: ${data.reason}`);
  return 0;
}

async function rollBack(
  { client, json, tell, printJson, say }: Session,
  id: string,
  body: object,
): Promise<number> {
  const { raw, data } = await client.send('POST', pathOf(id, '/rollback'), begunRolloutSchema, body);
  for (const line of leftOutLines(data.leftOut)) say(line);
  if (json) printJson(raw);
  else
    tell(
      `rollout ${data.id} brings ${data.hosts} ${data.hosts === 1 ? 'host' : 'hosts'} back${leftOutCount(data.leftOut)}. Follow it with: warmboot rollout show ${data.id} --watch`,
    );
  return 0;
}

function amount(text: string): Amount {
  if (/^[1-9]\d{0,6}$/.test(text)) return Number(text);
  if (/^\d{1,3}(\.\d{1,2})?%$/.test(text)) return text;
  throw new InvalidArgumentError('It is a number of hosts, or a share like 10%.');
}

function amounts(text: string): Amount[] {
  return text.split(',').map((each) => amount(each.trim()));
}

function timeOrNothing(text: string): number {
  return text === '0' ? 0 : timeSpan(text);
}
