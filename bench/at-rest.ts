/**
 * What the agent takes from its host. At rest: memory of all its processes, processor, processes started, and wakeups, these from the
 * difference of a long and a short life of the agent, for what ended tells them only to who waited for it. While it stages: how much slower a busy
 * process becomes that shares its only processor and its disk, each in a session of its own as systemd starts services. The host is a
 * disk on a loop device with the agent running from it; the server runs on another processor.
 *
 * Usage: at-rest.ts [--quick] [--rest]; with --rest without the staging. Needs root, two processors, and Docker for the first build of debian-12 and debian-13.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { execa } from 'execa';
import { Api } from '../lab/api.ts';
import { buildImage } from '../lab/build.ts';
import { startLocalServer } from '../lab/local-server.ts';
import { inCheckout } from '../lab/paths.ts';
import { childrenOf, LoopHost, makeAgent } from './loop-host.ts';
import { markdown, median, requireTools, workspace } from './workspace.ts';

const isQuick = process.argv.includes('--quick');
const REST_SECONDS = isQuick ? 90 : 600;
const ROUNDS = isQuick ? 1 : 5;
const BUSY_SECONDS = 5;
/** The server's processor, and the host's only one. */
const [SERVER_CPU, HOST_CPU] = ['0', '1'];
const ON_HOST = ['taskset', '-c', HOST_CPU];

/** Busy processes, as stress-ng has them; `folder` is on the disk that the host's loop device lies on. */
const BUSY: readonly { readonly what: string; readonly args: (folder: string) => readonly string[] }[] = [
  { what: 'computes (`stress-ng --cpu`)', args: () => ['--cpu', '1', '--cpu-method', 'int64'] },
  {
    what: 'reads its disk, random and direct (`stress-ng --hdd`)',
    args: (folder) => [
      ...['--hdd', '1', '--hdd-bytes', '256m', '--hdd-write-size', '4k', '--hdd-opts', 'direct,rd-rnd'],
      ...['--temp-path', folder],
    ],
  },
];

await requireTools({ 'stress-ng': 'stress-ng', losetup: 'mount', gcc: 'gcc', taskset: 'util-linux' });
const data = inCheckout('.cache/lab');
mkdirSync(data, { recursive: true });
const never = new AbortController().signal;
const runs = (await buildImage('debian-13', data, never)).digest;
const next = (await buildImage('debian-12', data, never)).digest;
await using space = await workspace();
const { folder } = space;
const agent = await makeAgent(folder);
const server = await startLocalServer(data);
for (const pid of [server.pid, ...childrenOf(server.pid)])
  await execa('taskset', ['-a', '-cp', SERVER_CPU, String(pid)]);
const access = {
  adminUrl: server.adminUrl.replace(/\/$/, ''),
  token: readFileSync(join(data, 'admin.token'), 'utf8').trim(),
};
const places = { folder, server, api: new Api(access), agent };
try {
  await rest();
  if (!process.argv.includes('--rest')) await staging();
} finally {
  await server.close();
}

async function rest(): Promise<void> {
  const host = await LoopHost.install(places, runs);
  try {
    const short: number[] = [];
    // The first life has an install to end, too.
    for (let i = 0; i < 4; i += 1) short.push((await life(host, 0)).account.voluntary);
    const { account, memory, used } = await life(host, REST_SECONDS);
    const kib = (kind: 'rss' | 'pss') => memory.map((each) => each[kind]);
    const mib = (value: number) => `${(value / 1024).toFixed(1)} MiB`;
    const wakeups = (account.voluntary - median(short.slice(1))) / REST_SECONDS;
    const rows = [
      ['the agent at rest', ''],
      [
        'memory, resident, all its processes',
        `${mib(median(kib('rss')))}, at most ${mib(Math.max(...kib('rss')))}`,
      ],
      ['the same, shared pages counted once', mib(median(kib('pss')))],
      ['processor', `${((used.cpuMs / REST_SECONDS) * 3.6).toFixed(1)} s/hour`],
      ['wakeups (voluntary context switches)', `${wakeups.toFixed(1)}/s`],
      ['processes started', `${((used.processes / REST_SECONDS) * 60).toFixed(0)}/min`],
    ];
    process.stdout.write(`\n${markdown(rows)}\n\n${REST_SECONDS} s, from its confirmation on.\n`);
  } finally {
    await host.close();
  }
}

/** A life of the agent that ends so many seconds after it was confirmed; its memory each second of them, and what it used in them. */
async function life(host: LoopHost, seconds: number) {
  const memory: Memory[] = [];
  const { observation } = await places.api.host(host.mac);
  host.startAgent(ON_HOST);
  await host.shows(
    'its start',
    120,
    (now) => now.state === 'active' && now.observation?.bootId !== observation?.bootId,
  );
  await sleep(5000);
  const before = host.used();
  const until = performance.now() + seconds * 1000;
  while (performance.now() < until) {
    await sleep(1000);
    memory.push(memoryOf(host.processes()));
  }
  const after = host.used();
  const used = { cpuMs: after.cpuMs - before.cpuMs, processes: after.processes - before.processes };
  return { account: await host.stopAgent(), memory, used };
}

interface Memory {
  readonly rss: number;
  readonly pss: number;
}

/** KiB of these processes. */
function memoryOf(processes: readonly number[]): Memory {
  let [rss, pss] = [0, 0];
  for (const pid of processes) {
    try {
      const text = readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8');
      rss += Number(/^Rss:\s*(\d+)/m.exec(text)?.[1] ?? 0);
      pss += Number(/^Pss:\s*(\d+)/m.exec(text)?.[1] ?? 0);
    } catch {
      // It ended meanwhile.
    }
  }
  return { rss, pss };
}

async function staging(): Promise<void> {
  const rows = [['busy process, one processor', 'slower by', 'processor of the agent', 'staging took, s']];
  for (const { what, args } of BUSY) {
    const slower: number[] = [];
    const taken: number[] = [];
    const took: number[] = [];
    for (let round = 0; round < ROUNDS; round += 1) {
      const seen = await besideStaging(args(folder));
      slower.push(seen.slower);
      taken.push(seen.taken);
      took.push(seen.stagingSeconds);
      process.stderr.write(`${what}: ${JSON.stringify(seen)}\n`);
    }
    const percent = (all: readonly number[]) => `${(median(all) * 100).toFixed(1)} %`;
    rows.push([what, percent(slower), percent(taken), median(took).toFixed(1)]);
  }
  process.stdout.write(
    `\n${markdown(rows)}\n\n${ROUNDS} rounds, medians; beside staging, ${BUSY_SECONDS} s long, between two runs alone.\n`,
  );
}

async function besideStaging(args: readonly string[]) {
  const host = await LoopHost.install(places, runs);
  try {
    host.startAgent(ON_HOST);
    await host.shows('its good start', 60, ({ state }) => state === 'active');
    const before = await busy(args);
    await places.api.assign(host.mac, next);
    await host.says('phase write', 60);
    const began = performance.now();
    const staged = host.says('staged slot', 900).then(() => (performance.now() - began) / 1000);
    const usedBefore = host.used().cpuMs;
    const beside = await busy(args);
    const busySeconds = (performance.now() - began) / 1000;
    const taken = (host.used().cpuMs - usedBefore) / 1000 / busySeconds;
    const stagingSeconds = await staged;
    const alone = (before + (await busy(args))) / 2;
    // Of a run that outlasts the staging, the rest was alone.
    const share = Math.min(1, stagingSeconds / BUSY_SECONDS);
    return { slower: (1 - beside / alone) / share, taken, stagingSeconds, share, alone, beside };
  } finally {
    await host.close();
  }
}

/** What stress-ng gets done in a second. */
async function busy(args: readonly string[]): Promise<number> {
  const report = join(folder, 'stress.yaml');
  const options = ['--timeout', `${BUSY_SECONDS}s`, '--metrics', '--yaml', report, '--quiet'];
  const child = spawn(ON_HOST[0] ?? '', [...ON_HOST.slice(1), 'stress-ng', ...args, ...options], {
    stdio: ['ignore', 'ignore', 'inherit'],
    detached: true,
  });
  const [code] = await once(child, 'exit');
  if (code !== 0) throw new Error(`stress-ng ended with ${code}`);
  const rate = /bogo-ops-per-second-real-time: ([\d.]+)/.exec(readFileSync(report, 'utf8'))?.[1];
  rmSync(report);
  return Number(rate);
}
