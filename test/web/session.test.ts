import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ask, newMac, runningServer, type TestServer } from '../fixtures/running-server.ts';
import { FORM, FROM_HERE, formBody, hiddenFields, loggedIn, type PageClient } from './page-client.ts';

let server: TestServer;
let admin: PageClient;
beforeAll(async () => {
  server = await runningServer();
  admin = await loggedIn(server);
});
afterAll(() => server.close());

const HTML = { accept: 'text/html,application/xhtml+xml' };
const bare = (path: string, how: object = {}) =>
  ask(server.running.adminUrl, path, { headers: HTML, ...how });

describe('login', () => {
  test('a page without a session leads to the login, and from there back to itself', async () => {
    const { status, headers } = await bare('/events?kind=held&host=');
    expect([status, headers.location]).toEqual([303, '/login?to=%2Fevents%3Fkind%3Dheld%26host%3D']);
    const { text } = await bare(headers.location ?? '');
    expect(hiddenFields(text, '/login')).toEqual({ to: '/events?kind=held&amp;host=' });
    const back = await bare('/login', {
      headers: { ...HTML, ...FORM, ...FROM_HERE },
      body: formBody({ token: server.token, to: '/events?kind=held' }),
    });
    expect([back.status, back.headers.location]).toEqual([303, '/events?kind=held']);
    expect(String(back.headers['set-cookie'])).toMatch(
      /^warmboot-session=[\w-]+; Path=\/; Expires=.*; HttpOnly; SameSite=Strict$/,
    );
  });

  test.each([
    'https://evil.example/',
    '//evil.example/',
    '/\\evil.example/',
    '/\t/evil.example',
    '/%0d%0aset-cookie: a',
    'javascript:alert(1)',
    '/../..//evil.example',
    '/.//evil.example',
    '/ /x',
  ])('to=%s leads nowhere else', async (to) => {
    const { headers } = await bare('/login', {
      headers: { ...HTML, ...FORM, ...FROM_HERE },
      body: formBody({ token: server.token, to }),
    });
    const { origin, pathname } = new URL(headers.location ?? '', server.running.adminUrl);
    expect(origin).toBe(new URL(server.running.adminUrl).origin);
    expect(pathname).not.toMatch(/^\/\//);
    expect(headers['set-cookie']).not.toContain('set-cookie: a');
  });

  test('a wrong token: the page says so, and sets no cookie', async () => {
    const wrong = await bare('/login', {
      headers: { ...HTML, ...FORM, ...FROM_HERE },
      body: formBody({ token: 'wrong', to: '/events' }),
    });
    expect(wrong.status).toBe(401);
    expect(wrong.text).toContain('The token is wrong, was revoked or has expired.');
    expect(hiddenFields(wrong.text, '/login')).toEqual({ to: '/events' });
    expect(wrong.headers['set-cookie']).toBeUndefined();
  });

  test('another site cannot log a browser in', async () => {
    const body = formBody({ token: server.token });
    for (const headers of [
      { 'sec-fetch-site': 'cross-site' },
      { 'sec-fetch-site': 'same-site' },
      { origin: 'https://evil.example' },
      { origin: 'null' },
      {},
    ]) {
      const answer = await bare('/login', { headers: { ...HTML, ...FORM, ...headers }, body });
      expect([answer.status, answer.headers['set-cookie']]).toEqual([403, undefined]);
    }
  });

  test('a link from another site goes on by itself, for the browser kept the cookie back', async () => {
    const answer = await bare('/events?kind=held', { headers: { ...HTML, 'sec-fetch-site': 'cross-site' } });
    expect([answer.status, answer.headers.refresh]).toEqual([200, '0; url=/events?kind=held']);
  });

  test('who is logged in is led on; a session that is over is forgotten', async () => {
    const again = await admin.look('/login?to=%2Fevents');
    expect([again.status, again.headers.location]).toEqual([303, '/events']);
    const over = await bare('/events', { headers: { ...HTML, cookie: 'warmboot-session=gone' } });
    expect([over.status, over.headers.location]).toEqual([303, '/login?to=%2Fevents']);
    expect(String(over.headers['set-cookie'])).toMatch(/^warmboot-session=; Max-Age=0; Path=\//);
  });

  test('a logout ends the session', async () => {
    const client = await loggedIn(server);
    const out = await client.send('/events', '/logout');
    expect([out.status, out.headers.location]).toEqual([303, '/login']);
    expect((await client.look('/events')).status).toBe(303);
    const api = await ask(server.running.adminUrl, '/api/v1/session', { headers: { cookie: client.cookie } });
    expect(api.status).toBe(401);
  });

  test('a body that is no login is not read', async () => {
    const answer = await bare('/login', {
      headers: { ...HTML, ...FORM, ...FROM_HERE },
      body: 'token='.padEnd(5000, 'x'),
    });
    expect([answer.status, answer.headers['content-type']]).toEqual([413, 'text/html; charset=UTF-8']);
  });
});

describe('a form that this server did not make', () => {
  const out = (headers: Record<string, string>, fields: Record<string, string>) =>
    bare('/logout', {
      headers: { ...HTML, ...FORM, cookie: admin.cookie, ...headers },
      body: formBody(fields),
    });
  const good = async () => hiddenFields((await admin.look('/events')).text, '/logout');

  test('without its token, with that of another session, or with a part of it', async () => {
    const { form = '' } = await good();
    const other = await loggedIn(server);
    const { form: foreign = '' } = hiddenFields((await other.look('/events')).text, '/logout');
    expect(foreign).not.toBe(form);
    for (const fields of [
      {},
      { form: '' },
      { form: foreign },
      { form: form.slice(1) },
      { form: `${form}x` },
    ]) {
      const answer = await out(FROM_HERE, fields as Record<string, string>);
      expect([answer.status, answer.text.includes('not made for this session')]).toEqual([403, true]);
    }
    expect((await admin.look('/events')).status).toBe(200);
  });

  test('sent from elsewhere, whatever it carries', async () => {
    const fields = await good();
    for (const headers of [
      { 'sec-fetch-site': 'cross-site' },
      { 'sec-fetch-site': 'same-site' },
      { 'sec-fetch-site': 'none' },
      { origin: 'https://evil.example' },
      { origin: 'null' },
      {},
    ])
      expect((await out(headers, fields)).status).toBe(403);
    expect((await admin.look('/events')).status).toBe(200);
  });

  test('as JSON or with parts', async () => {
    const fields = await good();
    for (const type of ['application/json', 'multipart/form-data; boundary=x', 'text/plain'])
      expect((await out({ ...FROM_HERE, 'content-type': type }, fields)).status).toBe(415);
  });

  test('its address named by the Origin alone is enough, as old browsers do', async () => {
    const client = await loggedIn(server);
    const { form = '' } = hiddenFields((await client.look('/events')).text, '/logout');
    const answer = await bare('/logout', {
      headers: { ...HTML, ...FORM, cookie: client.cookie, origin: server.running.adminUrl },
      body: formBody({ form }),
    });
    expect(answer.status).toBe(303);
  });

  test('it stays good over a restart, for it follows from the session', async () => {
    const client = await loggedIn(server);
    const { form = '' } = hiddenFields((await client.look('/events')).text, '/logout');
    await server.restart();
    const answer = await ask(server.running.adminUrl, '/logout', {
      headers: { ...HTML, ...FORM, ...FROM_HERE, cookie: client.cookie },
      body: formBody({ form }),
    });
    expect(answer.status).toBe(303);
  });
});

describe('whatever a browser gets', () => {
  test.each([
    ['a page', '/events', 200],
    ['a redirect', '/login?x', 303],
    ['a refusal', '/events?host=nothing', 400],
    ['what is not there', '/nothing', 404],
    ['a wrong method', '/events', 405],
    ['a stylesheet', '/static/style.css', 200],
  ])('%s has the headers', async (what, path, status) => {
    const method = what === 'a wrong method' ? 'DELETE' : 'GET';
    const answer = await admin.look(path, { method, headers: FROM_HERE });
    const { headers } = answer;
    expect(answer.status).toBe(status);
    expect(headers['content-security-policy']).toBe(
      "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
    );
    expect(headers).toMatchObject({
      'x-content-type-options': 'nosniff',
      'referrer-policy': 'same-origin',
      'cache-control': path.startsWith('/static') ? 'no-cache' : 'no-store',
    });
    expect(answer.text).not.toMatch(/ style="| on[a-z]+="|<script>|<style/);
  });

  test('programs are answered as ever where there is no page', async () => {
    const headers = { authorization: `Bearer ${server.token}` };
    const nothing = await ask(server.running.adminUrl, '/nothing', { headers });
    expect([nothing.status, nothing.headers['content-type']]).toEqual([404, 'application/problem+json']);
    const api = await ask(server.running.adminUrl, '/api/v1/nothing', { headers: { ...headers, ...HTML } });
    expect([api.status, api.headers['content-type']]).toEqual([404, 'application/problem+json']);
    expect((await ask(server.running.adminUrl, '/nothing')).status).toBe(401);
  });

  test('files are asked for anew, and not sent anew', async () => {
    const first = await bare('/static/live.js');
    const again = await bare('/static/live.js', { headers: { 'if-none-match': first.headers.etag } });
    expect([first.status, again.status, again.body.length]).toEqual([200, 304, 0]);
  });
});

test('what others wrote is text, in every place', async () => {
  const mac = newMac();
  const evil = `"><img src=x onerror=alert(1)>'&\u202e`;
  await server.admin('/api/v1/hosts', { body: { macs: [mac], image: 'one' } });
  await server.admin(`/api/v1/hosts/${mac}/hold`, { body: { reason: evil } });
  const { text } = await admin.look('/events');
  expect(text).toContain('&quot;&gt;&lt;img src=x onerror=alert(1)&gt;&#39;&amp;\\u{202e}');
  expect(text).not.toContain('<img');
  const asked = await admin.look(`/events?host=${encodeURIComponent(evil)}`);
  expect([asked.status, asked.text.includes('<img')]).toEqual([400, false]);
  const there = await admin.look('/%3Cimg%20src=x%3E');
  expect([there.status, there.text.includes('<img')]).toEqual([404, false]);
});

test('one line of the log and one count for a page, whatever it asks of the API', async () => {
  const count = async () =>
    Number(
      /warmboot_http_answers_total\{[^}]*route="\/events"[^}]*\} (\d+)/.exec(
        (await server.admin('/metrics')).text,
      )?.[1] ?? 0,
    );
  const before = await count();
  const answer = await admin.look('/events', { headers: { 'x-request-id': 'mine-1' } });
  expect(answer.headers['x-request-id']).toBe('mine-1');
  expect(await count()).toBe(before + 1);
});
