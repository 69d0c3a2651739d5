import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { request } from 'node:http';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { buildListSchema, buildSchema } from '../../server/contract/builds.ts';
import { eventListSchema } from '../../server/contract/events.ts';
import { hostDetailSchema, hostListSchema, reassignedSchema } from '../../server/contract/hosts.ts';
import { imageListSchema } from '../../server/contract/images.ts';
import { problemSchema } from '../../server/contract/route.ts';
import { saidInventory } from '../fixtures/inventories.ts';
import { type Ask, ask, newMac, runningServer, type TestServer } from '../fixtures/running-server.ts';

let server: TestServer;
beforeAll(async () => {
  server = await runningServer();
});
afterAll(() => server.close());

const HOSTS = '/api/v1/hosts';
const NO_DIGEST = `sha256:${'0'.repeat(64)}`;
const enrol = async (facts: object = {}) => {
  const mac = newMac();
  const answer = await server.admin(HOSTS, { body: { macs: [mac], ...facts } });
  expect(answer.status).toBe(201);
  return mac;
};

test.each(['/api/v1/hosts', '/api/v1/images', '/api/v1/events', '/api/v1/nothing', '/api/v1/builds/x/log'])(
  '%s is 401 without the token',
  async (path) => {
    const tokens: Record<string, string>[] = [
      {},
      { authorization: 'Bearer wrong' },
      { authorization: `Basic ${server.token}` },
      { authorization: `Bearer ${server.token}x` },
      { authorization: 'Bearer ' },
    ];
    for (const headers of tokens) {
      const answer = await ask(server.running.adminUrl, path, { headers });
      expect(answer.status).toBe(401);
      expect(answer.headers['content-type']).toBe('application/problem+json');
      const isWrong = headers.authorization?.startsWith('Bearer w') || headers.authorization?.endsWith('x');
      expect(answer.headers['www-authenticate']).toBe(isWrong ? 'Bearer error="invalid_token"' : 'Bearer');
      expect(answer.text).not.toContain(server.token);
    }
  },
);

test('the planes are apart: no admin route on the boot plane, no boot route on the admin plane', async () => {
  const headers = { authorization: `Bearer ${server.token}` };
  expect((await server.boot('/api/v1/hosts', { headers })).status).toBe(404);
  expect((await server.admin('/boot.ipxe')).status).toBe(404);
  expect((await ask(server.running.adminUrl, '/healthz')).json).toMatchObject({ status: 'ok' });
});

// Which routes there are stands in docs/openapi.json, which `test/contract/openapi.test.ts` compares.
test('every reference in openapi.json leads somewhere', async () => {
  const { status, json, text } = await server.admin('/api/v1/openapi.json');
  expect(status).toBe(200);
  expect(json.openapi).toBe('3.1.0');
  expect(json.components.securitySchemes.token).toEqual({ type: 'http', scheme: 'bearer' });
  for (const [, name = ''] of text.matchAll(/"#\/components\/schemas\/([^"]+)"/g))
    expect(Object.keys(json.components.schemas)).toContain(name);
  for (const route of Object.values<Record<string, { responses: object }>>(json.paths))
    for (const { responses } of Object.values(route)) expect(Object.keys(responses)).toContain('401');
});

describe('what cannot be taken', () => {
  const json = { 'content-type': 'application/json' };
  test.each<[string, number, string, Ask]>([
    ['broken JSON', 400, HOSTS, { body: '{', headers: json }],
    ['no body', 400, HOSTS, { method: 'POST' }],
    ['no MAC', 400, HOSTS, { body: { macs: [] } }],
    ['a malformed MAC', 400, HOSTS, { body: { macs: ['x'] } }],
    ['an unknown field', 400, HOSTS, { body: { macs: ['52:54:00:00:00:01'], wiep: true } }],
    ['wipe as a text', 400, HOSTS, { body: { macs: ['52:54:00:00:00:01'], wipe: 'false' } }],
    ['an unknown image', 422, HOSTS, { body: { macs: ['52:54:00:00:00:01'], image: 'nothing' } }],
    ['an image that is a path', 422, HOSTS, { body: { macs: ['52:54:00:00:00:01'], image: '../one' } }],
    ['an installer as OS', 422, HOSTS, { body: { macs: ['52:54:00:00:00:01'], image: 'installer' } }],
    ['an unknown layout', 422, HOSTS, { body: { macs: ['52:54:00:00:00:01'], layout: '../two-slots' } }],
    [
      'a disk rule that is none',
      422,
      HOSTS,
      { body: { macs: ['52:54:00:00:00:01'], disk: 'path=/etc/passwd' } },
    ],
    [
      'kernel arguments that are code',
      422,
      HOSTS,
      { body: { macs: ['52:54:00:00:00:01'], append: "x' ; reboot" } },
    ],
    ['a malformed MAC in the address', 400, `${HOSTS}/x`, {}],
    ['an unknown host', 404, `${HOSTS}/52:54:00:00:00:ff`, {}],
    [
      'an order to an unknown host',
      404,
      `${HOSTS}/52:54:00:00:00:ff/os`,
      { method: 'PUT', body: { image: 'one' } },
    ],
    ['an unknown route', 404, '/api/v1/nothing', {}],
    ['an unknown image to show', 404, '/api/v1/images/nothing', {}],
    ['an unknown build', 404, '/api/v1/builds/nothing', {}],
    ['the log of an unknown build', 404, '/api/v1/builds/nothing/log', {}],
    ['a negative event', 400, '/api/v1/events?after=-1', {}],
    ['too many events', 400, '/api/v1/events?limit=100000', {}],
    ['events of an unknown host', 404, '/api/v1/events?host=52:54:00:00:00:ff', {}],
    ['events of nobody', 400, '/api/v1/events?host=x', {}],
    [
      'a stream of an unknown host',
      404,
      '/api/v1/events?host=52:54:00:00:00:ff',
      { headers: { accept: 'text/event-stream' } },
    ],
    ['a build with a path', 422, '/api/v1/builds', { body: { name: '../x' } }],
    [
      'a build of a context that is not here',
      422,
      '/api/v1/builds',
      { body: { name: 'x', context: NO_DIGEST } },
    ],
    [
      'a build from two sources',
      400,
      '/api/v1/builds',
      { body: { name: 'x', context: NO_DIGEST, from: 'y' } },
    ],
    ['a Dockerfile of no context', 400, '/api/v1/builds', { body: { name: 'x', dockerfile: 'y' } }],
    ['a finished image with a stage', 400, '/api/v1/builds', { body: { name: 'x', from: 'y', target: 'z' } }],
    ['an image name that is a flag', 400, '/api/v1/builds', { body: { name: 'x', from: '--y' } }],
    ['a stage that is none', 400, '/api/v1/builds', { body: { name: 'x', target: 'a b' } }],
    [
      'a build argument that is none',
      400,
      '/api/v1/builds',
      { body: { name: 'x', buildArguments: { '1': '' } } },
    ],
    ['a secret that is not base64', 400, '/api/v1/builds', { body: { name: 'x', secrets: { a: '%' } } }],
    ['a size without unit', 400, '/api/v1/builds', { body: { name: 'x', size: '2' } }],
    [
      'kernel arguments of an image that are code',
      400,
      '/api/v1/builds',
      { body: { name: 'x', append: "'; reboot" } },
    ],
    ['too many builds', 400, '/api/v1/builds?limit=1000', {}],
    ['a context without digest', 400, '/api/v1/contexts/x', {}],
    ['an unknown context', 404, `/api/v1/contexts/${NO_DIGEST}`, {}],
    ['a context that is another one', 422, `/api/v1/contexts/${NO_DIGEST}`, { method: 'PUT', body: 'x' }],
    [
      'a context that is too large',
      413,
      `/api/v1/contexts/${NO_DIGEST}`,
      { method: 'PUT', body: 'x', headers: { 'content-length': '5000000000' } },
    ],
  ])('%s is %i', async (_, status, path, how) => {
    const answer = await server.admin(path, how);
    expect(answer.status).toBe(status);
    expect(answer.headers['content-type']).toBe('application/problem+json');
    expect(problemSchema.parse(answer.json)).toMatchObject({ status, type: 'about:blank' });
    expect(answer.json.detail).toMatch(/^\S.*[.)…]$/);
    expect(answer.text).not.toMatch(/node_modules|node:|\.ts:|SqliteError/);
  });

  test('nothing of it left a host', async () => {
    expect((await server.admin(`${HOSTS}/52:54:00:00:00:01`)).status).toBe(404);
  });
});

describe('hosts', () => {
  test('are shown as the schema says', async () => {
    const mac = await enrol({
      image: 'one',
      labels: { rack: 'a1', pair: 'x=y' },
      wipe: true,
      append: 'console=ttyS1',
    });
    const { json } = await server.admin(`${HOSTS}/${mac}`);
    const host = hostDetailSchema.strict().parse(json);
    expect(host).toMatchObject({
      mac,
      state: 'approved',
      image: { ref: 'one', digest: server.one.digest },
      layout: 'two-slots',
      disk: 'smallest',
      claimed: false,
      attempt: { kind: 'install', phase: 'pending', outcome: null, image: 'one' },
      next: { action: 'install', slot: 'a' },
      observation: null,
    });
    const attempts = await server.admin(`${HOSTS}/${mac}/attempts`);
    expect(attempts.json.attempts).toEqual([json.attempt]);
    expect((await server.admin(`${HOSTS}/${mac}/next`)).json).toMatchObject({
      action: 'install',
      attempt: json.attempt.id,
    });
  });
  test('are listed in the order of their enrolment and filtered by label and state', async () => {
    const macs = [
      await enrol({ labels: { kind: 'list' } }),
      await enrol({ labels: { kind: 'list', pair: 'x=y' } }),
    ];
    const list = async (query: string) => {
      const { json } = await server.admin(`${HOSTS}?${query}`);
      return hostListSchema.parse(json).hosts.map(({ mac }) => mac);
    };
    expect(await list('label=kind%3Dlist')).toEqual(macs);
    expect(await list('label=kind')).toEqual(macs);
    expect(await list('label=kind%3Dlis')).toEqual([]);
    expect(await list('label=toString')).toEqual([]);
    expect(await list('label=kind%3Dlist&state=active')).toEqual([]);
    expect(await list('label=kind%3Dlist&state=approved')).toEqual(macs);
    expect(await list('label=kind&label=!pair')).toEqual([macs[0]]);
    expect(await list('label=kind%20in%20(x,list),pair')).toEqual([macs[1]]);
    expect(await list('label=kind&state=active&state=failed,approved')).toEqual(macs);
    expect(await list(`label=kind&q=${macs[1]?.toUpperCase().replaceAll(':', '-')}`)).toEqual([macs[1]]);
    expect(await list('label=kind&q=PAIR%3DX%3Dy')).toEqual([macs[1]]);
    const said = saidInventory({ system: { ...saidInventory().system, serial: 'SN-Zx%9', uuid: null } });
    await server.boot(`/boot/hosts/${macs[0]}/inventory`, { body: said });
    for (const part of ['sn-zx', 'ZX%9', 'cn0001', 'dell inc. POWER', '0h28rr', '127.0.0'])
      expect(await list(`label=kind&q=${encodeURIComponent(part)}`)).toEqual([macs[0]]);
    for (const part of ['z%9', 'sn_zx', "' OR 1=1 --", 'r640 sn-'])
      expect(await list(`label=kind&q=${encodeURIComponent(part)}`)).toEqual([]);
    const compact = macs[0]?.replaceAll(':', '') ?? '';
    expect(await list(`label=kind&q=${compact}`)).toEqual([macs[0]]);
    expect(await list(`label=kind&q=${compact.match(/.{4}/g)?.join('.')}`)).toEqual([macs[0]]);
  });
  test('are listed by image: those that shall run it', async () => {
    const mac = await enrol({ image: 'two', labels: { kind: 'by-image' } });
    const list = async (image: string) => {
      const { json } = await server.admin(`${HOSTS}?label=kind%3Dby-image&image=${image}`);
      return hostListSchema.parse(json).hosts.map((host) => host.mac);
    };
    expect(await list('two')).toEqual([mac]);
    expect(await list(server.two.digest)).toEqual([mac]);
    expect(await list('one')).toEqual([]);
    expect(await list(NO_DIGEST)).toEqual([]);
  });
  test('come a page at a time; a cursor goes on where the page ended, whatever was removed', async () => {
    const macs: string[] = [];
    for (let number = 0; number < 5; number += 1) macs.push(await enrol({ labels: { kind: 'paged' } }));
    const page = async (more: string) => {
      const { json } = await server.admin(`${HOSTS}?label=kind%3Dpaged&limit=2${more}`);
      return hostListSchema.parse(json);
    };
    const first = await page('');
    await server.admin(`${HOSTS}/${macs[1]}`, { method: 'DELETE' });
    const second = await page(`&cursor=${first.next}`);
    const third = await page(`&cursor=${second.next}`);
    expect([first, second, third].map(({ hosts }) => hosts.map(({ mac }) => mac))).toEqual([
      macs.slice(0, 2),
      macs.slice(2, 4),
      macs.slice(4),
    ]);
    expect(third.next).toBeNull();
  });
  test.each([
    ['label=a%20b', 400, /selector cannot be read: "a b" is no term/],
    ['label=rack%3Dx%3Dy', 400, /selector cannot be read/],
    ['state=asleep', 400, /"asleep" is no state/],
    ['cursor=WzFd', 400, /cursor is none of this server/],
    ['cursor=%F0%9F%90%A7', 400, /cursor is none of this server/],
    ['limit=0', 400, /limit/],
    ['limit=1001', 400, /limit/],
    ['image=nope', 422, /no image nope/],
  ])('are not listed for %s', async (query, status, words) => {
    const answer = await server.admin(`${HOSTS}?${query}`);
    expect([answer.status, problemSchema.parse(answer.json).detail]).toEqual([
      status,
      expect.stringMatching(words),
    ]);
  });
  test('have several MACs, all of them their name; a MAC belongs to one host', async () => {
    const macs = [newMac(), newMac()];
    await server.admin(HOSTS, {
      body: { macs: [macs[0]?.toUpperCase().replaceAll(':', '-'), macs[1], macs[0]] },
    });
    for (const mac of macs) expect((await server.admin(`${HOSTS}/${mac}`)).json.macs).toEqual(macs);
    const again = await server.admin(HOSTS, { body: { macs: [newMac(), macs[1]] } });
    expect(again.status).toBe(409);
  });
  test('have limits of their own, within bounds, that null takes away again', async () => {
    const mac = await enrol();
    const patch = async (body: object) =>
      (await server.admin(`${HOSTS}/${mac}`, { method: 'PATCH', body })) as { status: number; json: object };
    expect((await server.admin(`${HOSTS}/${mac}`)).json).toMatchObject({ trialSeconds: null, rate: null });
    const own = { trialSeconds: 900, rate: 20_000_000 };
    expect((await patch(own)).json).toMatchObject(own);
    for (const wrong of [{ trialSeconds: 59 }, { trialSeconds: 86_401 }, { rate: 0 }, { rate: '20MiB' }])
      expect([wrong, (await patch(wrong)).status]).toEqual([wrong, 400]);
    expect((await patch({ labels: {} })).json).toMatchObject(own);
    const none = { trialSeconds: null, rate: null };
    expect((await patch(none)).json).toMatchObject(none);
  });
  test('are changed and removed', async () => {
    const mac = await enrol();
    const before = (await server.admin(`${HOSTS}/${mac}`)).json;
    const changed = await server.admin(`${HOSTS}/${mac}`, {
      method: 'PATCH',
      body: { switch: 'reboot', labels: { a: 'b' } },
    });
    expect(changed.json).toMatchObject({ switch: 'reboot', labels: { a: 'b' } });
    expect(changed.json.serial).toBeGreaterThan(before.serial);
    expect((await server.admin(`${HOSTS}/${mac}`, { method: 'DELETE' })).status).toBe(204);
    expect((await server.admin(`${HOSTS}/${mac}`)).status).toBe(404);
    expect((await server.admin(`${HOSTS}/${mac}`, { method: 'DELETE' })).status).toBe(404);
    await server.admin(HOSTS, { body: { macs: [mac] } });
    expect((await server.admin(`${HOSTS}/${mac}`)).json.labels).toEqual({});
  });
});

describe('orders', () => {
  const put = (mac: string, body: object) => server.admin(`${HOSTS}/${mac}/os`, { method: 'PUT', body });
  test('the same target is the same attempt; another begins anew and inherits the install', async () => {
    const mac = await enrol({ image: 'one', wipe: true });
    const first = await put(mac, { image: 'one:latest' });
    expect(first.status).toBe(202);
    expect((await put(mac, { image: server.one.digest })).json.attempt).toBe(first.json.attempt);
    const other = await put(mac, { image: 'two' });
    expect(other.json.attempt).not.toBe(first.json.attempt);
    reassignedSchema.strict().parse(other.json);
    const { json } = await server.admin(`${HOSTS}/${mac}/attempts`);
    expect(json.attempts.map(({ kind, outcome }: Record<string, string>) => [kind, outcome])).toEqual([
      ['install', 'superseded'],
      ['install', null],
    ]);
  });
  test('an unknown image changes nothing', async () => {
    const mac = await enrol({ image: 'one' });
    const before = await server.admin(`${HOSTS}/${mac}`);
    expect((await put(mac, { image: 'nothing' })).status).toBe(422);
    expect((await put(mac, { image: 'installer' })).status).toBe(422);
    expect((await put(mac, {})).status).toBe(400);
    expect((await server.admin(`${HOSTS}/${mac}`)).text).toBe(before.text);
  });
  test('retry and reinstall without a cause are 409', async () => {
    const mac = await enrol();
    expect((await server.admin(`${HOSTS}/${mac}/retry`, { method: 'POST' })).status).toBe(409);
    expect((await server.admin(`${HOSTS}/${mac}/reinstall`, { body: {} })).status).toBe(409);
  });
  test('a failed install stays failed until a retry, which keeps its order', async () => {
    const mac = await enrol({ image: 'one', wipe: true });
    const { attempt } = (await server.admin(`${HOSTS}/${mac}`)).json;
    await server.boot(`/boot/hosts/${mac}/reports`, {
      body: { attempt: attempt.id, bootId: 'b', seq: 1, kind: 'failed', reason: 'bad' },
    });
    expect((await put(mac, { image: 'one' })).json).toMatchObject({ attempt: attempt.id, state: 'failed' });
    const again = await server.admin(`${HOSTS}/${mac}/retry`, { method: 'POST' });
    expect(again.status).toBe(202);
    expect(again.json.attempt).not.toBe(attempt.id);
    expect((await server.boot(`/boot/hosts/${mac}/manifest`)).json).toMatchObject({
      action: 'install',
      install: { wipe: true },
    });
    const twice = await server.admin(`${HOSTS}/${mac}/retry`, { method: 'POST' });
    expect(twice.json.attempt).toBe(again.json.attempt);
  });
  test('a reinstall wipes only if it says so', async () => {
    const mac = await enrol({ image: 'one', wipe: true });
    await server.admin(`${HOSTS}/${mac}/reinstall`, { method: 'POST' });
    expect((await server.boot(`/boot/hosts/${mac}/manifest`)).json.install.wipe).toBe(false);
    await server.admin(`${HOSTS}/${mac}/reinstall`, { body: { wipe: true } });
    expect((await server.boot(`/boot/hosts/${mac}/manifest`)).json.install.wipe).toBe(true);
  });
});

test('images are shown as the schema says', async () => {
  const { json } = await server.admin('/api/v1/images');
  const { images } = imageListSchema.parse(json);
  expect(images.map(({ tags }) => tags)).toEqual([['one:latest'], ['two:latest'], ['installer:latest']]);
  expect(images[0]).toMatchObject({ digest: server.one.digest, kind: 'os', os: 'Test one', chunks: 3 });
  for (const name of ['one', 'one:latest', server.one.digest])
    expect((await server.admin(`/api/v1/images/${name}`)).json).toEqual({
      ...images[0],
      filesystem: 'ext4',
      append: 'console=ttyS0,115200n8',
      // It came without.
      layers: null,
    });
});

test('hosts of an image are counted', async () => {
  const count = async () => (await server.admin('/api/v1/images/two')).json.hosts.assigned;
  const before = await count();
  await enrol({ image: 'two' });
  expect(await count()).toBe(before + 1);
});

test('what images share', async () => {
  const { json } = await server.admin('/api/v1/images/one/shared');
  expect(json).toEqual({ digest: server.one.digest, contentBytes: 13 * 4096, images: [] });
  expect((await server.admin('/api/v1/images/installer/shared')).json.images).toEqual([]);
  expect((await server.admin('/api/v1/images/nothing/shared')).status).toBe(404);
});

test('what can be built by its name', async () => {
  const { json } = await server.admin('/api/v1/recipes');
  expect(json.recipes).toContainEqual({ name: 'agent', kind: 'tool', filesystem: null });
});

test('images and builds are given a page at a time', async () => {
  const all = imageListSchema.parse((await server.admin('/api/v1/images')).json);
  expect(all.next).toBeNull();
  const found: string[] = [];
  let path = '/api/v1/images?limit=1';
  for (let page = 0; page < 3; page += 1) {
    const { images, next } = imageListSchema.parse((await server.admin(path)).json);
    found.push(...images.map(({ digest }) => digest));
    expect([page, next === null]).toEqual([page, page === 2]);
    path = `/api/v1/images?limit=1&cursor=${next}`;
  }
  expect(found).toEqual(all.images.map(({ digest }) => digest));

  const ids: string[] = [];
  for (const name of ['p1', 'p2', 'p3'])
    ids.push((await server.admin('/api/v1/builds', { body: { name, from: 'no-such/image' } })).json.id);
  const newest = buildListSchema.parse((await server.admin('/api/v1/builds?limit=2')).json);
  expect(newest.builds.map(({ id }) => id)).toEqual(ids.slice(1));
  const older = buildListSchema.parse(
    (await server.admin(`/api/v1/builds?limit=2&cursor=${newest.next}`)).json,
  );
  expect(older.builds.at(-1)?.id).toBe(ids[0]);

  for (const bad of [
    'limit=0',
    'limit=1001',
    'limit=1e9',
    'limit=x',
    'cursor=x',
    'cursor=W10',
    `cursor=${'A'.repeat(513)}`,
  ])
    for (const list of ['images', 'builds', 'hosts'])
      expect([bad, list, (await server.admin(`/api/v1/${list}?${bad}`)).status]).toEqual([bad, list, 400]);
  // A cursor that somebody made up leads to a page, and to nothing else.
  const made = Buffer.from(JSON.stringify([-1e308, "' OR 1=1 --"])).toString('base64url');
  for (const list of ['images', 'builds', 'hosts'])
    expect((await server.admin(`/api/v1/${list}?cursor=${made}`)).status).toBe(200);
});

describe('events', () => {
  test('come in order, the newest by default, and go on from a cursor', async () => {
    const mac = await enrol({ image: 'one' });
    const all = eventListSchema.parse((await server.admin('/api/v1/events?after=0&limit=1000')).json);
    const ids = all.events.map(({ id }) => id);
    expect(ids).toEqual([...ids].sort((a, b) => a - b));
    const newest = (await server.admin('/api/v1/events?limit=2')).json;
    expect(newest.events).toEqual(all.events.slice(-2));
    expect(newest.next).toBe(ids.at(-1));
    const rest = (await server.admin(`/api/v1/events?after=${newest.next}`)).json;
    expect(rest).toMatchObject({ events: [], next: newest.next });
    const own = (await server.admin(`/api/v1/events?host=${mac}`)).json.events;
    expect(own.map(({ kind }: { kind: string }) => kind)).toEqual(['host-enrolled', 'attempt-began']);
  });

  /** Reads a stream until `count` events came. */
  function stream(path: string, count: number, headers: Record<string, string>): Promise<string[]> {
    const { hostname, port } = new URL(server.running.adminUrl);
    const sent = { authorization: `Bearer ${server.token}`, accept: 'text/event-stream', ...headers };
    return new Promise((resolve, reject) => {
      const call = request({ hostname, port, path, headers: sent, agent: false }, (answer) => {
        expect(answer.headers['content-type']).toContain('text/event-stream');
        let text = '';
        answer.setEncoding('utf8').on('data', (part: string) => {
          text += part;
          const ids = [...text.matchAll(/^id: (\d+)$/gm)].map(([, id = '']) => id);
          if (ids.length < count) return;
          call.destroy();
          resolve(ids);
        });
      });
      call.on('error', reject).end();
    });
  }

  test('stream from where the client stopped, and what comes later', async () => {
    const last = (await server.admin('/api/v1/events?limit=1')).json.next as number;
    const mac = newMac();
    const reading = stream('/api/v1/events', 2, { 'last-event-id': String(last - 1) });
    await server.admin(HOSTS, { body: { macs: [mac] } });
    expect(await reading).toEqual([String(last), String(last + 1)]);
  });
});

describe('builds from what was sent', () => {
  const tar = Buffer.alloc(1024);
  const digest = `sha256:${createHash('sha256').update(tar).digest('hex')}`;
  const path = `/api/v1/contexts/${digest}`;

  test('a context is sent once, and known by its hash', async () => {
    expect((await server.admin(path)).status).toBe(404);
    const sent = await server.admin(path, { method: 'PUT', body: tar });
    expect([sent.status, sent.json]).toEqual([201, { digest, bytes: 1024 }]);
    expect((await server.admin(path)).json).toEqual({ digest, bytes: 1024 });
    expect((await server.admin(path, { method: 'PUT', body: tar })).status).toBe(201);
  });

  test('its build is listed; nothing that is written down holds its secrets', async () => {
    await server.admin(path, { method: 'PUT', body: tar });
    const secret = 'hush-hush-secret';
    const order = {
      name: 'sent',
      context: digest,
      secrets: { npm: Buffer.from(secret).toString('base64') },
      buildArguments: { A: 'b' },
      size: '4GiB',
    };
    const begun = await server.admin('/api/v1/builds', { body: order });
    expect(begun.status).toBe(202);
    const { id } = buildSchema.strict().parse(begun.json);
    const log = await server.admin(`/api/v1/builds/${id}/log`);
    const sentence = 'The context has no file Dockerfile. Name its Dockerfile, or send another context.';
    expect(log.text).toContain(sentence);
    const { builds } = buildListSchema.parse((await server.admin('/api/v1/builds')).json);
    expect(builds.at(-1)).toMatchObject({
      id,
      status: 'failed',
      error: sentence,
      name: 'sent',
      tag: 'latest',
    });
    const answers = [begun.text, log.text, (await server.admin('/api/v1/events?limit=1000')).text];
    const found = execFileSync('sh', [
      '-c',
      `grep -rlaE "$0|$1" "$2" || true`,
      secret,
      order.secrets.npm,
      server.dataDir,
    ]);
    expect([
      answers.filter((text) => text.includes(secret) || text.includes(order.secrets.npm)),
      String(found),
    ]).toEqual([[], '']);
  });
});

test('the attempts of a host come in pages, oldest first, each once', async () => {
  const mac = newMac();
  await server.admin(HOSTS, { body: { macs: [mac], image: 'one' } });
  for (let count = 0; count < 4; count += 1)
    await server.admin(`${HOSTS}/${mac}/reinstall`, { body: { wipe: false } });
  const get = async (query: string) => (await server.admin(`${HOSTS}/${mac}/attempts${query}`)).json;
  const all = await get('');
  expect([all.attempts.length, all.next]).toEqual([5, null]);
  const paged: unknown[] = [];
  const sizes: number[] = [];
  for (let next: string | null = ''; next !== null; ) {
    const page = await get(`?limit=2${next && `&cursor=${next}`}`);
    paged.push(...page.attempts);
    sizes.push(page.attempts.length);
    next = page.next;
  }
  expect(sizes).toEqual([2, 2, 1]);
  expect(paged).toEqual(all.attempts);
  expect((await server.admin(`${HOSTS}/${mac}/attempts?cursor=x`)).status).toBe(400);
});
