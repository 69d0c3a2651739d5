import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { DISK, EMPTY, Machine } from '../fixtures/machine.ts';
import { type Ask, newMac, runningServer, type TestServer } from '../fixtures/running-server.ts';

let server: TestServer;
beforeAll(async () => {
  server = await runningServer();
});
afterAll(() => server.close());

const machine = (facts?: object) => new Machine(server).enrol(facts);

describe('claims', () => {
  test('new 201, the same again 200, another 409 with an event and nothing changed', async () => {
    const host = await machine();
    expect((await host.claim()).status).toBe(201);
    expect((await host.claim()).status).toBe(200);
    const other = await host.claim('another-token-of-a-stranger');
    expect(other.status).toBe(409);
    expect(other.headers['content-type']).toBe('application/problem+json');
    const { json } = await server.admin(`/api/v1/events?host=${host.mac}`);
    const kinds = json.events.map(({ kind }: { kind: string }) => kind);
    expect(kinds).toEqual(['host-enrolled', 'attempt-began', 'claimed', 'claim-refused']);
    expect((await host.ask('manifest')).status).toBe(200);
  });
  test('as a form, as a shell sends it', async () => {
    const host = await machine();
    const body = `attempt=${host.attempt}&token=${host.token}`;
    const headers = { 'content-type': 'application/x-www-form-urlencoded' };
    expect((await host.ask('claims', { body, headers })).status).toBe(201);
  });
  test('only of an open install', async () => {
    const host = await machine();
    host.attempt = 'another-attempt';
    expect((await host.claim()).status).toBe(409);
    const idle = await machine({});
    idle.attempt = 'attempt';
    expect((await idle.claim()).status).toBe(409);
  });
  test.each([
    {},
    { attempt: 'x' },
    { attempt: 'x', token: 'short' },
    { attempt: 'x', token: `${'x'.repeat(20)}\n` },
    { attempt: '../x', token: 'x'.repeat(32) },
  ])('%j is 400', async (body) => {
    expect((await (await machine()).ask('claims', { body })).status).toBe(400);
  });
  test('tokens are in no event, no answer and not in the database', async () => {
    const host = await machine();
    await host.claim();
    const events = await server.admin(`/api/v1/events?host=${host.mac}`);
    const shown = await server.admin(`/api/v1/hosts/${host.mac}`);
    expect(events.text + shown.text).not.toContain(host.token);
    const written = readFileSync(join(server.dataDir, 'warmboot.db-wal'));
    expect(written.includes(host.mac)).toBe(true);
    expect(written.includes(host.token)).toBe(false);
  });
});

describe('tokens', () => {
  test('an unclaimed install asks for none; a claimed host for its own', async () => {
    const host = await machine();
    const bare = (path: string) => server.boot(`/boot/hosts/${host.mac}/${path}`);
    expect((await bare('manifest')).status).toBe(200);
    await host.claim();
    for (const answer of [
      await bare('manifest'),
      await bare('layout?bytes=6442450944&sector=512'),
      await host.ask('manifest', { headers: { authorization: 'Bearer wrong-token' } }),
      await host.ask('manifest', { headers: { authorization: `Basic ${host.token}` } }),
      await host.ask('reports', { headers: { authorization: '' }, body: host.next({ kind: 'inventory' }) }),
    ]) {
      expect(answer.status).toBe(401);
      expect(answer.headers['www-authenticate']).toBe('Bearer');
      expect(answer.headers['content-type']).toBe('application/problem+json');
    }
    expect((await host.ask('manifest')).status).toBe(200);
  });
  test('a report that was refused was not taken', async () => {
    const host = await machine();
    await host.claim();
    const body = host.next({ kind: 'inventory' });
    expect((await host.ask('reports', { headers: { authorization: 'Bearer wrong' }, body })).status).toBe(
      401,
    );
    expect((await host.ask('reports', { body })).json).toMatchObject({ applied: true });
  });
  test('a reinstall may be claimed once more, by the same token or a new one', async () => {
    const host = await (await machine()).installed();
    const { json } = await server.admin(`/api/v1/hosts/${host.mac}/reinstall`, { body: {} });
    host.attempt = json.attempt;
    expect((await host.claim('a-new-token-0123456789')).status).toBe(201);
    expect((await host.claim()).status).toBe(409);
    expect((await host.ask('manifest')).status).toBe(401);
  });
});

describe('MACs', () => {
  test('in any case and with dashes are the same host', async () => {
    const { mac } = await machine();
    for (const name of [mac, mac.toUpperCase(), mac.replaceAll(':', '-'), mac.replaceAll(':', '%3A')])
      expect((await server.boot(`/boot/hosts/${name}/manifest`)).json.host).toBe(mac);
  });
  test.each(['x', '52:54:00:00:00', '52:54-00:00:00:01', 'ff:ff:ff:ff:ff:ff', '%00'])(
    '%s is 400',
    async (name) => {
      for (const path of ['manifest', 'layout?bytes=1&sector=512'])
        expect((await server.boot(`/boot/hosts/${name}/${path}`)).status).toBe(400);
      const claim = { attempt: 'x', token: 'x'.repeat(32) };
      expect((await server.boot(`/boot/hosts/${name}/claims`, { body: claim })).status).toBe(400);
    },
  );
  test('nobody knows are 404', async () => {
    const mac = newMac();
    const report = { attempt: null, bootId: 'b', seq: 1, kind: 'inventory' };
    expect((await server.boot(`/boot/hosts/${mac}/manifest`)).status).toBe(404);
    expect(
      (await server.boot(`/boot/hosts/${mac}/manifest?wait=5`, { headers: { 'if-none-match': '"x"' } }))
        .status,
    ).toBe(404);
    expect((await server.boot(`/boot/hosts/${mac}/reports`, { body: report })).status).toBe(404);
    expect(
      (await server.boot(`/boot/hosts/${mac}/claims`, { body: { attempt: 'x', token: 'x'.repeat(32) } }))
        .status,
    ).toBe(404);
  });
});

describe('reports', () => {
  test('taken 200, again 200 but not applied, contradicted or late 202', async () => {
    const host = await machine();
    const first = host.next({ kind: 'inventory' });
    const second = host.next({ kind: 'progress', phase: 'write', bytesDone: 1, bytesTotal: 2 });
    const send = async (body: object) => {
      const { status, json } = await host.ask('reports', { body });
      return [status, json.applied, json.verdict];
    };
    expect(await send(first)).toEqual([200, true, 'applied']);
    expect(await send(second)).toEqual([200, true, 'applied']);
    expect(await send(first)).toEqual([200, false, 'duplicate']);
    expect(await send(second)).toEqual([200, false, 'duplicate']);
    expect(await send({ ...second, bytesDone: 2 })).toEqual([202, false, 'stale']);
    host.reboot();
    expect(await send(host.next({ kind: 'inventory' }))).toEqual([200, true, 'applied']);
    expect(await send({ ...second, seq: 9 })).toEqual([202, false, 'stale']);
  });

  test('as a form with dotted keys', async () => {
    const host = await machine();
    const { digest } = server.one;
    const form = new URLSearchParams({
      ...(host.next({ kind: 'inventory' }) as Record<string, string>),
      slot: '',
      'slots.a.state': 'valid',
      'slots.a.digest': digest,
      'slots.b.state': 'empty',
      'slots.b.digest': '',
      'slots.a.files': 'ab'.repeat(32),
      'slots.c.state': 'empty',
      'slots.c.files': '',
      trial: 'false',
      disk: DISK.toUpperCase(),
    });
    const headers = { 'content-type': 'application/x-www-form-urlencoded; charset=utf-8' };
    const answer = await host.ask('reports', { body: String(form), headers });
    expect(answer.json).toMatchObject({ applied: true });
    const { observation } = (await server.admin(`/api/v1/hosts/${host.mac}`)).json;
    expect(observation).toMatchObject({ disk: DISK, trial: false, slot: null });
    // An agent of before says nothing of files, which is not the same as none.
    expect(observation.slots).toEqual({
      a: { state: 'valid', digest, files: 'ab'.repeat(32) },
      b: EMPTY,
      c: { ...EMPTY, files: null },
    });
  });

  const FORM = { 'content-type': 'application/x-www-form-urlencoded' };
  const plain = 'bootId=b&seq=1&kind=inventory&attempt=';
  test.each<[string, Ask]>([
    ['nothing', { body: '' }],
    ['no JSON', { body: '{"kind":', headers: { 'content-type': 'application/json' } }],
    ['a list', { body: [] }],
    ['a text', { body: '"x"' }],
    ['null', { body: 'null' }],
    ['bytes', { body: Buffer.from([0xff, 0xfe, 0, 1]) }],
    ['bytes as a form', { body: Buffer.from([0xff, 0xfe, 0, 1]), headers: FORM }],
    ['an unknown kind', { body: { bootId: 'b', seq: 1, kind: 'exploded' } }],
    ['number 0', { body: { bootId: 'b', seq: 0, kind: 'inventory' } }],
    ['half a number', { body: { bootId: 'b', seq: 1.5, kind: 'inventory' } }],
    ['a huge number', { body: { bootId: 'b', seq: 2 ** 60, kind: 'inventory' } }],
    ['no boot id', { body: { seq: 1, kind: 'inventory' } }],
    ['a boot id that is a path', { body: { bootId: '../../x', seq: 1, kind: 'inventory' } }],
    ['slot z', { body: { bootId: 'b', seq: 1, kind: 'booted', slot: 'z' } }],
    [
      'an upper-case digest',
      { body: { bootId: 'b', seq: 1, kind: 'booted', digest: `sha256:${'A'.repeat(64)}` } },
    ],
    ['negative bytes', { body: { bootId: 'b', seq: 1, kind: 'progress', bytesDone: -1 } }],
    ['an unknown slot state', { body: `${plain}&slots.a.state=broken`, headers: FORM }],
    ['files that are no sha256', { body: `${plain}&slots.a.state=empty&slots.a.files=../x`, headers: FORM }],
    ['slots that are a text', { body: `${plain}&slots=a`, headers: FORM }],
    [
      'a slot that is a prototype',
      { body: `${plain}&slots.constructor.prototype.state=valid`, headers: FORM },
    ],
  ])('%s is 400', async (_, how) => {
    const host = await machine();
    const { status, headers, json } = await host.ask('reports', { method: 'POST', ...how });
    expect(status).toBe(400);
    expect(headers['content-type']).toBe('application/problem+json');
    expect(json).toMatchObject({ status: 400, title: 'Bad Request', type: 'about:blank' });
    expect(json.detail).not.toMatch(/\n|node:|\.ts:/);
  });

  test.each<[string, Ask]>([
    ['as JSON', { body: { bootId: 'b', seq: 1, kind: 'failed', log: 'x'.repeat(1_000_000) } }],
    ['as a form', { body: `${plain}&log=${'x'.repeat(1_000_000)}`, headers: FORM }],
  ])('1 MB %s is 413', async (_, how) => {
    const host = await machine();
    const { status, json } = await host.ask('reports', { method: 'POST', ...how });
    expect(status).toBe(413);
    expect(json).toMatchObject({
      title: 'Content Too Large',
      detail: 'The body is larger than 262144 bytes. Send less.',
    });
  });

  test.each([
    '__proto__.polluted=yes',
    '__proto__=x',
    'constructor.prototype.polluted=yes',
    'slots.__proto__.state=valid',
    'slots.__proto__.polluted=yes',
    'a.b.c.d.e.f.g=1',
    `${'k'.repeat(500)}=1`,
    '=x&&&;',
    'unknown=1',
  ])('the key in %s pollutes nothing', async (extra) => {
    const host = await machine();
    const { status } = await host.ask('reports', { body: `${plain}&${extra}`, headers: FORM });
    expect([200, 400]).toContain(status);
    expect(({} as Record<string, unknown>).polluted).toBeUndefined();
    expect(({} as Record<string, unknown>).state).toBeUndefined();
  });

  test('what a host writes comes out as text, and as events', async () => {
    const host = await machine();
    const reason = `it's "<script>" $(x)\n\`y\``;
    await host.report({ kind: 'failed', phase: 'write', reason, log: 'last\nlines' });
    expect(await host.state()).toBe('failed');
    const { json } = await server.admin(`/api/v1/events?host=${host.mac}`);
    expect(json.events.at(-2)).toMatchObject({
      kind: 'report',
      data: { log: 'last\nlines', report: 'failed' },
    });
    expect(json.events.at(-1)).toMatchObject({
      kind: 'attempt-ended',
      data: { outcome: 'failed' },
      attempt: host.attempt,
    });
    const text = await host.ask('manifest', { headers: { accept: 'text/plain' } });
    const script = `${text.text}\nprintf %s "$REASON"`;
    expect(execFileSync('/bin/sh', ['-s'], { input: script, encoding: 'utf8' })).toBe(
      `failed: write: ${reason.replace('\n', ' ')}`,
    );
  });
});

describe('manifest', () => {
  test('JSON by default, text where it is asked for first', async () => {
    const host = await machine();
    const type = async (accept?: string) =>
      (await host.ask('manifest', { headers: { ...(accept && { accept }) } })).headers['content-type'];
    expect(await type()).toBe('application/json');
    expect(await type('*/*')).toBe('application/json');
    expect(await type('application/json, text/plain')).toBe('application/json');
    expect(await type('text/plain')).toBe('text/plain; charset=utf-8');
    expect(await type('TEXT/PLAIN;q=0.9, application/json;q=0.5')).toBe('text/plain; charset=utf-8');
  });

  test('OpenSSL verifies both representations, byte for byte', async () => {
    const host = await machine();
    const config = (await server.boot('/boot/installer/config.img')).body.toString();
    const pem = /-----BEGIN PUBLIC KEY-----[\s\S]+-----END PUBLIC KEY-----\n/.exec(config)?.[0] ?? '';
    const dir = mkdtempSync(join(tmpdir(), 'warmboot-sign-'));
    const file = (name: string) => join(dir, name);
    writeFileSync(file('key.pem'), pem);
    for (const accept of ['application/json', 'text/plain']) {
      const { headers, body } = await host.ask('manifest', { headers: { accept } });
      expect(headers['content-length'] ?? String(body.length)).toBe(String(body.length));
      writeFileSync(file('sig'), Buffer.from(headers['warmboot-signature'] ?? '', 'base64'));
      const verify = (text: Buffer) => {
        writeFileSync(file('body'), text);
        return execFileSync(
          'openssl',
          ['dgst', '-sha256', '-verify', file('key.pem'), '-signature', file('sig'), file('body')],
          { encoding: 'utf8', stdio: 'pipe' },
        );
      };
      expect(verify(body)).toContain('Verified OK');
      expect(() => verify(Buffer.concat([body, Buffer.from(' ')]))).toThrow();
    }
    rmSync(dir, { recursive: true });
  });

  test('304 while nothing changed; each representation has its own ETag', async () => {
    const host = await machine();
    const json = await host.ask('manifest');
    const text = await host.ask('manifest', { headers: { accept: 'text/plain' } });
    expect(json.headers.etag).not.toBe(text.headers.etag);
    expect(json.headers.vary).toContain('Accept');
    const again = async (tag: string) =>
      (await host.ask('manifest', { headers: { 'if-none-match': tag } })).status;
    expect(await again(json.headers.etag ?? '')).toBe(304);
    expect(await again(`"x", ${json.headers.etag}`)).toBe(304);
    expect(await again(`W/${json.headers.etag}`)).toBe(304);
    expect(await again(text.headers.etag ?? '')).toBe(200);
    expect(await again('"x"')).toBe(200);
  });

  test('a wait ends with 304 when its time is over, and with the change as soon as there is one', async () => {
    const host = await (await machine()).installed();
    const { headers, json } = await host.ask('manifest');
    const known = { 'if-none-match': headers.etag ?? '' };
    const began = Date.now();
    expect((await host.ask('manifest?wait=1', { headers: known })).status).toBe(304);
    expect(Date.now() - began).toBeGreaterThanOrEqual(950);
    const asked = Date.now();
    const waiting = host.ask('manifest?wait=60', { headers: known });
    await server.admin(`/api/v1/hosts/${host.mac}/os`, { method: 'PUT', body: { image: 'two' } });
    const changed = await waiting;
    // Not at the end of its time.
    expect(Date.now() - asked).toBeLessThan(59_000);
    expect(changed.json).toMatchObject({ action: 'stage', slot: 'b' });
    expect(changed.json.serial).toBeGreaterThan(json.serial);
  });

  test('a wait for what has changed already is answered at once; a wrong one is 400', async () => {
    const host = await machine();
    expect((await host.ask('manifest?wait=30', { headers: { 'if-none-match': '"old"' } })).status).toBe(200);
    expect((await host.ask('manifest?wait=30')).status).toBe(200);
    expect((await host.ask('manifest?wait=999999', { headers: { 'if-none-match': '"old"' } })).status).toBe(
      200,
    );
    for (const wait of ['-1', 'x', '1.5', '', '1e3'])
      expect((await host.ask(`manifest?wait=${wait}`, { headers: { 'if-none-match': '"x"' } })).status).toBe(
        400,
      );
  });

  test('progress wakes nobody and changes no manifest', async () => {
    const host = await machine();
    await host.claim();
    const before = await host.ask('manifest');
    await host.report({ kind: 'progress', phase: 'write', bytesDone: 1, bytesTotal: 9 });
    await host.report({ kind: 'progress', phase: 'write', bytesDone: 2, bytesTotal: 9 });
    expect((await host.ask('manifest')).text).toBe(before.text);
  });

  test('a host that is removed while it waits is told so', async () => {
    const host = await (await machine()).installed();
    const { headers } = await host.ask('manifest');
    const waiting = host.ask('manifest?wait=30', { headers: { 'if-none-match': headers.etag ?? '' } });
    await server.admin(`/api/v1/hosts/${host.mac}`, { method: 'DELETE' });
    expect((await waiting).status).toBe(404);
  });
});

test('the life that the demo shows, over HTTP', async () => {
  const host = await (await machine()).installed();
  const [one, two] = [server.one.digest, server.two.digest];
  expect(await host.state()).toBe('active');
  const put = (image: string) =>
    server.admin(`/api/v1/hosts/${host.mac}/os`, { method: 'PUT', body: { image } });
  expect(await put('one')).toMatchObject({ status: 200, json: { attempt: null, digest: one } });
  const ordered = await put('two');
  expect(ordered).toMatchObject({ status: 202, json: { digest: two, state: 'staging' } });
  expect((await put(two)).json.attempt).toBe(ordered.json.attempt);
  host.attempt = ordered.json.attempt;
  const stage = (await host.ask('manifest')).json;
  expect(stage).toMatchObject({ action: 'stage', slot: 'b', image: { name: 'two', digest: two } });
  for (const url of [stage.kernel.url, stage.initrd.url, ...Object.values<string>(stage.stage)])
    expect((await server.boot(url, { method: 'HEAD' })).status).toBe(200);
  await host.report({ kind: 'progress', phase: 'write', bytesDone: 1, bytesTotal: 2 });
  await host.report({ kind: 'staged', slot: 'b', digest: two });
  expect((await host.ask('manifest')).json).toMatchObject({ action: 'switch', slot: 'b' });
  await host.report({ kind: 'switching', slot: 'b', digest: two });
  host.reboot();
  await host.report({ kind: 'booted', slot: 'b', digest: two, default: 'a', trial: true });
  expect((await host.ask('manifest')).json).toMatchObject({ action: 'hold', attempt: host.attempt });
  await host.report({ kind: 'confirmed', slot: 'b', digest: two, default: 'b' });
  expect((await host.ask('manifest')).json).toMatchObject({ action: 'none', attempt: null, slot: 'b' });
  host.attempt = (await put('one')).json.attempt;
  expect((await host.ask('manifest')).json).toMatchObject({ action: 'switch', slot: 'a' });
  await host.report({ kind: 'switching', slot: 'a', digest: one });
  host.reboot();
  await host.report({ kind: 'rolled-back', slot: 'b', digest: two, default: 'b', reason: 'panic' });
  expect(await host.state()).toBe('rolled-back');
  expect((await host.ask('manifest')).json).toMatchObject({ action: 'hold', attempt: null });
  expect(await put('two')).toMatchObject({
    status: 200,
    json: { attempt: null, digest: two, state: 'active' },
  });
});
