import { type HostView, hostListSchema } from '../contract/admin-plane.ts';
import type { Cli } from './command.ts';
import { percent, relative } from './quantity.ts';
import { tableWidth } from './session.ts';
import { table } from './table.ts';

export function addHosts({ program, run }: Cli): void {
  program
    .command('hosts')
    .description('List the hosts, with what they run and what they do.')
    .option(
      '--state <state>',
      'only hosts in this state: active, installing, staging, failed, rolled-back, …',
    )
    .action(({ state }: { state?: string }) =>
      run({}, async ({ client, json, print, printJson, say, world }) => {
        const query = state === undefined ? '' : `?${new URLSearchParams({ state })}`;
        const { raw, data } = await client.get(`/api/v1/hosts${query}`, hostListSchema);
        if (json) printJson(raw);
        else if (data.hosts.length > 0) print(hostTable(data.hosts, world.now(), tableWidth(world)));
        else
          say(
            state === undefined
              ? 'There are no hosts. Enrol one: warmboot enrol MAC --image IMAGE'
              : `There is no host in the state ${state}.`,
          );
        return 0;
      }),
    );
}

export function hostTable(hosts: readonly HostView[], now: number, fitTo?: number): string {
  return table(
    [
      { title: 'HOST' },
      { title: 'STATE' },
      { title: 'IMAGE', least: 10 },
      { title: 'RUNS', least: 10 },
      { title: 'NOW', least: 12 },
      { title: 'SEEN' },
      { title: 'LABELS', least: 8 },
    ],
    hosts.map((host) => [
      host.mac,
      host.state,
      host.image?.ref ?? '-',
      running(host),
      activity(host),
      relative(host.lastSeen, now),
      labelText(host.labels) || '-',
    ]),
    fitTo,
  );
}

/** What the host itself said that it runs: `a debian-13`, `installer`, `-` before it said anything. */
function running({ observation, image, attempt }: HostView): string {
  if (observation === null) return '-';
  if (observation.environment === 'installer') return 'installer';
  return [observation.slot, imageName(observation.digest, image, attempt)]
    .filter((part) => part !== null)
    .join(' ');
}

/** A digest by the name under which this host knows it, else its first 12 digits. */
export function imageName(
  digest: string | null,
  image: HostView['image'],
  attempt: HostView['attempt'],
): string | null {
  if (digest === null) return null;
  if (image?.digest === digest) return image.ref;
  if (attempt?.digest === digest) return attempt.image;
  return digest.replace(/^sha256:/, '').slice(0, 12);
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
