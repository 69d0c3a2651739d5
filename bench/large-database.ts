/**
 * A large database beside a small one: EVENTS events and HOSTS hosts against a hundredth of both, asked in turn over HTTP. Start-up,
 * the newest events, those of one host and of one kind, a walk through pages, the first hosts, hosts by label and state, one
 * host, its manifest. Medians; the ratio says what size costs: what is read through an index stays near 1, what walks through
 * everything grows with it. Usage: large-database.ts [EVENTS [HOSTS [ROUNDS]]]
 */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { execa } from 'execa';
import { fillStore, macOf } from './filled-store.ts';
import { Server } from './fleet/server.ts';
import { median, requireTools, table, workspace } from './workspace.ts';

const EVENTS = Number(process.argv[2] ?? 1_000_000);
const HOSTS = Number(process.argv[3] ?? 10_000);
const ROUNDS = Number(process.argv[4] ?? 15);
const SMALLER = 100;

await requireTools({ sqlite3: 'sqlite3' });
await using space = await workspace();
const large = await filled('large', EVENTS, HOSTS);
const small = await filled('small', EVENTS / SMALLER, HOSTS / SMALLER);
try {
  const newest = (where: string) => `SELECT * FROM events ${where} ORDER BY id DESC LIMIT 100`;
  const hostOf = `(SELECT host_id FROM host_macs WHERE mac = '${large.mac}')`;
  /** With the query that gives a person at the shell the same rows. */
  const asks: readonly (readonly [string, (server: Filled) => Promise<unknown>, string?])[] = [
    ['newest 100 events', ({ server }) => server.admin('GET', '/events?limit=100'), newest('')],
    [
      'events of a host',
      ({ server, mac }) => server.admin('GET', `/events?limit=100&host=${mac}`),
      newest(`WHERE host_id = ${hostOf}`),
    ],
    [
      'events of a kind',
      ({ server }) => server.admin('GET', '/events?limit=100&kind=attempt-ended'),
      newest("WHERE kind = 'attempt-ended'"),
    ],
    [
      '1000 events from the middle',
      ({ server, events }) => server.admin('GET', `/events?limit=1000&after=${events >> 1}`),
      `SELECT * FROM events WHERE id > ${EVENTS >> 1} ORDER BY id LIMIT 1000`,
    ],
    ['first 100 hosts', ({ server }) => server.admin('GET', '/hosts?limit=100')],
    ['all of a rack', ({ server }) => server.admin('GET', '/hosts?label=rack%3Dr7')],
    ['all failed', ({ server }) => server.admin('GET', '/hosts?state=failed')],
    ['a text that no host has', ({ server }) => server.admin('GET', '/hosts?limit=100&q=no%20such')],
    ['every host, by pages of 1000', ({ server }) => everyHost(server), 'SELECT * FROM hosts'],
    ['one host', ({ server, mac }) => server.admin('GET', `/hosts/${mac}`)],
  ];
  const rows = [];
  for (const [what, ask, query] of asks) {
    const ms: Record<'large' | 'small', number[]> = { large: [], small: [] };
    for (let round = 0; round < ROUNDS; round += 1)
      for (const [which, filledOne] of [
        ['large', large],
        ['small', small],
      ] as const) {
        const began = performance.now();
        await ask(filledOne);
        ms[which].push(performance.now() - began);
      }
    const [l, s] = [median(ms.large), median(ms.small)];
    rows.push([what, l.toFixed(1), s.toFixed(1), (l / s).toFixed(1), query ? await atTheShell(query) : '']);
  }
  const starts = await startTimes();
  rows.push(['start until ready', ...starts, '']);
  const head = [`${EVENTS} events, ${HOSTS} hosts`, 'ms', `a ${SMALLER}th of it, ms`, 'ratio', 'sqlite3, ms'];
  process.stdout.write(`${table([head, ...rows])}\n`);
  process.stdout.write(
    `database ${large.server.databaseMib.toFixed(0)} MiB, memory ${large.server.peakMib.toFixed(0)} MiB\n`,
  );
} finally {
  await large.server.close();
  await small.server.close();
}

type Filled = { readonly server: Server; readonly mac: string; readonly events: number };

async function filled(name: string, events: number, hosts: number): Promise<Filled> {
  const dataDir = join(space.folder, name);
  mkdirSync(dataDir, { recursive: true });
  await fillStore(dataDir, events, hosts);
  const server = new Server(dataDir);
  await server.start();
  return { server, mac: macOf(hosts >> 1), events };
}

async function atTheShell(query: string): Promise<string> {
  const ms: number[] = [];
  for (let round = 0; round < ROUNDS; round += 1) {
    const began = performance.now();
    await execa('sqlite3', ['-readonly', '-json', join(space.folder, 'large', 'warmboot.db'), query]);
    ms.push(performance.now() - began);
  }
  return median(ms).toFixed(1);
}

async function startTimes(): Promise<[string, string, string]> {
  const seconds: Record<'large' | 'small', number[]> = { large: [], small: [] };
  for (let round = 0; round < 3; round += 1)
    for (const [which, { server }] of [
      ['large', large],
      ['small', small],
    ] as const) {
      await server.close();
      seconds[which].push(await server.start());
    }
  const [l, s] = [median(seconds.large) * 1000, median(seconds.small) * 1000];
  return [l.toFixed(0), s.toFixed(0), (l / s).toFixed(1)];
}

async function everyHost(server: Server): Promise<void> {
  let path = '/hosts?limit=1000';
  for (;;) {
    const { next } = await server.admin<{ next: string | null }>('GET', path);
    if (!next) return;
    path = `/hosts?limit=1000&cursor=${encodeURIComponent(next)}`;
  }
}
