/**
 * How long commands take to start, and the most memory that they hold: `--version`, `--help`, `hosts` against a running server,
 * `serve` until it is ready; in turn with `docker --version` and other command lines on Node. Usage: start.ts [ROUNDS]
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import { markdown, median, requireTools, workspace } from './workspace.ts';

const WARMBOOT = fileURLToPath(new URL('../warmboot', import.meta.url));
const ROUNDS = Number(process.argv[2] ?? 11);
/** Command lines on Node that many people start every day, in their versions of the day. */
const PEERS = { firebase: 'firebase-tools', wrangler: 'wrangler' };

type Sample = { readonly seconds: number; readonly mib: number };
type Start = () => Promise<Sample>;

await requireTools({ docker: 'docker-cli', npm: 'npm', time: 'time' });
await using space = await workspace();
const data = join(space.folder, 'data');
const install = ['install', '--no-audit', '--no-fund', '--prefix', space.folder, ...Object.values(PEERS)];
await execa('npm', install, { stderr: 'inherit' });

const server = serve('serve');
await server.ready;
const starts: Record<string, Start> = {
  'warmboot --version': () => timed(WARMBOOT, '--version'),
  'warmboot --help': () => timed(WARMBOOT, '--help'),
  'warmboot hosts': () => timed(WARMBOOT, 'hosts', '--data', data),
  'warmboot serve, ready': () => untilReady(),
  'docker --version': () => timed('docker', '--version'),
  'node -e 0': () => timed(process.execPath, '-e', '0'),
  'npm --version': () => timed('npm', '--version'),
  ...Object.fromEntries(
    Object.keys(PEERS).map((peer) => [
      `${peer} --version`,
      () => timed(join(space.folder, 'node_modules/.bin', peer), '--version'),
    ]),
  ),
};
const samples = new Map(Object.keys(starts).map((name) => [name, [] as Sample[]]));
// The first round fills caches and does not count.
for (let round = 0; round <= ROUNDS; round++)
  for (const [name, start] of Object.entries(starts)) {
    const sample = await start();
    if (round > 0) samples.get(name)?.push(sample);
  }
await server.stop();

const secondsOf = (name: string) => median((samples.get(name) ?? []).map(({ seconds }) => seconds));
process.stdout.write(
  `${markdown([
    ['', 's', '÷ docker --version', '÷ npm --version', 'peak MiB'],
    ...[...samples].map(([name, each]) => [
      `\`${name}\``,
      secondsOf(name).toFixed(3),
      (secondsOf(name) / secondsOf('docker --version')).toFixed(1),
      (secondsOf(name) / secondsOf('npm --version')).toFixed(2),
      Math.max(...each.map(({ mib }) => mib)).toFixed(0),
    ]),
  ])}\n`,
);

/** Wall time, and the largest resident set of any process of it, by GNU time. */
async function timed(...command: string[]): Promise<Sample> {
  const began = performance.now();
  const { stderr } = await execa('time', ['-f', '%M', ...command]);
  const seconds = (performance.now() - began) / 1000;
  return { seconds, mib: Number(stderr.trim().split('\n').at(-1)) / 1024 };
}

async function untilReady(): Promise<Sample> {
  const began = performance.now();
  const started = serve('other');
  await started.ready;
  const seconds = (performance.now() - began) / 1000;
  const status = readFileSync(`/proc/${started.pid}/status`, 'utf8');
  await started.stop();
  return { seconds, mib: Number(/VmHWM:\s+(\d+)/.exec(status)?.[1]) / 1024 };
}

function serve(name: string) {
  const folder = name === 'serve' ? data : join(space.folder, name);
  const any = '127.0.0.1:0';
  const listens = ['--admin-listen', any, '--boot-listen', any, '--tftp-listen', 'off'];
  const child = spawn(WARMBOOT, ['serve', '--data', folder, ...listens], {
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  const exit = once(child, 'exit');
  const stop = async () => {
    child.kill();
    await exit;
  };
  return { pid: child.pid, ready: once(child.stdout, 'data'), stop };
}
