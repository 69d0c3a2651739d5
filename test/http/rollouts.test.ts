import { afterAll, beforeAll, expect, test } from 'vitest';
import { newMac, runningServer, type TestServer } from '../fixtures/running-server.ts';

let server: TestServer;
const macs = [newMac(), newMac(), newMac()];
beforeAll(async () => {
  server = await runningServer();
  for (const [at, mac] of macs.entries()) {
    const labels = { rack: at < 2 ? 'r1' : 'r2' };
    await server.admin('/api/v1/hosts', { body: { macs: [mac], labels } });
    // A machine that asks has been seen.
    await server.boot(`/boot/hosts/${mac}/manifest`);
  }
});
afterAll(() => server.close());

const post = (path: string, body: object = {}) => server.admin(`/api/v1/rollouts${path}`, { body });
const get = (path: string) => server.admin(`/api/v1/rollouts${path}`);

test('a rollout from its plan to its end', async () => {
  const wish = {
    image: 'one',
    selector: 'rack=r1',
    waves: [1, '100%'],
    maxUnavailable: '100%',
    name: 'spring',
  };
  const plan = await post('?dryRun=true', wish);
  expect(plan.status).toBe(200);
  expect(plan.json).toMatchObject({
    hosts: 2,
    maxUnavailableHosts: 2,
    image: { digest: server.one.digest },
    waves: [
      { upTo: 1, hosts: 1, macs: [macs[0]] },
      { upTo: '100%', hosts: 1, macs: [macs[1]] },
    ],
    leftOut: [],
  });
  expect((await get('')).json).toEqual({ rollouts: [], next: null });

  const begun = await post('', wish);
  expect(begun.status).toBe(201);
  const { id } = begun.json;
  expect(begun.json).toMatchObject({
    name: 'spring',
    status: 'running',
    wave: 1,
    waveCount: 2,
    hosts: 2,
    leftOut: [],
  });
  await expect
    .poll(async () => (await get(`/${id}`)).json)
    .toMatchObject({
      reason: 'wave 1 of 2: 1 of 1 hosts are not there yet',
      states: { installing: 1, waiting: 1 },
      waves: [{ status: 'works' }, { status: 'waits' }],
      unavailable: 1,
      failureLimit: 1,
    });
  const host = (await server.admin(`/api/v1/hosts/${macs[0]}`)).json;
  expect(host).toMatchObject({
    image: { digest: server.one.digest },
    attempt: { rollout: id, cause: `rollout ${id}` },
  });

  const clash = await post('', wish);
  expect(clash.status).toBe(409);
  expect(clash.json.detail).toContain(id);

  expect((await get(`/${id}/hosts?limit=1`)).json).toMatchObject({
    hosts: [{ mac: macs[0], wave: 1, state: 'installing', attempt: host.attempt.id, before: null }],
    next: '0',
  });
  expect((await get(`/${id}/hosts?limit=1&cursor=0`)).json).toMatchObject({
    hosts: [{ mac: macs[1], wave: 2, state: 'waiting', reason: 'waits for its turn' }],
    next: null,
  });
  expect((await get(`/${id}/hosts?state=waiting`)).json.hosts.length).toBe(1);

  expect((await post(`/${id}/pause`, { reason: 'lunch' })).json).toMatchObject({
    status: 'paused',
    reason: 'paused: lunch',
  });
  expect((await post(`/${id}/pause`)).status).toBe(409);
  expect((await post(`/${id}/resume`, { retry: true })).json).toMatchObject({ status: 'running' });
  expect((await post(`/${id}/abort`, { reason: 'enough' })).json).toMatchObject({
    status: 'aborted',
    reason: 'enough',
  });
  expect((await server.admin(`/api/v1/hosts/${macs[0]}`)).json).toMatchObject({
    image: null,
    state: 'approved',
  });
  expect((await post(`/${id}/rollback`)).status).toBe(409);

  const { events } = (await server.admin('/api/v1/events?limit=1000')).json;
  const told = events.filter(({ kind }: { kind: string }) => kind.startsWith('rollout-'));
  expect(told.map(({ kind, by }: { kind: string; by: string }) => [kind, by])).toEqual([
    ['rollout-began', 'first'],
    ['rollout-paused', 'first'],
    ['rollout-resumed', 'first'],
    ['rollout-aborted', 'first'],
    ['rollout-ended', null],
  ]);
});

test('pages of rollouts, newest first, and none twice', async () => {
  const ids: string[] = [];
  for (let count = 0; count < 3; count += 1) {
    const { id } = (await post('', { image: 'two', macs: [macs[2]], waves: ['100%'] })).json;
    ids.unshift(id);
    await post(`/${id}/abort`);
  }
  const first = (await get('?limit=2')).json;
  expect(first.rollouts.map(({ id }: { id: string }) => id)).toEqual(ids.slice(0, 2));
  const second = (await get(`?limit=2&cursor=${first.next}`)).json;
  expect(second.rollouts[0].id).toBe(ids[2]);
});

test.each([
  ['no hosts named', { image: 'one' }, 400],
  ['both ways', { image: 'one', selector: '', macs: ['52:54:00:00:00:01'] }, 400],
  ['unknown image', { image: 'nope', selector: '' }, 422],
  ['no such share', { image: 'one', selector: '', maxUnavailable: '0%' }, 400],
  ['more than all', { image: 'one', selector: '', waves: ['101%'] }, 400],
  ['an unknown key', { image: 'one', selector: '', colour: 1 }, 400],
  ['a MAC of five bytes', { image: 'one', macs: ['52:54:00:00:00'] }, 400],
])('refused: %s', async (_, body, status) => {
  const answer = await post('', body);
  expect([answer.status, answer.headers['content-type']]).toEqual([status, 'application/problem+json']);
});

test('what is not there is 404, a cursor of nobody 400', async () => {
  expect((await get('/nope')).status).toBe(404);
  expect((await get('/nope/hosts')).status).toBe(404);
  expect((await post('/nope/abort')).status).toBe(404);
  expect((await get('?cursor=x')).status).toBe(400);
});
