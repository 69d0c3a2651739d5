import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import Database from 'better-sqlite3';
import { expect, test } from 'vitest';
import { runsAll } from '../all.ts';
import { httpFace } from '../fixtures/http-face.ts';
import { type Answer, ask, storeImage } from '../fixtures/running-server.ts';
import { type Face, SimulatedMachine } from '../fixtures/simulated-machine.ts';

/**
 * The server is killed at random moments while machines boot, install, switch and report, and an operator enrols, reassigns and labels them:
 * 100 times with --all. Each time the database is sound, nothing that was answered with 2xx is missing, and at the end every machine
 * is where it was told to go without anybody having helped it.
 */
const KILLS = runsAll() ? 100 : 8;
const MACHINES = 12;
const ROOT = join(import.meta.dirname, '../..');

type Server = { readonly boot: string; readonly admin: string; readonly process: ChildProcess };

async function serve(data: string): Promise<Server> {
  const argv = ['server/main.ts', 'serve', '--data', data, '--tftp-listen', 'off'];
  const listen = ['--boot-listen', '127.0.0.1:0', '--admin-listen', '127.0.0.1:0'];
  const child = spawn(process.execPath, [...argv, ...listen], {
    cwd: ROOT,
    env: { ...process.env, WARMBOOT_LOG: 'error' },
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  const [ready] = await once(child.stdout, 'data');
  const { adminUrl, bootUrl } = JSON.parse(String(ready).trim().split('\n').at(-1) ?? '');
  return { admin: adminUrl, boot: bootUrl, process: child };
}

/** What was answered with 2xx, and must be there whatever comes. */
type Promised = {
  readonly hosts: Set<string>;
  readonly reports: Map<string, { mac: string; bootId: string; seq: number }>;
  readonly attempts: Map<string, string>;
  readonly labels: Map<string, number>;
  /** A label that was sent and not answered may have been written. */
  readonly maybe: Map<string, number>;
};

test(`SIGKILL of the server ${KILLS} times under load`, {
  timeout: runsAll() ? 3_600_000 : 900_000,
}, async () => {
  const data = mkdtempSync(join(tmpdir(), 'warmboot-killed-100-'));
  let server: Server | null = null;
  try {
    await storeImage(data, 'one');
    await storeImage(data, 'two');
    await storeImage(data, 'installer', 'installer');
    server = await serve(data);
    const token = readFileSync(join(data, 'admin.token'), 'utf8').trim();
    const promised: Promised = {
      hosts: new Set(),
      reports: new Map(),
      attempts: new Map(),
      labels: new Map(),
      maybe: new Map(),
    };
    const random = seeded(20_261_127);

    let answered = 0;
    /** Null when no answer came. */
    const call = async (base: 'boot' | 'admin', path: string, how: Parameters<typeof ask>[2] = {}) => {
      const at = server;
      if (at === null) return null;
      const headers = { ...(base === 'admin' && { authorization: `Bearer ${token}` }), ...how.headers };
      const given = await ask(at[base], path, { ...how, headers }).catch(() => null);
      if (given !== null) answered += 1;
      return given;
    };
    const isGood = <A extends Answer>(answer: A | null): answer is A =>
      answer !== null && answer.status >= 200 && answer.status < 300;

    const faceOf = (mac: string): Face =>
      httpFace(
        mac,
        (path, how) => call('boot', path, how),
        ({ bootId, seq }) => {
          promised.reports.set(`${mac} ${bootId} ${seq}`, { mac, bootId, seq });
        },
      );

    const machines = Array.from({ length: MACHINES }, (_, at) => {
      const mac = `52:54:00:bb:00:${at.toString(16).padStart(2, '0')}`;
      return { mac, machine: new SimulatedMachine(mac.replaceAll(':', ''), faceOf(mac)) };
    });
    let isOver = false;
    /** One machine turns on and on, as its agent and its installer would. */
    const live = async ({ machine }: (typeof machines)[number]) => {
      while (!isOver) {
        if (random() < 0.02) await machine.powerCycle();
        else await machine.turn();
        await pause(20 + random() * 60);
      }
    };
    const operate = async () => {
      let labels = 0;
      while (!isOver) {
        const { mac } = machines[Math.floor(random() * MACHINES)] ?? { mac: '' };
        const dice = random();
        if (dice < 0.4) {
          const image = random() < 0.5 ? 'one' : 'two';
          const answer = await call('admin', `/api/v1/hosts/${mac}/os`, { method: 'PUT', body: { image } });
          if (isGood(answer) && answer.json.attempt) promised.attempts.set(answer.json.attempt, mac);
        } else if (dice < 0.6) {
          labels += 1;
          promised.maybe.set(mac, labels);
          const body = { labels: { n: String(labels) } };
          const answer = await call('admin', `/api/v1/hosts/${mac}`, { method: 'PATCH', body });
          if (isGood(answer)) promised.labels.set(mac, labels);
        } else if (dice < 0.8)
          await call('admin', `/api/v1/hosts/${mac}/retry`, { method: 'POST', body: {} });
        else if (!promised.hosts.has(mac)) {
          const answer = await call('admin', '/api/v1/hosts', { body: { macs: [mac], image: 'one' } });
          if (answer !== null && [201, 409].includes(answer.status)) promised.hosts.add(mac);
        }
        await pause(15);
      }
    };
    const running = [...machines.map(live), operate()];

    for (let kill = 0; kill < KILLS; kill += 1) {
      // So much work, however slow this machine is, and then a moment within the next.
      const until = answered + 30 + random() * 120;
      while (answered < until) await pause(5);
      await pause(random() * 20);
      const victim = server as Server;
      const ended = once(victim.process, 'exit');
      victim.process.kill('SIGKILL');
      await ended;
      server = null;
      checkDatabase(data, promised);
      server = await serve(data);
    }
    isOver = true;
    await Promise.all(running);
    const counted = {
      reports: promised.reports.size,
      attempts: promised.attempts.size,
      hosts: promised.hosts.size,
    };
    process.stderr.write(`${KILLS} kills: ${JSON.stringify(counted)}\n`);
    expect(promised.reports.size).toBeGreaterThan(KILLS);

    // Each machine goes where it was told to go last, and says so. Nobody helps, but where the power was cut in a trial: the
    // machine is back as it should be, has said so, and the operator tries once more.
    for (const { mac, machine } of machines) {
      if (!promised.hosts.has(mac)) continue;
      let state = '';
      for (let turn = 0; turn < 80 && state !== 'active'; turn += 1) {
        await machine.turn();
        const host = (await call('admin', `/api/v1/hosts/${mac}`))?.json;
        state = host.state;
        if (state !== 'rolled-back') continue;
        expect(machine.sent).toContainEqual(
          expect.objectContaining({ kind: 'rolled-back', attempt: host.attempt.id }),
        );
        await call('admin', `/api/v1/hosts/${mac}/retry`, { method: 'POST', body: {} });
      }
      expect(state, mac).toBe('active');
      expect(machine.outrages).toEqual([]);
    }
    const ended = once(server.process, 'exit');
    server.process.kill('SIGTERM');
    expect((await ended)[0]).toBe(0);
    server = null;
    checkDatabase(data, promised);
  } finally {
    server?.process.kill('SIGKILL');
    rmSync(data, { recursive: true, force: true });
  }
});

function checkDatabase(data: string, promised: Promised): void {
  const db = new Database(join(data, 'warmboot.db'));
  try {
    expect(db.pragma('integrity_check')).toEqual([{ integrity_check: 'ok' }]);
    expect(db.pragma('foreign_key_check')).toEqual([]);
    const hostOf = db.prepare('SELECT host_id FROM host_macs WHERE mac = ?').pluck();
    // Of a boot that is over the server keeps the last number alone.
    const lastReport = db.prepare('SELECT max(seq) FROM reports WHERE host_id = ? AND boot_id = ?').pluck();
    const attempt = db.prepare('SELECT host_id FROM attempts WHERE id = ?').pluck();
    const labels = db.prepare("SELECT labels ->> '$.n' FROM hosts WHERE id = ?").pluck();
    for (const mac of promised.hosts) expect(hostOf.get(mac), mac).toBeDefined();
    for (const { mac, bootId, seq } of promised.reports.values())
      expect(lastReport.get(hostOf.get(mac), bootId), `${mac} ${bootId} ${seq}`).toBeGreaterThanOrEqual(seq);
    for (const [id, mac] of promised.attempts) expect(attempt.get(id), id).toBe(hostOf.get(mac));
    for (const [mac, count] of promised.labels)
      expect(Number(labels.get(hostOf.get(mac)))).toBeGreaterThanOrEqual(
        Math.min(count, promised.maybe.get(mac) ?? count),
      );
    const twice = db.prepare(`
      SELECT attempts.id, attempts.outcome, count(events.id) AS ends FROM attempts
      LEFT JOIN events ON events.kind = 'attempt-ended' AND events.attempt = attempts.id
      GROUP BY attempts.id HAVING ends <> (attempts.outcome IS NOT NULL)`);
    expect(twice.all()).toEqual([]);
    const open = db.prepare(
      'SELECT host_id FROM attempts WHERE outcome IS NULL GROUP BY host_id HAVING count(*) > 1',
    );
    expect(open.all()).toEqual([]);
  } finally {
    db.close();
  }
}

function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}
