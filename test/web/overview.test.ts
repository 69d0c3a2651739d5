import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { machine } from '../fixtures/inventories.ts';
import { newMac, runningServer, type TestServer } from '../fixtures/running-server.ts';
import { loggedInAs, type PageClient } from './page-client.ts';

const EVIL = `"><img src=x onerror=alert(1)>'&`;
const SHOWN = '&quot;&gt;&lt;img src=x onerror=alert(1)&gt;&#39;&amp;';

let server: TestServer;
let viewer: PageClient;
beforeAll(async () => {
  server = await runningServer();
  viewer = await loggedInAs(server, 'viewer', 'wall');
});
afterAll(() => server.close());

const overview = async () => (await viewer.look('/')).text;

test('a fleet of nobody: each part says so', async () => {
  const text = await overview();
  for (const said of [
    'No host is enrolled yet.',
    'None.',
    'No attempt failed lately.',
    '3 images',
    'Boot plane',
  ])
    expect(text).toContain(said);
});

test('hosts by state, machines that wait, and why attempts failed, each a link', async () => {
  const [waits, fails] = [newMac(), newMac()];
  await server.boot(`/boot/hosts/${waits}/inventory`, { body: machine([waits]) });
  const { json } = await server.admin('/api/v1/hosts', { body: { macs: [fails], image: 'one' } });
  const claim = { attempt: json.attempt.id, token: 'a-token-of-this-host-alone' };
  await server.boot(`/boot/hosts/${fails}/claims`, { body: claim });
  const report = {
    bootId: 'b',
    seq: 1,
    kind: 'failed',
    attempt: json.attempt.id,
    phase: 'write',
    reason: EVIL,
  };
  const headers = { authorization: `Bearer ${claim.token}` };
  expect((await server.boot(`/boot/hosts/${fails}/reports`, { body: report, headers })).status).toBe(200);
  const text = await overview();
  expect(text).toContain('href="/discovery"><strong>1</strong>');
  expect(text).toContain('href="/hosts?state=failed"><strong>1</strong>');
  for (const mac of [waits, fails]) expect(text).toContain(`href="/hosts/${encodeURIComponent(mac)}"`);
  expect([text.includes(SHOWN), text.includes('<img')]).toEqual([true, false]);
});

test('an image that a check found damaged', async () => {
  expect(await overview()).not.toContain('Damaged:');
  writeFileSync(join(server.dataDir, 'images', server.two.digest.slice(7), 'kernel'), 'spoilt');
  await server.admin('/api/v1/store/verify', { method: 'POST' });
  expect(await overview()).toMatch(/Damaged: <a href="[^"]*">two:latest<\/a>/);
});
