import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Machine } from '../fixtures/machine.ts';
import { newMac, runningServer, type TestServer } from '../fixtures/running-server.ts';

/** Names that every JavaScript object has: as names of an operator they are names like any other, or refused. */

let server: TestServer;
beforeAll(async () => {
  server = await runningServer();
});
afterAll(() => server.close());

const HOSTS = '/api/v1/hosts';
const MERGE = { 'content-type': 'application/merge-patch+json' };
/** In an object literal it would be the prototype. */
const own = (value: unknown) => JSON.parse(`{"__proto__":${JSON.stringify(value)}}`);

async function enrolled(labels: object = {}): Promise<string> {
  const mac = newMac();
  expect((await server.admin(HOSTS, { body: { macs: [mac], image: 'one', labels } })).status).toBe(201);
  return mac;
}

describe('__proto__ is refused, not dropped', () => {
  test.each<[string, string, (mac: string) => [string, object]]>([
    ['a new host', 'labels', () => ['POST', { macs: [newMac()], labels: own('x') }]],
    ['all labels of a host', 'labels', () => ['PATCH', { labels: own('x') }]],
    ['an approval', 'labels', () => ['POST', { labels: own('x') }]],
    [
      'rules of discovery',
      'rules.0.labels',
      () => [
        'PUT',
        {
          rules: [{ name: 'r', match: {}, action: 'enrol', labels: own('x') }],
          otherwise: 'hold',
          forgetAfterDays: 30,
          maxWaiting: 100,
        },
      ],
    ],
    [
      'arguments of a build',
      'buildArguments',
      () => ['POST', { name: 'web', from: 'x', buildArguments: own('x') }],
    ],
    ['secrets of a build', 'secrets', () => ['POST', { name: 'web', from: 'x', secrets: own('eA==') }]],
  ])('%s', async (what, where, ordered) => {
    const mac = await enrolled();
    const [method, body] = ordered(mac);
    const path = {
      'a new host': HOSTS,
      'all labels of a host': `${HOSTS}/${mac}`,
      'an approval': `${HOSTS}/${mac}/approve`,
      'rules of discovery': '/api/v1/discovery',
    }[what];
    const headers = { 'if-match': '*' };
    const { status, json } = await server.admin(path ?? '/api/v1/builds', { method, body, headers });
    expect([status, json.detail]).toEqual([
      400,
      `The request cannot be taken: ${where}: "__proto__" cannot be a name.`,
    ]);
    expect((await server.admin(`${HOSTS}/${mac}`)).json.labels).toEqual({});
  });

  test.each(['x', null])('set to %j by a merge patch', async (value) => {
    const path = `${HOSTS}/${await enrolled()}`;
    const { status, json } = await server.admin(path, {
      method: 'PATCH',
      headers: MERGE,
      body: { labels: own(value) },
    });
    expect([status, json.detail]).toEqual([400, expect.stringContaining('cannot be a name')]);
  });

  test('as a slot of a report, as JSON and as a form', async () => {
    const host = await new Machine(server).enrol();
    await host.claim();
    const slots = { attempt: host.attempt, bootId: 'b', seq: 1, kind: 'inventory' };
    const headers = { 'content-type': 'application/x-www-form-urlencoded' };
    for (const how of [
      { body: { ...slots, slots: own({ state: 'valid' }) } },
      {
        method: 'POST',
        body: `attempt=${host.attempt}&bootId=b&seq=1&kind=inventory&slots.__proto__.state=valid`,
        headers,
      },
    ]) {
      const { status, json } = await host.ask('reports', how);
      expect([status, json.detail]).toEqual([400, expect.stringContaining('cannot be a name')]);
    }
  });
});

describe.each(['constructor', 'toString', 'hasOwnProperty', 'valueOf', '__defineGetter__'])('%s', (name) => {
  const found = async (query: string): Promise<string[]> =>
    (await server.admin(`${HOSTS}?${query}`)).json.hosts.map(({ mac }: { mac: string }) => mac);

  test('is a label like any other: kept, found, taken away', async () => {
    const [marked, plain] = [await enrolled({ [name]: 'x' }), await enrolled()];
    const path = `${HOSTS}/${marked}`;
    expect((await server.admin(path)).json.labels).toEqual({ [name]: 'x' });
    for (const query of [`label=${name}`, `label=${name}%3Dx`, `q=${name.toLowerCase()}%3Dx`])
      expect(await found(query), query).toEqual([marked]);
    expect(await found(`label=!${name}`)).toContain(plain);
    expect(await found(`label=!${name}`)).not.toContain(marked);
    const patch = (labels: object) =>
      server.admin(path, { method: 'PATCH', headers: MERGE, body: { labels } });
    expect((await patch({ other: 'y' })).json.labels).toEqual({ [name]: 'x', other: 'y' });
    expect((await patch({ [name]: null })).json.labels).toEqual({ other: 'y' });
  });

  test('selects hosts for a mirror', async () => {
    const [fitting, other] = [await new Machine(server).enrol(), await new Machine(server).enrol()];
    await server.admin(`${HOSTS}/${fitting.mac}`, { method: 'PATCH', body: { labels: { [name]: 'x' } } });
    const mirrors = [{ name: 'm', selector: name, url: 'http://mirror.example/w' }];
    const headers = { 'if-match': '*' };
    const set = await server.admin('/api/v1/mirrors', { method: 'PUT', headers, body: { mirrors } });
    expect(set.status).toBe(200);
    await fitting.claim();
    await other.claim();
    expect((await fitting.ask('manifest')).text).toContain('mirror.example');
    expect((await other.ask('manifest')).text).not.toContain('mirror.example');
  });

  test('names no profile, image or layout that nobody made', async () => {
    for (const wish of [{ profile: name }, { image: name }, { layout: name }]) {
      const { status } = await server.admin(HOSTS, { body: { macs: [newMac()], ...wish } });
      expect([wish, status]).toEqual([wish, expect.toBeOneOf([404, 422])]);
    }
    expect((await server.admin(`/api/v1/profiles/${name}`)).status).toBe(404);
  });
});
