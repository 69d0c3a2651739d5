import { type HostView, hostListSchema } from '../contract/admin-plane.ts';
import type { Cli } from './command.ts';
import { ImageNames } from './image-names.ts';
import { percent, relative } from './quantity.ts';
import { tableWidth } from './session.ts';
import { table } from './table.ts';

export function addHosts({ program, run }: Cli): void {
  program
    .command('hosts')
    .description('List the hosts, with what they run and what they do.')
    .option('--state <state>', 'only hosts in this state: discovered, ignored, active, installing, failed, …')
    .option('--label <name[=value]>', 'only hosts with this label')
    .action((filter: { state?: string; label?: string }) =>
      run({}, async ({ client, json, print, printJson, say, world }) => {
        const query = new URLSearchParams({ ...filter }).toString();
        const path = `/api/v1/hosts${query === '' ? '' : `?${query}`}`;
        const { raw, data } = await client.get(path, hostListSchema);
        if (json) printJson(raw);
        else if (data.hosts.length > 0) {
          const names = await ImageNames.for(data.hosts, client);
          print(hostTable(data.hosts, names, world.now(), tableWidth(world)));
        } else if (query !== '') say('No host is like that.');
        else say('There are no hosts. Enrol one: warmboot enrol MAC --image IMAGE');
        return 0;
      }),
    );
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
