import { type HostView, hostListSchema } from '../contract/hosts.ts';
import { percent } from '../words/quantity.ts';
import { texts } from './arguments.ts';
import type { Answer } from './client.ts';
import type { Cli } from './command.ts';
import { ImageNames } from './image-names.ts';
import { everyPage } from './pages.ts';
import { relative } from './quantity.ts';
import { type Session, tableWidth } from './session.ts';
import { table } from './table.ts';
import { type View, WATCH_HELP, watch, watchNeeds } from './watch.ts';

interface HostFilter {
  readonly state?: string;
  readonly label?: readonly string[];
  readonly image?: string;
  readonly profile?: string;
  readonly search?: string;
}

export function addHosts({ program, run }: Cli): void {
  program
    .command('hosts')
    .description('List the hosts, with what they run and what they do.')
    .option(
      '--state <states>',
      'only hosts in one of these states, with commas between: discovered, ignored, active, installing, failed, …',
    )
    .option(
      '--label <selector>',
      'only hosts with these labels: rack=r1, rack!=r1, "rack in (r1, r2)", spare, !spare; may be given more than once',
      texts,
    )
    .option('--image <image>', 'only hosts that shall run this image, or run it')
    .option('--profile <name>', 'only hosts that have this profile')
    .option(
      '--search <text>',
      'only hosts with this in a MAC, a label, the name of their image, vendor, product, serial or address',
    )
    .option('--watch', WATCH_HELP)
    .addHelpText('after', '\nExample: warmboot hosts --label "rack in (r1, r2),!spare" --state failed,hold')
    .action(({ watch: isWatched, ...filter }: HostFilter & { watch?: boolean }) =>
      run(watchNeeds(isWatched), async (session) => {
        const { client, json, print, printJson, say, world } = session;
        const query = hostQuery(filter);
        const read = () => everyPage(client, '/api/v1/hosts', query, 'hosts', hostListSchema);
        if (isWatched) return watch(session, async () => hostsView(session, await read()));
        const { raw, data: hosts } = await read();
        if (json) printJson(raw);
        else if (hosts.length > 0) {
          const names = await ImageNames.for(hosts, client);
          print(hostTable(hosts, names, world.now(), tableWidth(world)));
        } else if (query.size > 0) say('No host is like that.');
        else say('There are no hosts. Enrol one: warmboot enrol MAC --image IMAGE');
        return 0;
      }),
    );
}

async function hostsView({ client, world }: Session, { raw, data }: Answer<HostView[]>): Promise<View> {
  const names = await ImageNames.for(data, client);
  const sent = (raw as { hosts: unknown[] }).hosts;
  return {
    text: hostTable(data, names, world.now(), tableWidth(world)),
    rows: data.map((host, at) => ({
      key: host.mac,
      line: [host.mac, host.state, host.image?.ref ?? '-', running(host, names), activity(host)].join('  '),
      raw: sent[at],
    })),
  };
}

function hostQuery({ state, label = [], image, profile, search }: HostFilter): URLSearchParams {
  const query = new URLSearchParams();
  for (const selector of label) query.append('label', selector);
  if (state !== undefined) query.set('state', state);
  if (image !== undefined) query.set('image', image);
  if (profile !== undefined) query.set('profile', profile);
  if (search !== undefined) query.set('q', search);
  return query;
}

function hostTable(hosts: readonly HostView[], names: ImageNames, now: number, fitTo?: number): string {
  return table(
    [
      { title: 'HOST' },
      { title: 'STATE' },
      { title: 'IMAGE', least: 10, isDear: true },
      { title: 'RUNS', least: 10, isDear: true },
      { title: 'NOW', least: 12 },
      { title: 'SEEN' },
      { title: 'LABELS', least: 8 },
    ],
    hosts.map((host) => [
      host.mac,
      host.state,
      host.image?.ref ?? '-',
      running(host, names),
      activity(host),
      relative(host.lastSeen, now),
      labelText(host.labels) || '-',
    ]),
    fitTo,
  );
}

/** What the host itself said that it runs: `a debian-13`, `installer`, `-` before it said anything. */
function running(host: HostView, names: ImageNames): string {
  const { observation } = host;
  if (observation === null) return '-';
  if (observation.environment === 'installer') return 'installer';
  return [observation.slot, names.of(observation.digest, host)].filter((part) => part !== null).join(' ');
}

function activity({ attempt, next }: HostView): string {
  if (attempt === null || attempt.outcome !== null) return next.reason;
  const { progress } = attempt;
  if (progress === null || progress.bytesTotal === 0)
    return `${attempt.phase}: ${attempt.reason || next.reason}`;
  return `${attempt.phase}: ${progress.phase} ${percent(progress.bytesDone, progress.bytesTotal)}%`;
}

export function labelText(labels: HostView['labels']): string {
  return Object.entries(labels)
    .map(([name, value]) => `${name}=${value}`)
    .join(' ');
}
