import { afterAll, beforeAll, expect, test } from 'vitest';
import { saidInventory } from '../fixtures/inventories.ts';
import { Machine } from '../fixtures/machine.ts';
import { newMac, runningServer, type TestServer } from '../fixtures/running-server.ts';

/** Every route that changes something leaves the events that it should, with the name of the token that was used. */

let server: TestServer;
let ann: string;
beforeAll(async () => {
  server = await runningServer();
  const { json } = await server.admin('/api/v1/tokens', { body: { name: 'ann', role: 'admin' } });
  ann = json.token;
});
afterAll(() => server.close());

const host = async (facts: object = { image: 'one' }) => (await new Machine(server).enrol(facts)).mac;
const failed = async () => {
  const machine = await new Machine(server).enrol();
  await machine.claim();
  await machine.report({ kind: 'failed', reason: 'no disk' });
  return machine.mac;
};
const discovered = async () => {
  const mac = newMac();
  const body = saidInventory({
    system: { vendor: null, product: null, serial: null, uuid: null },
    board: { vendor: null, product: null, serial: null },
    nics: [{ name: 'eth0', mac, driver: 'x', bus: 'pci', link: true, speedMbps: 1 }],
  });
  expect((await server.boot(`/boot/hosts/${mac}/inventory`, { body })).status).toBe(200);
  return mac;
};
/** Installed with `one`, and ordered to go to `two`. */
const moved = async () => {
  const machine = await (await new Machine(server).enrol()).installed();
  const { json } = await server.admin(`/api/v1/hosts/${machine.mac}/os`, {
    method: 'PUT',
    body: { image: 'two' },
  });
  machine.attempt = json.attempt;
  await machine.report({ kind: 'staged', slot: 'b', digest: server.two.digest });
  await machine.report({ kind: 'switching', slot: 'b', digest: server.two.digest });
  machine.reboot();
  const slots = {
    a: { state: 'modified', digest: server.one.digest },
    b: { state: 'modified', digest: server.two.digest },
  };
  const up = { slot: 'b', digest: server.two.digest, default: 'b', slots };
  await machine.report({ kind: 'booted', ...up });
  await machine.report({ kind: 'confirmed', ...up });
  return machine.mac;
};
const upload = async () => {
  const index = server.one.files['index.json']?.toString();
  const { json } = await server.admin('/api/v1/uploads', { body: { index, name: 'copy', tag: 'x' } });
  return json.id as string;
};
const claimed = async () => {
  const machine = await new Machine(server).enrol();
  await machine.claim();
  return machine.mac;
};
const policy = { rules: [], otherwise: 'hold', forgetAfterDays: 30, maxWaiting: 1000 };
const hook = async () =>
  (await server.admin('/api/v1/webhooks', { body: { url: 'http://127.0.0.1:9/', enabled: false } })).json.id;
const tokenId = async () =>
  (
    await server.admin('/api/v1/tokens', {
      body: { name: `t${newMac().replaceAll(':', '')}`, role: 'viewer' },
    })
  ).json.id;

const profile = async () => {
  const name = `p${newMac().replaceAll(':', '')}`;
  await server.admin(`/api/v1/profiles/${name}`, { method: 'PUT', body: {} });
  return name;
};
/** Of one host that is off, so that it goes on for as long as nobody ends it. */
const rollout = async () => {
  const body = { image: 'two', macs: [await host({})] };
  return (await server.admin('/api/v1/rollouts', { body })).json.id;
};
const paused = async () => {
  const id = await rollout();
  await server.admin(`/api/v1/rollouts/${id}/pause`, { body: {} });
  return id;
};

const editionOf = (path: string) => async () => ({
  'if-match': (await server.admin(path)).headers.etag ?? '',
});

type Step = {
  /** Makes what the route needs. @returns what stands in its address */
  readonly before?: () => Promise<string>;
  readonly body?: object;
  readonly headers?: () => Promise<Record<string, string>>;
  readonly events: readonly string[];
};

/** In this order they are called. Kinds in the order in which they are written. */
const STEPS: Readonly<Record<string, Step>> = {
  'POST /api/v1/hosts': {
    body: { macs: ['52:54:00:bb:00:01'], image: 'one' },
    events: ['host-enrolled', 'attempt-began'],
  },
  'PATCH /api/v1/hosts/{mac}': { before: host, body: { labels: { a: 'b' } }, events: ['host-changed'] },
  'DELETE /api/v1/hosts/{mac}': { before: host, events: ['host-removed'] },
  'PUT /api/v1/hosts/{mac}/os': {
    before: host,
    body: { image: 'two' },
    events: ['assigned', 'attempt-ended', 'attempt-began'],
  },
  'POST /api/v1/hosts/{mac}/retry': { before: failed, events: ['assigned', 'attempt-began'] },
  'POST /api/v1/hosts/{mac}/reinstall': { before: failed, events: ['assigned', 'attempt-began'] },
  'POST /api/v1/hosts/{mac}/release': { before: claimed, events: ['claim-released'] },
  'POST /api/v1/hosts/{mac}/approve': {
    before: discovered,
    body: { image: 'one' },
    events: ['approved', 'attempt-began'],
  },
  'PUT /api/v1/hosts/{mac}/ignored': {
    before: discovered,
    body: { ignored: true },
    events: ['discovery-decided'],
  },
  'POST /api/v1/hosts/{mac}/retire': { before: () => host({}), events: ['retired'] },
  'POST /api/v1/hosts/{mac}/hold': { before: host, events: ['held'] },
  'POST /api/v1/hosts/{mac}/resume': {
    before: async () => {
      const mac = await host();
      await server.admin(`/api/v1/hosts/${mac}/hold`, { body: {} });
      return mac;
    },
    events: ['resumed'],
  },
  'PUT /api/v1/hosts/{mac}/files/{path}': { before: host, events: ['host-files-changed'] },
  'DELETE /api/v1/hosts/{mac}/files/{path}': {
    before: async () => {
      const mac = await host();
      await server.admin(`/api/v1/hosts/${mac}/files/etc/motd`, { method: 'PUT', body: 'x' });
      return mac;
    },
    events: ['host-files-changed'],
  },
  'POST /api/v1/hosts/{mac}/rollback': { before: moved, events: ['assigned', 'attempt-began'] },
  'PUT /api/v1/discovery': {
    headers: editionOf('/api/v1/discovery'),
    body: policy,
    events: ['discovery-changed'],
  },
  'PUT /api/v1/mirrors': {
    headers: editionOf('/api/v1/mirrors'),
    body: { mirrors: [] },
    events: ['mirrors-changed'],
  },
  'PUT /api/v1/profiles/{name}': { before: async () => 'rack', body: {}, events: ['profile-changed'] },
  'DELETE /api/v1/profiles/{name}': { before: profile, events: ['profile-removed'] },
  'POST /api/v1/rollouts': { body: { image: 'two', macs: ['52:54:00:bb:00:01'] }, events: ['rollout-began'] },
  'POST /api/v1/rollouts/{id}/pause': { before: rollout, events: ['rollout-paused'] },
  'POST /api/v1/rollouts/{id}/resume': { before: paused, events: ['rollout-resumed'] },
  'POST /api/v1/rollouts/{id}/abort': { before: rollout, events: ['rollout-aborted'] },
  'POST /api/v1/uploads/{id}/commit': { before: upload, events: ['image-stored'] },
  'DELETE /api/v1/images/{image}': { before: async () => 'copy:x', events: ['image-removed'] },
  'POST /api/v1/builds': { body: { name: 'no-such-image' }, events: ['build-began'] },
  'POST /api/v1/webhooks': { body: { url: 'http://127.0.0.1:9/' }, events: ['webhook-added'] },
  'PATCH /api/v1/webhooks/{id}': { before: hook, body: { enabled: false }, events: ['webhook-changed'] },
  'DELETE /api/v1/webhooks/{id}': { before: hook, events: ['webhook-removed'] },
  'POST /api/v1/tokens': { body: { name: 'bob', role: 'viewer' }, events: ['token-created'] },
  'DELETE /api/v1/tokens/{id}': { before: tokenId, events: ['token-revoked'] },
  'POST /api/v1/keys': { body: {}, events: ['key-announced'] },
  'POST /api/v1/backup': { body: {}, events: ['backup-taken'] },
};

/** What is sent and changes nothing that anybody else sees: parts of an upload until it is committed, and the like. */
const NO_CHANGE = [
  'POST /api/v1/uploads',
  'DELETE /api/v1/uploads/{id}',
  'PUT /api/v1/uploads/{id}/files/{file}',
  'PUT /api/v1/uploads/{id}/frames',
  'PUT /api/v1/contexts/{digest}',
  'POST /api/v1/store/verify',
  'POST /api/v1/webhooks/{id}/test',
  'POST /api/v1/session',
  'DELETE /api/v1/session',
];
/** Tested where their rules are: a key is dropped once no host needs it, a rollout rolled back once it has moved a host. */
const ELSEWHERE = ['DELETE /api/v1/keys/{id}', 'POST /api/v1/rollouts/{id}/rollback'];

test('every route that changes something is here', async () => {
  const { json } = await server.admin('/api/v1/openapi.json');
  const routes = Object.entries(json.paths as Record<string, object>).flatMap(([path, methods]) =>
    Object.keys(methods)
      .filter((method) => method !== 'get')
      .map((method) => `${method.toUpperCase()} ${path}`),
  );
  const known = [...Object.keys(STEPS), ...NO_CHANGE, ...ELSEWHERE];
  expect(routes.filter((route) => !known.includes(route))).toEqual([]);
});

test.each(Object.entries(STEPS))('%s', async (route, { before, body, headers, events }) => {
  const id = before ? await before() : '';
  const [method = '', path = ''] = route.split(' ');
  const after = (await server.admin('/api/v1/events?limit=1')).json.next;
  const answer = await server.admin(path.replace(/\{\w+\}/, id).replace('{path}', 'etc/motd'), {
    method,
    ...(method !== 'DELETE' && { body: body ?? {} }),
    headers: { authorization: `Bearer ${ann}`, ...(await headers?.()) },
  });
  expect([answer.status, answer.status < 300 ? '' : answer.text]).toEqual([answer.status, '']);
  const { json } = await server.admin(`/api/v1/events?after=${after}&actor=operator`);
  const told = json.events as { kind: string; by: string; reason: string }[];
  expect(told.map(({ kind }) => kind)).toEqual(events);
  expect(told.map(({ by, reason }) => [by, reason === ''])).toEqual(events.map(() => ['ann', false]));
  expect(JSON.stringify(json)).not.toContain(ann);
});
