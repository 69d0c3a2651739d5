import { type StatusView, statusSchema } from '../contract/status.ts';
import { bytes, duration } from '../words/quantity.ts';
import type { Cli } from './command.ts';
import { details, table } from './table.ts';
import { WATCH_HELP, watch, watchNeeds } from './watch.ts';

export function addStatus({ program, run }: Cli): void {
  program
    .command('status')
    .description('Show how the server is, and what it does now.')
    .option('--watch', WATCH_HELP)
    .addHelpText('after', '\nExit code 1 when the server is not ready to do its work; the reasons are shown.')
    .action(({ watch: isWatched }: { readonly watch?: boolean }) => {
      const needs = { runningServer: 'only one that runs has a status', ...watchNeeds(isWatched) };
      return run(needs, async (session) => {
        const { client, json, print, printJson, world } = session;
        const read = () => client.get('/api/v1/status', statusSchema);
        if (isWatched)
          return watch(session, async () => {
            const { raw, data } = await read();
            const rows = lines(data).map(([key, line]) => ({ key, line: `${key}: ${line}`, raw }));
            return { text: statusText(data, world.now()), rows };
          });
        const { raw, data } = await read();
        if (json) printJson(raw);
        else print(statusText(data, world.now()));
        return data.ready ? 0 : 1;
      });
    });
}

function statusText(status: StatusView, now: number): string {
  const { version, schema, startedAt, rollouts } = status;
  const server = `Warmboot ${version}, schema ${schema}, up for ${duration(Math.max(0, now - startedAt))}`;
  const text = details([['server', server], ...lines(status)]);
  if (rollouts.length === 0) return text;
  const rows = rollouts.map(({ id, name, wave, waveCount, ...rollout }) => [
    ...[id, name ?? '-', rollout.status, `${wave}/${waveCount}`, rollout.reason || '-'],
  ]);
  const heads = ['ROLLOUT', 'NAME', 'STATUS', 'WAVE', 'REASON'].map((title) => ({ title }));
  return `${text}\n${table(heads, rows)}`;
}

/** Without what goes on by itself. */
function lines({ ready, checks, hosts, transfers, images, boot, ...status }: StatusView): [string, string][] {
  const troubles = Object.entries(checks).filter(([, { ok }]) => !ok);
  const states = Object.entries(hosts).filter(([, count]) => count > 0);
  const total = states.reduce((sum, [, count]) => sum + count, 0);
  const tftp = boot?.tftp;
  const proxy = boot?.proxyDhcp;
  const waiting = transfers.waiting > 0 ? `, ${transfers.waiting} hosts wait for their turn` : '';
  return [
    ['ready', ready ? 'yes' : 'no'],
    ...troubles.map(([name, { detail }]): [string, string] => [`  ${name}`, detail ?? 'not well']),
    ['hosts', [String(total), ...states.map(([state, count]) => `${count} ${state}`)].join(', ')],
    ['attempts', `${status.openAttempts} open`],
    ['rollouts', `${status.rollouts.length} not over`],
    ['transfers', `${transfers.active} by HTTP${waiting}, ${tftp?.transfers ?? 0} by TFTP`],
    ['images', `${images.count}, ${bytes(images.storedBytes)} on the disk, ${bytes(images.freeBytes)} left`],
    ['boot', boot?.url ?? 'off'],
    ['TFTP', tftp ? `${tftp.host}:${tftp.port}` : 'off'],
    ['proxyDHCP', proxy ? [...proxy.interfaces, ...(proxy.relayed ? ['relayed'] : [])].join(', ') : 'off'],
  ];
}
