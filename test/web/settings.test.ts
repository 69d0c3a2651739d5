import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { newMac, runningServer, type TestServer } from '../fixtures/running-server.ts';
import { hiddenFields, loggedIn, loggedInAs, type PageClient } from './page-client.ts';

const EVIL = `"><img src=x onerror=alert(1)>'&`;

let server: TestServer;
let admin: PageClient;
let operator: PageClient;
let viewer: PageClient;
beforeAll(async () => {
  server = await runningServer();
  admin = await loggedIn(server);
  operator = await loggedInAs(server, 'operator');
  viewer = await loggedInAs(server, 'viewer');
});
afterAll(() => server.close());

test('what one may not look at is not named', async () => {
  const places = async (client: PageClient) =>
    [...(await client.look('/settings')).text.matchAll(/<li><a href="([^"]+)">/g)]
      .map(([, path]) => path)
      .filter((path) => path === '/tokens' || path === '/webhooks' || path === '/mirrors');
  expect(await places(admin)).toEqual(['/mirrors', '/tokens', '/webhooks']);
  expect(await places(viewer)).toEqual(['/mirrors']);
  for (const path of ['/tokens', '/webhooks']) expect((await operator.look(path)).status).toBe(403);
});

describe('tokens', () => {
  test('one is made and shown this once, listed without its secret, used, and revoked', async () => {
    const made = await admin.send('/tokens', '/tokens', { name: 'ci', role: 'operator', days: '30' });
    expect([made.status, made.headers['cache-control']]).toEqual([200, 'no-store']);
    const token = /<input id="token"[^>]* value="([^"]+)"/.exec(made.text)?.[1] ?? '';
    const client = await loggedIn(server, token);
    const { text } = await admin.look('/tokens');
    expect([text.includes(token), text.includes('>ci<'), /in (29|30) d/.test(text)]).toEqual([
      false,
      true,
      true,
    ]);
    const again = await admin.send('/tokens', '/tokens', { name: 'ci', role: 'operator', days: '' });
    expect(again.status).toBe(409);

    const { tokens } = (await server.admin('/api/v1/tokens')).json;
    const { id } = tokens.find(({ name }: { name: string }) => name === 'ci');
    const path = `/tokens/${id}/revoke`;
    expect((await admin.look(path)).text).toContain('is shut out at once');
    expect((await admin.send(path, path)).headers.location).toBe('/tokens');
    expect((await client.look('/events')).headers.location).toMatch(/^\/login/);
    expect((await admin.look(path)).status).toBe(404);
  });

  test('the last admin stays, and who revokes his own is told what that means', async () => {
    const { tokens } = (await server.admin('/api/v1/tokens')).json;
    const { id } = tokens.find(({ role }: { role: string }) => role === 'admin');
    const path = `/tokens/${id}/revoke`;
    expect((await admin.look(path)).text).toContain('you will be logged out');
    expect((await admin.send(path, path)).status).toBe(409);
  });

  test('what is refused is text', async () => {
    const refused = await admin.send('/tokens', '/tokens', { name: EVIL, role: EVIL, days: 'x' });
    expect([refused.status, refused.text.includes('<img')]).toEqual([400, false]);
  });
});

describe('profiles', () => {
  const profile = async (name: string) => (await server.admin(`/api/v1/profiles/${name}`)).json;
  const review = (fields: Record<string, string>) => `/profiles/_review?${new URLSearchParams(fields)}`;

  test('one is made, changed and removed, with what that does said before', async () => {
    const first = review({
      new: 'yes',
      name: 'dell',
      append: 'console=ttyS1',
      rate: '1MiB',
      readBack: 'false',
    });
    const { text } = await operator.look(first);
    expect(text).toContain('no host has it yet');
    expect(text).toContain('1MiB/s');
    const made = await operator.send(first, '/profiles');
    expect([made.status, made.headers.location]).toEqual([303, '/profiles/dell']);
    expect(await profile('dell')).toMatchObject({
      append: 'console=ttyS1',
      rate: 1048576,
      readBack: false,
      disk: null,
    });
    expect((await operator.send(first, '/profiles')).status).toBe(412);

    await server.admin('/api/v1/hosts', { body: { macs: [newMac()], profile: 'dell' } });
    const form = await operator.look('/profiles/dell');
    const revision = /name="revision" value="(\d+)"/.exec(form.text)?.[1] ?? '';
    const second = review({ name: 'dell', revision, append: 'console=ttyS0', switch: 'reboot' });
    const changes = await operator.look(second);
    expect(changes.text).toContain('1 host has it');
    expect(changes.text).toContain(
      '<code>console=ttyS1</code> → <strong><code>console=ttyS0</code></strong>',
    );
    expect((await operator.send(second, '/profiles')).status).toBe(303);
    expect(await profile('dell')).toMatchObject({ append: 'console=ttyS0', switch: 'reboot', rate: null });
    // From an older revision.
    expect((await operator.send(second, '/profiles')).status).toBe(412);

    const gone = '/profiles/dell/remove';
    expect((await operator.send(gone, gone)).status).toBe(409);
  });

  test('are looked at by a viewer, and nothing more', async () => {
    const list = await viewer.look('/profiles');
    const one = await viewer.look('/profiles/dell');
    expect([list.text.includes('_new'), one.text.includes('/remove'), one.text.includes('ttyS0')]).toEqual([
      false,
      false,
      true,
    ]);
  });

  test('are text', async () => {
    const path = review({ new: 'yes', name: EVIL, append: EVIL, disk: EVIL, trialSeconds: EVIL });
    const { text } = await operator.look(path);
    expect(text).not.toContain('<img');
    expect(hiddenFields(text, '/profiles').append).toContain('&lt;img');
    const refused = await operator.send(path, '/profiles');
    expect([refused.status, refused.text.includes('<img')]).toEqual([400, false]);
    expect((await operator.look(`/profiles/${encodeURIComponent(EVIL)}`)).text).not.toContain('<img');
  });
});

test('webhooks and mirrors are shown, as text, with what changes them', async () => {
  await server.admin('/api/v1/webhooks', {
    body: { url: 'http://127.0.0.1:9/"><img>', selector: 'rack=r1' },
  });
  const { text } = await admin.look('/webhooks');
  expect([text.includes('rack=r1'), text.includes('<img'), text.includes('warmboot webhook add')]).toEqual([
    true,
    false,
    true,
  ]);
  const etag = (await server.admin('/api/v1/mirrors')).headers.etag ?? '';
  const mirrors = [{ name: 'fra', selector: 'site=fra', url: 'http://10.1.0.1:8080' }];
  await server.admin('/api/v1/mirrors', { method: 'PUT', body: { mirrors }, headers: { 'if-match': etag } });
  expect((await viewer.look('/mirrors')).text).toContain('http://10.1.0.1:8080');
});
