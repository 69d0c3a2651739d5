import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { promisify } from 'node:util';
import Database from 'better-sqlite3';
import { expect, test } from 'vitest';
import { type LocalServer, startLocalServer } from '../../lab/local-server.ts';
import { httpFace } from '../fixtures/http-face.ts';
import { type Ask, ask, storeImage } from '../fixtures/running-server.ts';
import { SimulatedMachine } from '../fixtures/simulated-machine.ts';

/**
 * A fleet whose server is lost. A backup is taken while machines install, switch and report; they go on, and so do the operators; then the
 * server is killed and its data folder is gone. The backup is restored by the command, the server starts: nobody is wiped, nobody
 * refuses its manifest, what the server believes is true, and what was open says why it ended.
 */

const ROOT = join(import.meta.dirname, '../..');
const MACHINES = 10;
const warmboot = (...args: string[]) =>
  promisify(execFile)(join(ROOT, 'warmboot'), args, { env: { ...process.env, WARMBOOT_SETUP: 'skip' } });

test('backup under load, a lost data folder, a restore: every host is where it should be, or says why not', {
  timeout: 600_000,
}, async () => {
  const dir = mkdtempSync(join(tmpdir(), 'warmboot-restore-fleet-'));
  const data = join(dir, 'data');
  const backup = join(dir, 'backup.tar');
  let server: LocalServer | null = null;
  let isOver = false;
  try {
    mkdirSync(data);
    for (const [name, kind] of [
      ['one', 'os'],
      ['two', 'os'],
      ['installer', 'installer'],
    ] as const)
      await storeImage(data, name, kind);
    server = await startLocalServer(data);
    const ports = { bootPort: portOf(server.url), adminPort: portOf(server.adminUrl) };
    const token = readFileSync(join(data, 'admin.token'), 'utf8').trim();
    const admin = async (path: string, how: Ask = {}) => {
      const headers = { authorization: `Bearer ${token}`, ...how.headers };
      return ask(server?.adminUrl ?? '', `/api/v1${path}`, { ...how, headers });
    };
    let answered = 0;
    const boot = async (path: string, how?: Ask) => {
      if (server === null) return null;
      const given = await ask(server.url, path, how).catch(() => null);
      if (given !== null) answered += 1;
      return given;
    };
    /** Reports that were answered with 2xx. */
    const taken = new Map<string, { mac: string; bootId: string; seq: number }>();
    const statuses: { mac: string; status: number; isOld: boolean }[] = [];
    const machines = Array.from({ length: MACHINES }, (_, at) => {
      const mac = `52:54:00:bc:00:${at.toString(16).padStart(2, '0')}`;
      const face = httpFace(mac, boot, ({ kind, bootId, seq, attempt }, status) => {
        // Of progress only the first and the last word is an event.
        if (kind !== 'progress') taken.set(`${mac} ${bootId} ${seq}`, { mac, bootId, seq });
        statuses.push({ mac, status, isOld: attempt !== null && since.has(attempt) });
      });
      return { mac, machine: new SimulatedMachine(mac.replaceAll(':', ''), face) };
    });
    /** Attempts that were ordered after the backup. */
    const since = new Set<string>();
    let isStill = false;
    const random = seeded(20_261_125);
    const live = async ({ machine }: (typeof machines)[number]) => {
      while (!isOver) {
        if (!isStill) await machine.turn();
        await pause(15 + random() * 40);
      }
    };
    const until = async (isSo: () => boolean | Promise<boolean>, what: string) => {
      for (const end = Date.now() + 120_000; !(await isSo()); await pause(20))
        if (Date.now() > end) throw new Error(`not seen in two minutes: ${what}`);
    };

    // Eight of ten are known to the backup: six are installed, one is about to install, one is still off.
    const [known, later] = [machines.slice(0, 8), machines.slice(8)];
    for (const { mac } of known.slice(0, 6))
      expect((await admin('/hosts', { body: { macs: [mac], image: 'one' } })).status).toBe(201);
    const running = machines.slice(0, 6).map(live);
    const states = async () =>
      new Map(
        (await admin('/hosts')).json.hosts.map(({ mac, state }: { mac: string; state: string }) => [
          mac,
          state,
        ]),
      );
    await until(
      async () => [...(await states()).values()].every((state) => state === 'active'),
      'all installed',
    );
    const macOf = (at: number) => machines[at]?.mac ?? '';
    const started = await admin('/rollouts', {
      body: { image: 'two', macs: [macOf(0), macOf(1)], waves: ['50%', '100%'], soakSeconds: 3_600 },
    });
    expect([started.status, started.text]).toEqual([201, expect.any(String)]);
    const order = async (at: number, image: string) => {
      const { json } = await admin(`/hosts/${macOf(at)}/os`, { method: 'PUT', body: { image } });
      return json.attempt as string | null;
    };
    await order(2, 'two');
    for (const at of [6, 7])
      expect((await admin('/hosts', { body: { macs: [macOf(at)], image: 'one' } })).status).toBe(201);
    running.push(live(machines[6] as (typeof machines)[number]));

    // The backup, while all of that is on its way.
    const [promised, before] = [new Map(taken), answered];
    await warmboot('backup', backup, '--with-images', '--data', data);
    expect(answered).toBeGreaterThan(before);
    expect(statSync(backup).mode & 0o777).toBe(0o600);

    // They go on: installs and switches end, new orders come, two machines join, one is installed anew.
    const noteSince = (attempt: string | null) => attempt && since.add(attempt);
    await until(async () => (await states()).get(macOf(6)) === 'active', 'the seventh is installed');
    for (const [at, image] of [
      [3, 'two'],
      [4, 'two'],
      [6, 'two'],
    ] as const)
      noteSince(await order(at, image));
    noteSince((await admin(`/hosts/${macOf(5)}/reinstall`, { body: {} })).json.attempt);
    for (const { mac } of later) {
      const { json } = await admin('/hosts', { body: { macs: [mac], image: 'two' } });
      noteSince(json.attempt?.id ?? null);
    }
    running.push(...later.map(live));
    await until(
      async () =>
        [2, 3, 4, 5, 6, 8, 9].every(
          (
            (all) => (at: number) =>
              all.get(macOf(at)) === 'active'
          )(await states()),
        ),
      'all active again',
    );
    // The last order is not acted on any more: the server is lost with it.
    isStill = true;
    await pause(200);
    noteSince(await order(4, 'one'));
    const lastSeen = (await admin('/events?limit=1')).json.next as number;
    await server.kill();
    server = null;
    rmSync(data, { recursive: true });

    const told = await warmboot('restore', backup, '--data', data);
    expect(told.stderr).toMatch(/8 hosts\. Start the server\./);
    const db = new Database(join(data, 'warmboot.db'), { readonly: true });
    const find = db
      .prepare(
        "SELECT count(*) FROM events WHERE data ->> 'bootId' = ? AND data ->> 'seq' = ? AND data ->> 'mac' = ?",
      )
      .pluck();
    for (const [name, { mac, bootId, seq }] of promised) expect(find.get(bootId, seq, mac), name).toBe(1);
    expect(promised.size).toBeGreaterThan(10);
    db.close();
    const wipes = machines.map(({ machine }) => machine.wipes.length);
    const sentBefore = statuses.length;
    server = await startLocalServer(data, ports);
    isStill = false;
    const seen = async (mac: string) => (await admin(`/hosts/${mac}`)).json;
    // No operator does anything. Each machine says once more what it is.
    await until(async () => {
      const running = await Promise.all(machines.slice(0, 7).map(({ mac }) => seen(mac)));
      return running.every(
        ({ observation }, at) => observation?.digest === machines[at]?.machine.memory?.digest,
      );
    }, 'the server knows what each machine runs');
    await pause(1_000);
    for (const { mac, machine } of machines.slice(0, 7)) {
      const host = await seen(mac);
      const { json: next } = await admin(`/hosts/${mac}/next`);
      const isThere = machine.memory?.digest === host.image.digest;
      if (isThere) expect([mac, host.state]).toEqual([mac, 'active']);
      else {
        expect([mac, ['hold', 'failed'].includes(host.state)]).toEqual([mac, true]);
        expect([mac, next.action, next.reason === '']).toEqual([mac, 'hold', false]);
      }
    }
    expect(machines.map(({ machine }) => machine.wipes.length)).toEqual(wipes);
    expect(machines.map(({ machine }) => [machine.serialsRefused, machine.outrages])).toEqual(
      machines.map(() => [0, []]),
    );
    // What was ordered since the backup is not known: told so, and never refused.
    const old = statuses.slice(sentBefore).filter(({ isOld }) => isOld);
    for (const each of old) expect([200, 202]).toContain(each.status);
    const { json: rollouts } = await admin('/rollouts');
    expect(rollouts.rollouts[0]).toMatchObject({ status: 'paused' });
    const { json: rollout } = await admin(`/rollouts/${rollouts.rollouts[0].id}`);
    expect(rollout.reason).toMatch(/restored from a backup/);
    const { json: events } = await admin(`/events?after=${lastSeen}&limit=1`);
    expect(events.events[0]).toMatchObject({ kind: 'restored' });

    // A report that was on its way when the server was lost.
    const late = machines[4] as (typeof machines)[number];
    const body = {
      attempt: [...since].at(-1),
      bootId: late.machine.memory?.bootId,
      seq: 9_999,
      kind: 'staged',
    };
    const report = await boot(`/boot/hosts/${late.mac}/reports`, {
      body: { ...body, slot: 'b', digest: (await seen(late.mac)).image.digest },
      headers: { authorization: `Bearer ${late.machine.disk?.token}` },
    });
    expect([report?.status, report?.text]).toEqual([202, expect.stringContaining('does not know')]);

    // The fleet goes on under its operators, those that the backup does not know too.
    for (const { mac } of later) expect((await admin('/hosts', { body: { macs: [mac] } })).status).toBe(201);
    await until(async () => {
      const all = await Promise.all(later.map(({ mac }) => seen(mac)));
      return all.every(({ observation }, at) => observation?.digest === later[at]?.machine.memory?.digest);
    }, 'machines that were enrolled again say what they run');
    for (const at of [0, 1, 2, 3, 4, 5, 6, 8, 9]) await order(at, 'two');
    await until(
      async () =>
        [0, 1, 2, 3, 4, 5, 6, 8, 9].every(
          (
            (all) => (at: number) =>
              all.get(macOf(at)) === 'active'
          )(await states()),
        ),
      'all are where they were ordered to',
    );
    expect(machines.map(({ machine }) => machine.wipes.length)).toEqual(wipes);
    isOver = true;
    await Promise.all(running);
  } finally {
    isOver = true;
    await server?.kill();
    rmSync(dir, { recursive: true, force: true });
  }
});

const portOf = (url: string) => Number(new URL(url).port);

function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}
