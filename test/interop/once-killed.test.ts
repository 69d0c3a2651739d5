import { type ChildProcess, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as pause } from 'node:timers/promises';
import Database from 'better-sqlite3';
import { expect, onTestFinished, test } from 'vitest';
import { runsAll } from '../all.ts';
import { ask, newMac, storeImage } from '../fixtures/running-server.ts';

const ROOT = join(import.meta.dirname, '../..');
const KILLS = runsAll() ? 40 : 6;
/** A server has room for 64, and a fast machine sends more than that. */
const MOST_WEBHOOKS = 60;

/** Each POST that is told apart by what it leaves behind, however often it was sent. */
type Sent = {
  readonly path: string;
  readonly body: object;
  readonly key: string;
  count(db: Database.Database): number;
};

test(`POSTs with an Idempotency-Key and a server that is killed ${KILLS} times: each is done once`, async () => {
  const data = mkdtempSync(join(tmpdir(), 'warmboot-once-'));
  let child = null as ChildProcess | null;
  onTestFinished(() => {
    child?.kill('SIGKILL');
    rmSync(data, { recursive: true, force: true });
  });
  await storeImage(data, 'one');
  async function start(): Promise<string> {
    const listen = ['--boot-listen', '127.0.0.1:0', '--admin-listen', '127.0.0.1:0', '--tftp-listen', 'off'];
    const run = ['server/main.ts', 'serve', '--data', data, ...listen];
    child = spawn(process.execPath, run, { cwd: ROOT, stdio: ['ignore', 'pipe', 'ignore'] });
    const [ready] = (await once(
      createInterface({ input: child.stdout as NodeJS.ReadableStream }),
      'line',
    )) as [string];
    return JSON.parse(ready).adminUrl;
  }
  let url = await start();
  const token = readFileSync(join(data, 'admin.token'), 'utf8').trim();
  const post = (path: string, body: object, key: string) =>
    ask(url, path, {
      body,
      headers: { authorization: `Bearer ${token}`, 'idempotency-key': `"${key}"` },
    }).catch(() => null);

  const installed = newMac();
  expect((await post('/api/v1/hosts', { macs: [installed], image: 'one' }, randomUUID()))?.status).toBe(201);

  const all: Sent[] = [];
  const answers = new Map<Sent, string>();
  /** Three kinds: a host that is made once, an order that begins anew at every call, a rule of nobody else's. */
  function next(): Sent {
    const [mac, key, at] = [newMac(), randomUUID(), all.length];
    const name = `hook-${at}`;
    const kinds: readonly Omit<Sent, 'key'>[] = [
      {
        path: '/api/v1/hosts',
        body: { macs: [mac] },
        count: (db) =>
          db
            .prepare("SELECT count(*) FROM events WHERE kind = 'host-enrolled' AND data LIKE ?")
            .pluck()
            .get(`%${mac}%`) as number,
      },
      {
        path: `/api/v1/hosts/${installed}/hold`,
        body: { reason: name },
        count: (db) =>
          db
            .prepare("SELECT count(*) FROM events WHERE kind = 'held' AND reason = ?")
            .pluck()
            .get(name) as number,
      },
      {
        path: '/api/v1/webhooks',
        body: { url: `http://127.0.0.1:9/${name}`, enabled: false },
        count: (db) =>
          db.prepare('SELECT count(*) FROM webhooks WHERE url LIKE ?').pluck().get(`%/${name}`) as number,
      },
    ];
    const left = at < MOST_WEBHOOKS * kinds.length ? kinds : kinds.slice(0, -1);
    return { ...(left[at % left.length] as Omit<Sent, 'key'>), key };
  }

  for (let kill = 0; kill < KILLS; kill += 1) {
    const died = once(child as unknown as ChildProcess, 'exit');
    const round: Sent[] = [];
    const load = (async () => {
      while (child?.exitCode === null && child.signalCode === null) {
        const sent = next();
        all.push(sent);
        round.push(sent);
        const answer = await post(sent.path, sent.body, sent.key);
        if (answer && answer.status < 300) answers.set(sent, answer.text);
      }
    })();
    // So much work, however slow this machine is, and then a moment within the next.
    while (round.length < 3) await pause(5);
    await pause(Math.random() * 400);
    child?.kill('SIGKILL');
    await Promise.all([died, load]);
    url = await start();
    // As a client does that knows nothing of the first time; twice, for the answer may be lost once more.
    for (const sent of round)
      for (let time = 0; time < 2; time += 1) {
        const again = await post(sent.path, sent.body, sent.key);
        const said = answers.get(sent);
        // The first was carried out, and its answer went with the server, or is a secret: it says so, and does nothing.
        if (again?.status === 409) expect(again.json.detail).toMatch(/was carried out already/);
        else expect([sent.path, again?.status]).toEqual([sent.path, sent.path.endsWith('hold') ? 200 : 201]);
        if (said !== undefined && again?.status !== 409) expect(again?.text).toBe(said);
      }
  }
  const died = once(child as unknown as ChildProcess, 'exit');
  child?.kill('SIGKILL');
  await died;
  const db = new Database(join(data, 'warmboot.db'), { readonly: true });
  expect(all.length).toBeGreaterThan(KILLS);
  expect(all.map((sent) => [sent.path, sent.count(db)])).toEqual(all.map(({ path }) => [path, 1]));
  expect(db.pragma('integrity_check', { simple: true })).toBe('ok');
  db.close();
});
