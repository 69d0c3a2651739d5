/**
 * A mass reboot: HOSTS machines download one image of MIB at once, from `./warmboot serve` and in turn from nginx with sendfile.
 * Clients are curls that throw the bytes away, hundreds of connections each. How many failed, seconds until all were done, the
 * slowest against the middle one, GB/s, CPU and the most memory of the server. Usage: mass-reboot.ts [HOSTS [MIB [ROUNDS]]]
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { cpuSeconds, residentMib, startLocalServer } from '../lab/local-server.ts';
import { startNginx } from '../lab/nginx.ts';
import { storeRandomImages } from '../test/fixtures/random-images.ts';
import { median, requireTools, table, workspace } from './workspace.ts';

const HOSTS = Number(process.argv[2] ?? 500);
const MIB = Number(process.argv[3] ?? 16);
const ROUNDS = Number(process.argv[4] ?? 5);
/** curl takes no more than 300 at once. */
const HOSTS_PER_CURL = 250;

type Server = { readonly pid: number; readonly url: string };
type Measured = Readonly<Record<'failed' | 'seconds' | 'spread' | 'perSecond' | 'cpu' | 'mib', number>>;

await requireTools({ nginx: 'nginx-light', curl: 'curl' });
await using space = await workspace();
const dataDir = join(space.folder, 'data');
const [image] = await storeRandomImages(dataDir, MIB * 2 ** 20);
const path = `/boot/images/${image.digest}/data`;
const warmboot = await startLocalServer(dataDir);
const nginx = await startNginx(
  join(space.folder, 'nginx'),
  (listen) =>
    `sendfile on; tcp_nopush on; access_log off; server { listen ${listen}; location = ${path} { alias ${image.file}; } }`,
);
try {
  const seen: Record<'ours' | 'nginx', Measured[]> = { ours: [], nginx: [] };
  for (let round = 0; round < ROUNDS; round += 1) {
    seen.nginx.push(await reboot(nginx));
    seen.ours.push(await reboot(warmboot));
    process.stderr.write('.');
  }
  const row = (what: string, all: readonly Measured[]) => {
    const middle = (field: keyof Measured) => median(all.map((each) => each[field]));
    return [
      what,
      String(all.reduce((sum, { failed }) => sum + failed, 0)),
      middle('seconds').toFixed(1),
      middle('spread').toFixed(2),
      middle('perSecond').toFixed(2),
      middle('cpu').toFixed(2),
      middle('mib').toFixed(0),
    ];
  };
  const head = [`${HOSTS} × ${MIB} MiB`, 'failed', 's', 'slowest/middle', 'GB/s', 'CPU s/GB', 'MiB'];
  process.stdout.write(`\n${table([head, row('ours', seen.ours), row('nginx', seen.nginx)])}\n`);
} finally {
  await nginx.close();
  await warmboot.close();
}

async function reboot({ pid, url }: Server): Promise<Measured> {
  const gigabytes = (HOSTS * image.bytes) / 1e9;
  let mib = 0;
  const watch = setInterval(() => {
    mib = Math.max(mib, residentMib(pid));
  }, 100);
  const cpu = cpuSeconds(pid);
  const began = performance.now();
  const curls = [];
  for (let left = HOSTS; left > 0; left -= HOSTS_PER_CURL)
    curls.push(downloads(url + path, Math.min(left, HOSTS_PER_CURL)));
  const hosts = (await Promise.all(curls)).flat();
  const seconds = (performance.now() - began) / 1000;
  clearInterval(watch);
  const times = hosts.map(({ time }) => time);
  return {
    failed: HOSTS - hosts.filter(({ bytes }) => bytes === image.bytes).length,
    seconds,
    spread: Math.max(...times) / median(times),
    perSecond: gigabytes / seconds,
    cpu: (cpuSeconds(pid) - cpu) / gigabytes,
    mib,
  };
}

/** Seconds and bytes of each download. */
async function downloads(url: string, hosts: number): Promise<{ time: number; bytes: number }[]> {
  const parallel = ['--parallel', '--parallel-immediate', '--parallel-max', String(hosts)];
  const told = ['-w', '%{time_total} %{size_download}\\n'];
  // A range of numbers in the query makes as many addresses of one, all with the same answer.
  const args = ['-s', ...parallel, ...told, '-o', '/dev/null', `${url}?host=[1-${hosts}]`];
  const client = spawn('curl', args, { stdio: ['ignore', 'pipe', 'inherit'] });
  const [lines] = await Promise.all([text(client.stdout), once(client, 'exit')]);
  return lines
    .trim()
    .split('\n')
    .map((line) => line.split(' ').map(Number))
    .map(([time = 0, bytes = 0]) => ({ time, bytes }));
}
