import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { start } from '../../server/app.ts';
import { MOST_FILE_BYTES } from '../../server/core/file-set.ts';
import { filesOfTar } from '../../server/core/ustar.ts';
import { saidInventory } from '../fixtures/inventories.ts';
import { Machine } from '../fixtures/machine.ts';
import { receiver } from '../fixtures/receiver.ts';
import { restoreInto, serveRestored } from '../fixtures/restored.ts';
import {
  type Ask,
  ask,
  BOOT,
  MIGRATIONS,
  newMac,
  runningServer,
  type TestServer,
} from '../fixtures/running-server.ts';

let server: TestServer;
const tokens: Record<string, string> = {};
beforeAll(async () => {
  server = await runningServer();
  for (const role of ['viewer', 'operator', 'admin'])
    tokens[role] = (await server.admin('/api/v1/tokens', { body: { name: role, role } })).json.token;
});
afterAll(() => server.close());

const SECRET = 'psk=correct-horse-battery-staple\n';
const sha256 = (text: string) => createHash('sha256').update(text).digest('hex');
const at = (mac: string, path = '') => `/api/v1/hosts/${mac}/files${path}`;
const put = (mac: string, path: string, content: string | Buffer = SECRET, how: Ask = {}) =>
  server.admin(at(mac, path), { method: 'PUT', body: content, ...how });
const list = async (mac: string) => (await server.admin(at(mac))).json;
const installing = async () => {
  const machine = await new Machine(server).enrol();
  await machine.claim();
  return machine;
};
const manifest = async (machine: Machine) => (await machine.ask('manifest')).json;
/** As the machine asks for what its manifest names. */
const fetched = (machine: Machine, sha: string, how: Ask = {}) => machine.ask(`files/${sha}`, how);

describe('operators', () => {
  test('give a host files, see which it has, and take them away', async () => {
    const { mac } = await new Machine(server).enrol();
    expect(await list(mac)).toMatchObject({ files: [], set: null });
    const first = await put(mac, '/etc/wifi.conf?mode=0600&owner=root:netdev');
    expect([first.status, first.json]).toEqual([
      201,
      {
        path: 'etc/wifi.conf',
        mode: '0600',
        owner: 'root:netdev',
        bytes: SECRET.length,
        sha256: sha256(SECRET),
      },
    ]);
    expect((await put(mac, '/etc/motd', 'hello\n')).json).toMatchObject({ mode: '0644', owner: 'root' });
    const both = await list(mac);
    expect(both.files.map(({ path }: { path: string }) => path)).toEqual(['etc/motd', 'etc/wifi.conf']);
    const { json: host } = await server.admin(`/api/v1/hosts/${mac}`);
    expect([host.files, host.revision]).toEqual([both.set, both.revision]);

    const gone = await server.admin(at(mac, '/etc/wifi.conf'), { method: 'DELETE' });
    expect([gone.status, gone.text]).toEqual([204, '']);
    expect((await list(mac)).files.length).toBe(1);
    expect((await server.admin(at(mac, '/etc/wifi.conf'), { method: 'DELETE' })).status).toBe(404);
    await server.admin(at(mac, '/etc/motd'), { method: 'DELETE' });
    expect(await list(mac)).toMatchObject({ files: [], set: null });
    expect((await server.admin(`/api/v1/hosts/${mac}`)).json.files).toBeNull();
  });

  test('write the path with slashes, or encoded as a generated client does', async () => {
    const { mac } = await new Machine(server).enrol();
    expect((await put(mac, '/etc%2Fnetwork%2Finterfaces')).json.path).toBe('etc/network/interfaces');
    expect((await put(mac, '/etc/network/interfaces')).status).toBe(200);
    expect((await server.admin(at(mac, '/etc%2fnetwork/interfaces'))).text).toBe(SECRET);
  });

  test('replace what is in a file, and its mode stays; the same again is no change', async () => {
    const { mac } = await new Machine(server).enrol();
    await put(mac, '/etc/key?mode=0600');
    const before = await list(mac);
    expect((await put(mac, '/etc/key')).status).toBe(200);
    expect((await put(mac, '/etc/key?mode=600&owner=root')).status).toBe(200);
    expect(await list(mac)).toEqual(before);
    expect((await put(mac, '/etc/key', 'other')).json.mode).toBe('0600');
    const after = await list(mac);
    expect(after.revision).toBeGreaterThan(before.revision);
    expect(after.set.sha256).not.toBe(before.set.sha256);
    const { json } = await server.admin(`/api/v1/events?host=${mac}&kind=host-files-changed`);
    expect(json.events.length).toBe(2);
  });

  test('send any bytes, none among them', async () => {
    const { mac } = await new Machine(server).enrol();
    const bytes = Buffer.from(Array.from({ length: 512 }, (_, index) => index % 256));
    for (const [path, body] of [
      ['/a', bytes],
      ['/b', Buffer.alloc(0)],
      ['/c', Buffer.from('{"not": json')],
    ] as const)
      for (const type of [
        'application/octet-stream',
        'application/json',
        'application/x-www-form-urlencoded',
        'multipart/form-data',
      ])
        expect([201, 200]).toContain(
          (await put(mac, path, body, { headers: { 'content-type': type } })).status,
        );
    expect((await server.admin(at(mac, '/a'))).body.equals(bytes)).toBe(true);
    expect((await server.admin(at(mac, '/b'))).body.length).toBe(0);
    expect((await server.admin(at(mac, '/c'))).text).toBe('{"not": json');
  });

  test.each([
    ['/../etc/shadow', 404],
    ['/..%2F..%2Fetc%2Fshadow', 422],
    ['/etc%2F%2E%2E%2Fshadow', 422],
    ['//etc/motd', 422],
    ['/etc/motd/', 422],
    ['/etc//motd', 422],
    ['/', 404],
    ['/etc/a%00b', 422],
    ['/etc/a%0Ab', 404],
    ['/etc/%zz', 422],
    ['/etc/a%20b', 422],
    ['/boot/grub/grub.cfg', 422],
    ['/etc/machine-id', 422],
    ['/etc/ssh/ssh_host_rsa_key', 422],
    ['/seed/other', 422],
    [`/${'x'.repeat(101)}`, 422],
    ['/etc/motd?mode=4755', 422],
    ['/etc/motd?mode=rwx', 422],
    ['/etc/motd?owner=Root', 422],
    ['/etc/motd?owner=a%0Ab', 422],
  ])('are refused %s', async (path, status) => {
    const { mac } = await new Machine(server).enrol();
    const answer = await put(mac, path);

    expect(answer.status).toBe(status);
    expect(answer.headers['content-type']).toBe('application/problem+json');
    expect((await list(mac)).files).toEqual([]);
  });

  test('are refused a file that is too large, and files that are together', async () => {
    const { mac } = await new Machine(server).enrol();
    const most = Buffer.alloc(MOST_FILE_BYTES);
    const alone = await put(mac, '/a', Buffer.concat([most, Buffer.from('x')]));
    // Not read to its end, so not counted together with others.
    expect([alone.status, alone.json.detail]).toEqual([413, expect.stringContaining('larger than 262144')]);
    expect((await put(mac, '/a', most)).status).toBe(201);
    const more = await put(mac, '/b', 'x');
    expect([more.status, more.json.detail]).toEqual([413, expect.stringContaining('262145')]);
    const chunked = await put(mac, '/a', Buffer.alloc(2 * MOST_FILE_BYTES), {
      headers: { 'transfer-encoding': 'chunked' },
    });
    expect(chunked.status).toBe(413);
  });

  test('give no file to a host that does not take part, and can take files from a retired one', async () => {
    const mac = newMac();
    const nics = [{ name: 'eth0', mac, driver: 'x', bus: 'pci', link: true, speedMbps: 1 }];
    const none = { vendor: null, product: null, serial: null };
    await server.boot(`/boot/hosts/${mac}/inventory`, {
      body: saidInventory({ system: { ...none, uuid: null }, board: none, nics }),
    });
    expect((await put(mac, '/etc/motd')).status).toBe(409);
    await server.admin(`/api/v1/hosts/${mac}/ignored`, { method: 'PUT', body: { ignored: true } });
    expect((await put(mac, '/etc/motd')).json.detail).toContain('Approve it without an image');
    await server.admin(`/api/v1/hosts/${mac}/approve`, { body: {} });
    expect((await put(mac, '/etc/motd')).status).toBe(201);
    await server.admin(`/api/v1/hosts/${mac}/retire`, { body: {} });
    expect((await put(mac, '/etc/issue')).status).toBe(409);
    expect((await server.admin(at(mac, '/etc/motd'), { method: 'DELETE' })).status).toBe(204);
    expect((await put(newMac(), '/etc/motd')).status).toBe(404);
    expect((await put('52:54', '/etc/motd')).status).toBe(400);
  });

  test('do not take changes from each other: If-Match is the revision, or an ETag', async () => {
    const { mac } = await new Machine(server).enrol();
    await put(mac, '/etc/motd');
    const seen = await server.admin(at(mac));
    const file = await server.admin(at(mac, '/etc/motd'));
    const host = await server.admin(`/api/v1/hosts/${mac}`);
    for (const etag of [
      seen.headers.etag,
      file.headers.etag,
      host.headers.etag,
      `"${seen.json.revision}"`,
      '*',
    ])
      expect((await put(mac, '/etc/motd', SECRET, { headers: { 'if-match': etag ?? '' } })).status).toBe(200);
    await put(mac, '/etc/issue');
    for (const method of ['PUT', 'DELETE']) {
      const late = await server.admin(at(mac, '/etc/motd'), {
        method,
        headers: { 'if-match': seen.headers.etag ?? '' },
        ...(method === 'PUT' && { body: 'late' }),
      });
      expect(late.status).toBe(412);
    }
    expect((await put(mac, '/etc/motd', 'x', { headers: { 'if-match': 'no tag' } })).status).toBe(400);
    expect((await server.admin(at(mac, '/etc/motd'))).text).toBe(SECRET);
  });

  test('see whether there is something new', async () => {
    const { mac } = await new Machine(server).enrol();
    await put(mac, '/etc/motd');
    for (const path of ['', '/etc/motd']) {
      const { headers } = await server.admin(at(mac, path));
      const again = await server.admin(at(mac, path), { headers: { 'if-none-match': headers.etag ?? '' } });
      expect([again.status, again.text]).toEqual([304, '']);
      const head = await server.admin(at(mac, path), { method: 'HEAD' });
      expect([head.status, head.text, head.headers.etag]).toEqual([200, '', headers.etag]);
    }
    const file = await server.admin(at(mac, '/etc/motd'), { method: 'HEAD' });
    expect(file.headers).toMatchObject({
      'content-length': String(SECRET.length),
      'cache-control': 'no-store',
    });
    expect((await server.admin(at(mac, '/etc/other'))).status).toBe(404);
    const wrong = await server.admin(at(mac, '/etc/motd'), { body: 'x' });
    expect([wrong.status, wrong.headers.allow]).toEqual([405, 'DELETE, GET, HEAD, PUT']);
  });

  test('who come at once lose nothing', async () => {
    const { mac } = await new Machine(server).enrol();
    const paths = Array.from({ length: 20 }, (_, index) => `/etc/site.d/${index}`);
    const answers = await Promise.all(paths.map((path) => put(mac, path)));
    expect(answers.map(({ status }) => status)).toEqual(paths.map(() => 201));
    expect((await list(mac)).files.length).toBe(20);
    const seen = (await server.admin(at(mac))).headers.etag ?? '';
    const racing = await Promise.all(
      paths.map((path) => put(mac, path, 'mine', { headers: { 'if-match': seen } })),
    );
    expect(racing.map(({ status }) => status).toSorted()).toEqual([200, ...Array(19).fill(412)]);
  });

  test('by their roles: viewers see which, operators change, administrators see what is in them', async () => {
    const { mac } = await new Machine(server).enrol();
    const as = (role: string, how: Ask = {}) => ({
      ...how,
      headers: { authorization: `Bearer ${tokens[role]}`, ...how.headers },
    });
    const putAs = (role: string) =>
      server.admin(at(mac, '/etc/motd'), as(role, { method: 'PUT', body: SECRET }));
    expect((await putAs('viewer')).status).toBe(403);
    expect((await putAs('operator')).status).toBe(201);
    expect((await putAs('admin')).status).toBe(200);
    for (const role of ['viewer', 'operator', 'admin'])
      expect((await server.admin(at(mac), as(role))).status).toBe(200);
    for (const method of ['GET', 'HEAD']) {
      const status = async (role: string) =>
        (await server.admin(at(mac, '/etc/motd'), as(role, { method }))).status;
      expect([await status('viewer'), await status('operator'), await status('admin')]).toEqual([
        403, 403, 200,
      ]);
    }
    const encoded = await server.admin(at(mac, '/etc%2Fmotd'), as('operator'));
    expect([encoded.status, encoded.text.includes('psk')]).toEqual([403, false]);
    const status = async (role: string) =>
      (await server.admin(at(mac, '/etc/motd'), as(role, { method: 'DELETE' }))).status;
    expect([await status('viewer'), await status('operator')]).toEqual([403, 204]);
  });
});

describe('a host', () => {
  test('is told of its files with every step, and gets them for its token', async () => {
    const machine = await installing();
    expect((await manifest(machine)).files).toBeNull();
    await put(machine.mac, '/etc/wifi.conf?mode=0600');
    const { files } = await manifest(machine);
    const { set } = await list(machine.mac);
    expect(files).toEqual({ url: `/boot/hosts/${machine.mac}/files/${set.sha256}`, ...set });
    const answer = await server.boot(files.url, { headers: { authorization: `Bearer ${machine.token}` } });
    expect([answer.status, answer.headers['content-type'], answer.headers['cache-control']]).toEqual([
      200,
      'application/x-tar',
      'no-store',
    ]);
    expect([answer.body.length, sha256(answer.body as never)]).toEqual([files.bytes, files.sha256]);
    expect(filesOfTar(answer.body)).toEqual([
      { path: 'etc/wifi.conf', mode: 0o600, owner: 'root', group: 'root', content: Buffer.from(SECRET) },
    ]);
    const text = await machine.ask('manifest', { headers: { accept: 'text/plain' } });
    expect(text.text).toContain(
      `FILES_URL='${files.url}'\nFILES_SHA256='${files.sha256}'\nFILES_BYTES='${files.bytes}'\n`,
    );
    const head = await fetched(machine, set.sha256, { method: 'HEAD' });
    expect([head.status, head.headers['content-length'], head.body.length]).toEqual([
      200,
      String(files.bytes),
      0,
    ]);
    const part = await fetched(machine, set.sha256, { headers: { range: 'bytes=0-4' } });
    expect([part.status, part.text]).toEqual([206, 'etc/w']);
  });

  test('is woken when they change, and refused those that it had before', async () => {
    const machine = await installing();
    await put(machine.mac, '/etc/motd', 'one');
    const before = await machine.ask('manifest');
    const waiting = machine.ask('manifest?wait=30', {
      headers: { 'if-none-match': before.headers.etag ?? '' },
    });
    await put(machine.mac, '/etc/motd', 'two');
    const after = await waiting;
    expect([after.status, after.json.serial > before.json.serial]).toEqual([200, true]);
    expect((await fetched(machine, before.json.files.sha256)).status).toBe(404);
    expect((await fetched(machine, after.json.files.sha256)).status).toBe(200);
    await server.admin(at(machine.mac, '/etc/motd'), { method: 'DELETE' });
    expect((await manifest(machine)).files).toBeNull();
    const text = (await machine.ask('manifest', { headers: { accept: 'text/plain' } })).text;
    expect(text).toContain("FILES_URL=''\nFILES_SHA256=''\nFILES_BYTES=''\n");
    expect((await fetched(machine, after.json.files.sha256)).status).toBe(404);
  });

  test('gets them while it runs, too: the next switch needs them', async () => {
    const machine = await (await new Machine(server).enrol()).installed();
    await put(machine.mac, '/etc/motd');
    const { action, files } = await manifest(machine);
    expect([action, (await fetched(machine, files.sha256)).status]).toEqual(['none', 200]);
    await server.admin(`/api/v1/hosts/${machine.mac}/os`, { method: 'PUT', body: { image: 'two' } });
    expect(await manifest(machine)).toMatchObject({ action: 'stage', files });
    await server.admin(`/api/v1/hosts/${machine.mac}/hold`, { body: {} });
    expect(await manifest(machine)).toMatchObject({ action: 'hold', files });
  });

  test('nobody else gets them', async () => {
    const machine = await new Machine(server).enrol();
    await put(machine.mac, '/etc/motd');
    const sha = (await list(machine.mac)).set.sha256;
    const bare = { headers: { authorization: '' } };
    // Before it has claimed itself there is no token at all that would be its own.
    for (const how of [bare, {}]) expect((await fetched(machine, sha, how)).status).toBe(401);
    await machine.claim();
    const other = await (await new Machine(server).enrol()).installed();
    // Also not a host with the same files.
    await put(other.mac, '/etc/motd');
    expect((await list(other.mac)).set.sha256).toBe(sha);
    for (const token of [other.token, 'x'.repeat(43), server.token]) {
      const answer = await fetched(machine, sha, { headers: { authorization: `Bearer ${token}` } });
      expect([answer.status, answer.text.includes('psk')]).toEqual([401, false]);
    }
    expect((await fetched(machine, sha, bare)).status).toBe(401);
    expect((await fetched(machine, sha)).status).toBe(200);

    await server.admin(at(machine.mac, '/etc/motd'), { method: 'DELETE' });
    await put(machine.mac, '/etc/motd', 'of its own');
    // Its token is good, the files are another's.
    expect((await fetched(machine, sha)).status).toBe(404);
    expect((await fetched(other, sha)).status).toBe(200);
    expect((await server.boot(`/boot/hosts/${newMac()}/files/${sha}`)).status).toBe(404);
    for (const name of ['x', sha.toUpperCase(), `${sha}0`, '..%2Fmanifest', 'sha256:x'])
      expect((await fetched(other, name)).status, name).toBe(404);
  });

  test('whose token was taken away, or that is retired, gets none', async () => {
    const machine = await (await new Machine(server).enrol()).installed();
    await put(machine.mac, '/etc/motd');
    const sha = (await list(machine.mac)).set.sha256;
    expect((await fetched(machine, sha)).status).toBe(200);
    await server.admin(`/api/v1/hosts/${machine.mac}/release`, { body: {} });
    expect((await fetched(machine, sha)).status).toBe(401);
    const retired = await (await new Machine(server).enrol()).installed();
    await put(retired.mac, '/etc/motd');
    await server.admin(`/api/v1/hosts/${retired.mac}/retire`, { body: {} });
    expect((await fetched(retired, sha)).status).toBe(404);
    await server.admin(`/api/v1/hosts/${retired.mac}`, { method: 'DELETE' });
    expect((await fetched(retired, sha)).status).toBe(404);
  });

  test('that waits for approval, or is ignored, gets none', async () => {
    const mac = newMac();
    const nics = [{ name: 'eth0', mac, driver: 'x', bus: 'pci', link: true, speedMbps: 1 }];
    const none = { vendor: null, product: null, serial: null };
    await server.boot(`/boot/hosts/${mac}/inventory`, {
      body: saidInventory({ system: { ...none, uuid: null }, board: none, nics }),
    });
    const ask = async () => (await server.boot(`/boot/hosts/${mac}/files/${'0'.repeat(64)}`)).status;
    expect(await ask()).toBe(401);
    await server.admin(`/api/v1/hosts/${mac}/ignored`, { method: 'PUT', body: { ignored: true } });
    expect(await ask()).toBe(401);
  });
});

test('they are in a backup, and there again after a restore, for the token that the host has', async () => {
  const machine = await (await new Machine(server).enrol()).installed();
  await put(machine.mac, '/etc/wifi.conf?mode=0600');
  const { set } = await list(machine.mac);
  const archive = (await server.admin('/api/v1/backup', { body: {} })).body;
  const dataDir = mkdtempSync(join(tmpdir(), 'warmboot-host-files-'));
  try {
    rmSync(dataDir, { recursive: true });
    await restoreInto(dataDir, archive);
    const running = await serveRestored(dataDir);
    try {
      const get = (path: string) =>
        ask(running.adminUrl, path, { headers: { authorization: `Bearer ${server.token}` } });
      expect((await get(at(machine.mac))).json.set).toEqual(set);
      expect((await get(at(machine.mac, '/etc/wifi.conf'))).text).toBe(SECRET);
      const headers = { authorization: `Bearer ${machine.token}` };
      const answer = await ask(running.boot?.url ?? '', `/boot/hosts/${machine.mac}/files/${set.sha256}`, {
        headers,
      });
      expect([answer.status, answer.body.length]).toEqual([200, set.bytes]);
    } finally {
      await running.close();
    }
  } finally {
    rmSync(dataDir, { recursive: true, force: true });
  }
});

test('what is in a file is told in no line of the log and to no webhook', async () => {
  const lines: string[] = [];
  const dataDir = mkdtempSync(join(tmpdir(), 'warmboot-host-files-'));
  const target = await receiver();
  const running = await start(
    {
      dataDir,
      imagesDir: join(import.meta.dirname, '../../images'),
      migrationsDir: MIGRATIONS,
      adminListen: { host: '127.0.0.1', port: 0 },
      boot: { ...BOOT, tftp: null },
    },
    pino({ level: 'trace' }, { write: (line: string) => void lines.push(line) }),
  );
  try {
    const headers = { authorization: `Bearer ${readFileSync(join(dataDir, 'admin.token'), 'utf8').trim()}` };
    const admin = (path: string, how: Ask = {}) => ask(running.adminUrl, path, { ...how, headers });
    await admin('/api/v1/webhooks', { body: { url: target.url } });
    const mac = newMac();
    await admin('/api/v1/hosts', { body: { macs: [mac] } });
    for (const body of [SECRET, `${SECRET}more`, Buffer.alloc(300_000, SECRET)])
      await admin(at(mac, '/etc/wifi.conf'), { method: 'PUT', body });
    expect((await admin(at(mac, '/etc/wifi.conf'))).text).toBe(`${SECRET}more`);
    await admin(at(mac, '/etc/wifi.conf'), { method: 'DELETE' });
    const told = () => target.events().filter(({ kind }: { kind: string }) => kind === 'host-files-changed');
    await expect.poll(() => told().length).toBe(3);
    expect(told().map(({ data }: { data: { path: string } }) => data.path)).toEqual(
      Array(3).fill('etc/wifi.conf'),
    );
    expect(target.got.map(({ body }) => body).join()).not.toContain('battery');
    expect(lines.join()).toContain('/files/etc/wifi.conf');
    expect(lines.join()).not.toContain('battery');
  } finally {
    await running.close();
    await target.close();
    rmSync(dataDir, { recursive: true, force: true });
  }
});

test('what is in a file is told in no event, no list and no host', async () => {
  const { mac } = await new Machine(server).enrol();
  await put(mac, '/etc/wifi.conf?mode=0600');
  await put(mac, '/etc/wifi.conf', `${SECRET}more\n`);
  await server.admin(at(mac, '/etc/wifi.conf'), { method: 'DELETE' });
  const { json } = await server.admin(`/api/v1/events?host=${mac}&kind=host-files-changed`);
  const [first, second, third] = json.events;
  expect(first.data).toMatchObject({ mac, path: 'etc/wifi.conf', mode: '0600', owner: 'root', before: null });
  expect(second.data).toMatchObject({ before: sha256(SECRET), sha256: sha256(`${SECRET}more\n`) });
  expect(third.data).toEqual({
    mac,
    path: 'etc/wifi.conf',
    before: second.data.sha256,
    sha256: null,
    set: null,
  });
  expect([third.actor, typeof third.by]).toEqual(['operator', 'string']);
  for (const path of ['/api/v1/events', '/api/v1/hosts', `/api/v1/hosts/${mac}`, at(mac)])
    expect((await server.admin(path)).text).not.toContain('battery');
});
