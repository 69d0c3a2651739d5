/**
 * A fleet on loopback: HOSTS simulated hosts (the real wire, a connection for each request, one in a hundred making trouble) and
 * one `./warmboot serve`. They install, poll and are reassigned; all wait for their manifests at once, and one rollout moves all;
 * the server is stopped and killed in the middle and started again. Prints the server's CPU and memory, the times of manifests and
 * reports, beside them what nginx needs for the same requests, answered from a file, and what was aimed at.
 * Usage: fleet.ts [HOSTS [SECONDS]]
 */
import { setMaxListeners } from 'node:events';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import Database from 'better-sqlite3';
import { cpuSeconds } from '../lab/local-server.ts';
import { startNginx } from '../lab/nginx.ts';
import { storeRandomImages } from '../test/fixtures/random-images.ts';
import { FleetHost, type Temper } from './fleet/host.ts';
import { Server } from './fleet/server.ts';
import { Times } from './fleet/times.ts';
import { ask } from './fleet/wire.ts';
import { median, requireTools, table, workspace } from './workspace.ts';

const HOSTS = Number(process.argv[2] ?? 10_000);
const SECONDS = Number(process.argv[3] ?? 60);
const POLL_SECONDS = 15;
const TROUBLE: readonly Temper[] = ['rolls-back', 'repeats', 'dies', 'rude'];
/** Machines that are switched on in a second: a server room after a power cut has its own fuses too. */
const INSTALLS_PER_SECOND = 150;
const LONG_POLL_SECONDS = 60;
const REASSIGNED_PER_SECOND = 10;

const AT_ONCE = { waves: ['100%'], maxUnavailable: '100%', soakSeconds: 0, failureThreshold: '100%' };

type HostView = {
  readonly mac: string;
  readonly state: string;
  readonly image: { readonly digest: string } | null;
};

/** What was aimed at and what was seen, in the order in which it was. */
const seen: (readonly [what: string, aim: string, seen: string])[] = [];

await requireTools({ nginx: 'nginx-light' });
await using space = await workspace();
const dataDir = join(space.folder, 'data');
const [first, second] = await storeRandomImages(dataDir, 4 * 2 ** 20);
const server = new Server(dataDir);
const power = new AbortController();
// Each host listens for the end.
setMaxListeners(0, power.signal);
const times = { manifest: new Times(), report: new Times(), other: new Times() };
const fleet = Array.from({ length: HOSTS }, (_, i) => {
  const temper = i % 100 === 99 ? (TROUBLE[Math.floor(i / 100) % TROUBLE.length] ?? 'good') : 'good';
  return new FleetHost(
    i,
    temper,
    () => server.bootAt,
    (what, { ms }) => times[what].add(ms),
    POLL_SECONDS,
  );
});
const good = fleet.filter(({ temper }) => temper === 'good');
const byMac = new Map(fleet.map((host) => [host.mac, host]));

try {
  seen.push(['start until ready', '< 2 s', `${(await server.start()).toFixed(1)} s`]);
  await enrolAll();
  const lives = fleet.map((host, i) => host.live((i / INSTALLS_PER_SECOND) * 1000, power.signal));
  const died = Promise.race(lives);
  const run = (async () => {
    await install();
    await poll();
    await longPolls();
    await restart('SIGTERM', 'whole');
    await restart('SIGKILL', 'pieced');
  })();
  // A host that finds the server wrong ends the bench.
  await Promise.race([run, died.then(() => Promise.reject(new Error('a host stopped by itself')))]);
  power.abort();
  await Promise.allSettled(lives);
  await server.close();
  const lost = lostReports();
  seen.push(['reports answered 2xx that are lost', '0', String(lost)]);
  if (lost > 0) process.exitCode = 1;
} finally {
  power.abort();
  await server.close();
  say(table([[`${HOSTS} hosts`, 'aim', 'seen'], ...seen]));
}

async function enrolAll(): Promise<void> {
  const began = performance.now();
  await inTurns(fleet, 32, ({ mac }) =>
    server.admin('POST', '/hosts', { macs: [mac], image: 'whole', labels: { fleet: 'bench' } }),
  );
  const seconds = (performance.now() - began) / 1000;
  say(`${HOSTS} enrolled in ${seconds.toFixed(1)} s; database ${server.databaseMib.toFixed(1)} MiB`);
}

async function install(): Promise<void> {
  const [cpu, began] = [server.cpuSeconds, performance.now()];
  await until(() => good.every((host) => isIdleOn(host, first.digest)), HOSTS / INSTALLS_PER_SECOND + 300);
  const seconds = (performance.now() - began) / 1000;
  say(
    `all installed after ${seconds.toFixed(0)} s, ${((server.cpuSeconds - cpu) / seconds).toFixed(2)} cores`,
  );
  say(
    `  manifests: ${times.manifest}\n  reports: ${times.report}\n  database ${server.databaseMib.toFixed(1)} MiB`,
  );
}

/** Idle hosts that poll, a few of them reassigned each second; and what the same requests cost nginx. */
async function poll(): Promise<void> {
  const mibBefore = server.databaseMib;
  server.peakMib = 0;
  const ours = await measured(
    'polls and reassignments',
    () => server.cpuSeconds,
    async () => {
      const end = performance.now() + SECONDS * 1000;
      for (let i = 0; performance.now() < end; i += 1) {
        const host = good[(i * 7919) % good.length];
        if (host && isIdle(host)) await reassign(host);
        await sleep(1000 / REASSIGNED_PER_SECOND);
      }
    },
  );
  const reports = `${times.report.percentile(99).toFixed(1)} ms`;
  seen.push(['cores, polling', '< 0.5', ours.cores.toFixed(2)]);
  seen.push(['memory, polling', '< 400 MiB', `${server.peakMib.toFixed(0)} MiB`]);
  seen.push(['manifest p99', '< 25 ms', `${ours.p99.toFixed(1)} ms`]);
  seen.push(['report p99', '', reports]);
  const growth = ((server.databaseMib - mibBefore) * 3600) / SECONDS;
  seen.push([
    `database growth, ${REASSIGNED_PER_SECOND} reassigned each s`,
    '',
    `${growth.toFixed(0)} MiB/h`,
  ]);
  const nginx = await nginxPolls();
  const head = [
    `${HOSTS} hosts, poll ${POLL_SECONDS} s`,
    'requests/s',
    'cores',
    'CPU ms/request',
    'p50 ms',
    'p99 ms',
  ];
  const row = (what: string, m: Measured) => [
    what,
    m.perSecond.toFixed(0),
    m.cores.toFixed(2),
    ((m.cores / m.perSecond) * 1000).toFixed(2),
    m.p50.toFixed(1),
    m.p99.toFixed(1),
  ];
  const cpuOf = (m: Measured) => m.cores / m.perSecond;
  const ratio = [
    'ratio',
    '',
    '',
    (cpuOf(ours) / cpuOf(nginx)).toFixed(1),
    '',
    (ours.p99 / nginx.p99).toFixed(1),
  ];
  say(table([head, row('manifests, ours', ours), row('a file, nginx', nginx), ratio]));
}

type Measured = {
  readonly perSecond: number;
  readonly cores: number;
  readonly p50: number;
  readonly p99: number;
};

async function measured(what: string, cpu: () => number, work: () => Promise<void>): Promise<Measured> {
  for (const each of Object.values(times)) each.clear();
  const [before, began] = [cpu(), performance.now()];
  await work();
  const seconds = (performance.now() - began) / 1000;
  say(`${what}, ${seconds.toFixed(0)} s`);
  const requests = times.manifest.count + times.report.count + times.other.count;
  const { manifest } = times;
  return {
    perSecond: requests / seconds,
    cores: (cpu() - before) / seconds,
    p50: manifest.percentile(50),
    p99: manifest.percentile(99),
  };
}

async function nginxPolls(): Promise<Measured> {
  const folder = join(space.folder, 'nginx');
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(space.folder, 'manifest'), JSON.stringify(fleet[0]?.manifest));
  const nginx = await startNginx(
    folder,
    (listen) =>
      `access_log off; server { listen ${listen}; location / { try_files /none /manifest; root ${space.folder}; } }`,
  );
  const at = { host: new URL(nginx.url).hostname, port: Number(new URL(nginx.url).port) };
  const etag = (await ask(at, { method: 'GET', path: '/' })).headers.get('etag') ?? '';
  const rate = HOSTS / POLL_SECONDS;
  const result = await measured(
    'the same polls at nginx',
    () => cpuSeconds(nginx.pid),
    async () => {
      const seconds = Math.min(SECONDS, 20);
      const began = performance.now();
      for (let i = 0; i < rate * seconds; i += 1) {
        const wish = { method: 'GET', path: `/${i}`, headers: { 'if-none-match': etag } } as const;
        void ask(at, wish).then(
          ({ ms }) => times.manifest.add(ms),
          () => {},
        );
        const ahead = (i / rate) * 1000 - (performance.now() - began);
        if (ahead > 1) await sleep(ahead);
      }
    },
  );
  await nginx.close();
  return result;
}

/** All wait at once: single reassignments, then one rollout of all. */
async function longPolls(): Promise<void> {
  for (const host of fleet) host.longPollSeconds = LONG_POLL_SECONDS;
  await sleep(POLL_SECONDS * 1200);
  const single: number[] = [];
  for (let i = 0; single.length < 200; i += 1) {
    const host = good[(i * 104_729) % good.length];
    if (!host || !isIdle(host)) continue;
    const began = performance.now();
    await reassign(host);
    await until(() => host.manifestAt > began, 30);
    single.push(host.manifestAt - began);
  }
  const sorted = single.toSorted((a, b) => a - b);
  say(`${HOSTS} manifests waited for; one reassigned: PUT to delivery p50 ${median(single).toFixed(1)} ms`);
  seen.push([
    'all wait, one reassigned: PUT to delivery p99',
    '< 100 ms',
    `${(sorted[197] ?? 0).toFixed(1)} ms`,
  ]);
  seen.push(['memory, all wait', '', `${server.peakMib.toFixed(0)} MiB`]);
  await until(() => good.every(isIdle), 120);
  const target = second.digest;
  const moving = good.filter((host) => host.digest !== target);
  const [cpu, began] = [server.cpuSeconds, performance.now()];
  await rollOut('pieced');
  await until(() => moving.every((host) => host.manifestAt > began), 60);
  const last = Math.max(...moving.map(({ manifestAt }) => manifestAt)) - began;
  say(
    `one rollout of ${moving.length}: ${(server.cpuSeconds - cpu).toFixed(2)} s of CPU until the last manifest`,
  );
  seen.push([
    `rollout of ${moving.length}: POST to the last manifest`,
    '< 2 s',
    `${(last / 1000).toFixed(2)} s`,
  ]);
  const wentOn = performance.now();
  await until(() => good.every((host) => isIdleOn(host, target)), 300);
  say(`  all on it and confirmed after ${((performance.now() - wentOn) / 1000).toFixed(0)} s more`);
}

/** Stopped or killed while hosts stage, switch and report. No host may need a human afterwards. */
async function restart(how: 'SIGTERM' | 'SIGKILL', image: 'whole' | 'pieced'): Promise<void> {
  const before = await listed();
  await rollOut(image);
  await sleep(1_500);
  await (how === 'SIGKILL' ? server.kill() : server.close());
  const unanswered = sum(fleet, ({ unanswered: count }) => count);
  say(`${how} in the middle; ready again after ${(await server.start()).toFixed(1)} s`);
  const { digest } = image === 'whole' ? first : second;
  await until(() => good.every((host) => isIdleOn(host, digest)), 300);
  await sleep(2_000);
  const after = await listed();
  const astray = after.filter(({ mac, state }) => byMac.get(mac)?.temper === 'good' && state !== 'active');
  const lost = before.length - after.length;
  const repeated = sum(fleet, ({ unanswered: count }) => count) - unanswered;
  say(`  ${lost} hosts are missing; ${repeated} requests had to be repeated`);
  seen.push([`${how} in the middle: good hosts that need a human`, '0', String(astray.length)]);
  if (astray.length > 0 || lost > 0) process.exitCode = 1;
}

/** A number that was given up for a later one of the same boot was there. */
function lostReports(): number {
  const db = new Database(join(dataDir, 'warmboot.db'), { readonly: true });
  const known = db
    .prepare(`
      SELECT 1 FROM reports JOIN host_macs USING (host_id) WHERE mac = ? AND boot_id = ? AND seq >= ? LIMIT 1`)
    .pluck();
  const lost = sum(fleet, ({ mac, acknowledged }) =>
    sum(acknowledged, ({ bootId, seq }) => (known.get(mac, bootId, seq) === undefined ? 1 : 0)),
  );
  db.close();
  return lost;
}

/** The one before is not over as long as a host that died in it has its time: it is aborted. */
async function rollOut(image: 'whole' | 'pieced'): Promise<void> {
  const { rollouts } = await server.admin<{ rollouts: { id: string; status: string }[] }>('GET', '/rollouts');
  for (const { id, status } of rollouts)
    if (status === 'running' || status === 'paused') await server.admin('POST', `/rollouts/${id}/abort`, {});
  await server.admin('POST', '/rollouts', { image, selector: 'fleet=bench', ...AT_ONCE });
}

async function listed(): Promise<HostView[]> {
  const all: HostView[] = [];
  for (let cursor: string | null = ''; cursor !== null; ) {
    const more: string = cursor ? `&cursor=${encodeURIComponent(cursor)}` : '';
    const page: { hosts: HostView[]; next?: string | null } = await server.admin(
      'GET',
      `/hosts?limit=1000${more}`,
    );
    all.push(...page.hosts);
    cursor = page.next ?? null;
  }
  return all;
}

function reassign(host: FleetHost) {
  const image = host.digest === first.digest ? 'pieced' : 'whole';
  return server.admin('PUT', `/hosts/${host.mac}/os`, { image });
}

function isIdle({ manifest }: FleetHost): boolean {
  return manifest?.action === 'none' && manifest.attempt === null;
}

function isIdleOn(host: FleetHost, digest: string): boolean {
  return host.digest === digest && isIdle(host);
}

async function inTurns<T>(
  all: readonly T[],
  atOnce: number,
  work: (each: T) => Promise<unknown>,
): Promise<void> {
  const left = all[Symbol.iterator]();
  await Promise.all(
    Array.from({ length: atOnce }, async () => {
      for (const each of left) await work(each);
    }),
  );
}

async function until(isTrue: () => boolean, seconds: number): Promise<void> {
  const end = performance.now() + seconds * 1000;
  while (!isTrue()) {
    if (performance.now() > end) {
      const late = good.filter((host) => !isIdle(host)).slice(0, 3);
      const what = late.map(({ mac, manifest }) => `${mac} ${JSON.stringify(manifest)}`).join('\n');
      throw new Error(`not reached in ${seconds} s; not idle, for example:\n${what}`);
    }
    await sleep(5);
  }
}

function sum<T>(all: readonly T[], of: (each: T) => number): number {
  return all.reduce((total, each) => total + of(each), 0);
}

function say(text: string): void {
  process.stdout.write(`${text}\n`);
}
