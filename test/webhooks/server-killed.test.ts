import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { Webhook as StandardWebhook } from 'standardwebhooks';
import { expect, onTestFinished, test } from 'vitest';
import { receiver } from '../fixtures/receiver.ts';
import { ask, newMac } from '../fixtures/running-server.ts';

const ROOT = join(import.meta.dirname, '../..');

test('a server that is killed in the middle: every event comes, in order, at least once, and signed', async () => {
  const data = mkdtempSync(join(tmpdir(), 'warmboot-killed-'));
  const target = await receiver();
  let child: ChildProcess | null = null;
  onTestFinished(async () => {
    child?.kill('SIGKILL');
    await target.close();
    rmSync(data, { recursive: true, force: true });
  });

  async function start(): Promise<string> {
    const listen = ['--boot-listen', '127.0.0.1:0', '--admin-listen', '127.0.0.1:0', '--tftp-listen', 'off'];
    const run = ['server/main.ts', 'serve', '--data', data, ...listen];
    child = spawn(process.execPath, run, { cwd: ROOT, stdio: ['ignore', 'pipe', 'ignore'] });
    const lines = createInterface({ input: child.stdout as NodeJS.ReadableStream });
    const [ready] = (await once(lines, 'line')) as [string];
    return JSON.parse(ready).adminUrl;
  }
  const token = () => readFileSync(join(data, 'admin.token'), 'utf8').trim();
  const admin = (url: string, path: string, body?: object) =>
    ask(url, path, { headers: { authorization: `Bearer ${token()}` }, ...(body && { body }) });

  let url = await start();
  // One that is killed while the third message waits for its answer, and the seventh.
  target.answer = (_message, response) => {
    if ([3, 7].includes(target.got.length)) child?.kill('SIGKILL');
    else response.writeHead(204).end();
  };
  const { json: hook } = await admin(url, '/api/v1/webhooks', {
    url: target.url,
    kinds: ['host-enrolled'],
  });
  const macs = Array.from({ length: 6 }, () => newMac());
  for (const mac of macs.slice(0, 2)) await admin(url, '/api/v1/hosts', { macs: [mac] });
  await expect.poll(() => target.got.length).toBe(2);
  const rest = macs.slice(2);
  for (const kills of [0, 1]) {
    const died = once(child as unknown as ChildProcess, 'exit');
    // The last one may be refused by a server that is dead already: then it is sent to the next.
    while (rest.length > 2 - 2 * kills) {
      const sent = await admin(url, '/api/v1/hosts', { macs: [rest[0] ?? ''] }).catch(() => null);
      if (sent === null || sent.status === 409) break;
      rest.shift();
    }
    await died;
    url = await start();
  }
  for (const mac of rest) await admin(url, '/api/v1/hosts', { macs: [mac] });
  const delivered = () => [...new Set(target.got.map(({ body }) => JSON.parse(body).data.data.mac))];
  await expect.poll(delivered).toEqual(macs);
  const ids = target.got.map(({ body }) => JSON.parse(body).data.id as number);
  expect(ids).toEqual([...ids].sort((one, other) => one - other));
  expect(ids.length).toBeGreaterThan(new Set(ids).size);
  for (const { body, headers } of target.got)
    expect(new StandardWebhook(hook.secret).verify(body, headers)).toBeTruthy();
});
