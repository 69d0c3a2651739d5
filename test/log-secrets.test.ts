import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { expect, onTestFinished, test } from 'vitest';
import { saidInventory } from './fixtures/inventories.ts';
import { type Answer, ask, sha256, storeImage } from './fixtures/running-server.ts';

const secret = () => randomBytes(32).toString('base64url');

/** The program with its own log, which says as much as it can. */
async function running(data: string) {
  const options = ['--boot-listen', '127.0.0.1:0', '--admin-listen', '127.0.0.1:0', '--tftp-listen', 'off'];
  const child = spawn(process.execPath, ['server/main.ts', 'serve', ...options], {
    cwd: join(import.meta.dirname, '..'),
    env: { PATH: process.env.PATH, HOME: data, WARMBOOT_DATA: data, WARMBOOT_LOG: 'debug' },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  onTestFinished(() => void child.kill('SIGKILL'));
  let log = '';
  child.stderr.on('data', (text) => {
    log += text;
  });
  // One that does not start says why.
  const [ready] = (await Promise.race([
    once(createInterface(child.stdout), 'line'),
    once(child, 'close').then(() => Promise.reject(new Error(log))),
  ])) as [string];
  const ended = new Promise<void>((resolve) => child.once('close', () => resolve()));
  return {
    ...(JSON.parse(ready) as { adminUrl: string; bootUrl: string; bootPort: number }),
    /** Stops it. @returns all that it said */
    async log() {
      child.kill('SIGTERM');
      await ended;
      return log;
    },
  };
}

test('whatever is asked, no secret is in the log, in the database or in an answer that was not its own', async () => {
  const data = mkdtempSync(join(tmpdir(), 'warmboot-secrets-'));
  onTestFinished(() => rmSync(data, { recursive: true }));
  mkdirSync(join(data, 'data'));
  const dataDir = join(data, 'data');
  const { digest } = await storeImage(dataDir, 'one');
  await storeImage(dataDir, 'installer', 'installer');
  const server = await running(dataDir);
  const first = readFileSync(join(dataDir, 'admin.token'), 'utf8').trim();
  const boot = `http://127.0.0.1:${server.bootPort}`;
  const answers: Answer[] = [];
  const admin = async (
    path: string,
    how: { method?: string; headers?: Record<string, string>; body?: object } = {},
  ) => {
    const headers = { authorization: `Bearer ${first}`, ...how.headers };
    const answer = await ask(server.adminUrl, `/api/v1/${path}`, { ...how, headers });
    answers.push(answer);
    return answer;
  };

  const made = await ask(server.adminUrl, '/api/v1/tokens', {
    headers: { authorization: `Bearer ${first}` },
    body: { name: 'ci', role: 'operator' },
  });
  const login = await ask(server.adminUrl, '/api/v1/session', { body: { token: made.json.token } });
  const session = /warmboot-session=([^;]+)/.exec(String(login.headers['set-cookie']))?.[1] ?? '';
  const [hostToken, stranger, wrong, wrongLogin, wrongCookie, buildSecret, asQuery] = Array.from(
    { length: 7 },
    secret,
  );
  const secrets = {
    first,
    made: made.json.token,
    session,
    hostToken,
    stranger,
    wrong,
    wrongLogin,
    wrongCookie,
    buildSecret,
  } as Record<string, string>;

  const mac = '52:54:00:dd:00:01';
  const enrolled = await admin('hosts', { body: { macs: [mac], image: 'one' } });
  const attempt = enrolled.json.attempt.id;
  const say = async (
    path: string,
    token: string,
    body?: object | string,
    headers: Record<string, string> = {},
  ) => {
    const how = {
      headers: { authorization: `Bearer ${token}`, ...headers },
      ...(body !== undefined && { body }),
    };
    answers.push(await ask(boot, `/boot/hosts/${mac}/${path}`, how));
  };
  const form = { 'content-type': 'application/x-www-form-urlencoded' };
  await say('claims', '', { attempt, token: hostToken });
  await say('claims', '', { attempt, token: stranger });
  await say('claims', '', `attempt=${attempt}&token=${stranger}`, form);
  await say('claims', '', { attempt, token: `${stranger}\n` });
  await say('claims', '', `{"attempt": "${attempt}", "token": "${stranger}`);
  for (const token of [hostToken ?? '', stranger ?? '']) {
    await say('manifest', token);
    await say('reports', token, { attempt, bootId: 'b1', seq: 1, kind: 'inventory' });
    await say('reports', token, { attempt, bootId: 'b1', seq: 2, kind: 'failed', reason: 'x', log: 'y' });
    await say('inventory', token, saidInventory());
    await say('layout?bytes=1&sector=512', token);
  }
  answers.push(
    await ask(boot, `/boot/images/${digest}/index.json`, {
      headers: { authorization: `Bearer ${hostToken}` },
    }),
  );
  for (const headers of [
    { authorization: `Bearer ${wrong}` },
    { authorization: `Basic ${wrong}` },
    { authorization: '', cookie: `warmboot-session=${wrongCookie}` },
  ])
    await admin('hosts', { headers });
  await admin('session', { body: { token: wrongLogin ?? '' } });
  await admin('session', { headers: { authorization: '', cookie: `warmboot-session=${session}` } });
  await admin('session', {
    method: 'DELETE',
    headers: { authorization: '', cookie: `warmboot-session=${session}`, origin: server.adminUrl },
  });
  await admin('builds', {
    body: { name: 'none', secrets: { id: Buffer.from(buildSecret ?? '').toString('base64') } },
  });
  await admin('tokens', { body: { name: 'ci', role: 'viewer' } });
  await admin(`tokens/${made.json.id}`);
  await admin('tokens');
  await admin(`hosts/${mac}`);
  await admin(`hosts/${mac}/release`, { body: {} });
  await admin(`tokens/${made.json.id}`, { method: 'DELETE' });
  await admin('events?limit=1000');
  await admin(`hosts/%ff`, {});
  await admin(`hosts?token=${asQuery}&access_token=${asQuery}`);
  answers.push(await ask(boot, `/boot/script?mac=${mac}&token=${asQuery}`));

  const log = (await server.log()).replace(`token ${first}\n`, '');
  expect(log.split('\n').length).toBeGreaterThan(15);
  const shown = answers.map(({ text, headers }) => text + JSON.stringify(headers)).join('\n');
  const kept = readdirSync(dataDir)
    .filter((name) => name.startsWith('warmboot.db'))
    .map((name) => readFileSync(join(dataDir, name), 'latin1'))
    .join('');
  expect(kept).toContain(sha256(hostToken ?? ''));
  for (const [name, text] of Object.entries(secrets)) {
    expect([name, text.length > 20]).toEqual([name, true]);
    expect([name, log.includes(text), kept.includes(text), shown.includes(text)]).toEqual([
      name,
      false,
      false,
      false,
    ]);
    const base64 = Buffer.from(text).toString('base64');
    expect([name, log.includes(base64), kept.includes(base64)]).toEqual([name, false, false]);
  }
  // RFC 6750, 2.3: a token in an address is no token here; nothing logs the query.
  expect(log).not.toContain(asQuery);
});
