import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { hostDetailSchema, hostSchema } from '../../server/contract/hosts.ts';
import { saidInventory } from '../fixtures/inventories.ts';
import { newMac, runningServer, type TestServer } from '../fixtures/running-server.ts';

let server: TestServer;
beforeAll(async () => {
  server = await runningServer();
});
afterAll(() => server.close());

const MERGE = { 'content-type': 'application/merge-patch+json' };
let [mac, path] = ['', ''];
beforeEach(async () => {
  mac = newMac();
  path = `/api/v1/hosts/${mac}`;
  await server.admin('/api/v1/hosts', { body: { macs: [mac], image: 'one', labels: { a: '1', b: '2' } } });
});

const get = (headers: Record<string, string> = {}) => server.admin(path, { headers });
const etag = async () => (await get()).headers.etag ?? '';
const patch = (body: object, headers: Record<string, string> = {}) =>
  server.admin(path, {
    method: 'PATCH',
    body: JSON.stringify(body),
    headers: { 'content-type': 'application/json', ...headers },
  });
const report = (seq: number) =>
  server.boot(`/boot/hosts/${mac}/reports`, {
    body: {
      attempt: null,
      bootId: 'boot-1',
      seq,
      kind: 'inventory',
      slots: { a: { state: 'empty', digest: null } },
    },
  });

describe('GET', () => {
  test('has a strong ETag of which the revision is the beginning', async () => {
    const { headers, json } = await get();
    expect(headers.etag).toMatch(/^"\d+\.[\w-]{22}"$/);
    expect(headers.etag).toContain(`"${hostDetailSchema.parse(json).revision}.`);
  });
  test('is 304 while nothing changed, weakly compared, and 200 after a change and after a report', async () => {
    const tag = await etag();
    for (const named of [tag, `W/${tag}`, `"x", ${tag}`, '*']) {
      const same = await get({ 'if-none-match': named });
      expect([same.status, same.headers.etag, same.text]).toEqual([304, tag, '']);
    }
    expect((await get({ 'if-none-match': '"x"' })).status).toBe(200);
    await patch({ append: 'quiet' });
    const changed = await get({ 'if-none-match': tag });
    expect(changed.status).toBe(200);
    const before = changed.headers.etag ?? '';
    expect((await report(1)).status).toBe(200);
    const reported = await get({ 'if-none-match': before });
    expect([reported.status, reported.json.revision]).toEqual([200, changed.json.revision]);
  });
});

describe('If-Match', () => {
  const CHANGES: [string, string, object | undefined, number][] = [
    ['PATCH', '', { append: 'x' }, 200],
    ['PUT', '/os', { image: 'two' }, 202],
    ['POST', '/retry', undefined, 202],
    ['POST', '/reinstall', {}, 202],
    ['DELETE', '', undefined, 204],
    ['POST', '/hold', {}, 200],
    ['POST', '/resume', undefined, 200],
    ['POST', '/retire', undefined, 200],
  ];
  test.each(CHANGES)(
    '%s %s is 412 from a revision that is past, and done from the present one',
    async (method, below, body, status) => {
      const [old, order] = [await etag(), { method, ...(body && { body }) }];
      await patch({ append: 'between' });
      for (const tag of [old, '"1"', `W/${await etag()}`, '"x"']) {
        const refused = await server.admin(path + below, { ...order, headers: { 'if-match': tag } });
        expect([refused.status, refused.json.title]).toEqual([412, 'Precondition Failed']);
      }
      expect((await get()).json.append).toBe('between');
      const made = await server.admin(path + below, {
        ...order,
        headers: { 'if-match': `"x", ${await etag()}` },
      });
      expect(made.status).toBe(status);
    },
  );
  test('rollback and release, of a host that runs', async () => {
    const token = 'a-token-of-this-host';
    const { attempt } = (await get()).json;
    await server.boot(`/boot/hosts/${mac}/claims`, { body: { attempt: attempt.id, token } });
    const said = { attempt: attempt.id, bootId: 'boot-2', slot: 'a', digest: attempt.digest, default: 'a' };
    for (const [at, kind] of ['booted', 'confirmed'].entries())
      await server.boot(`/boot/hosts/${mac}/reports`, {
        headers: { authorization: `Bearer ${token}` },
        body: { ...said, seq: at + 1, kind },
      });
    await server.admin(`${path}/os`, { method: 'PUT', body: { image: 'two' } });
    const old = await etag();
    await patch({ append: 'between' });
    for (const below of ['/rollback', '/release']) {
      const order = { method: 'POST', ...(below === '/release' && { body: {} }) };
      const refused = await server.admin(path + below, { ...order, headers: { 'if-match': old } });
      expect([below, refused.status]).toEqual([below, 412]);
      const made = await server.admin(path + below, { ...order, headers: { 'if-match': await etag() } });
      expect([below, made.status]).toEqual([below, 200]);
    }
  });
  test('the revision alone, in quotation marks, is enough; * is any; a host that is not there is 404', async () => {
    const { revision } = (await get()).json;
    expect((await patch({ append: 'x' }, { 'if-match': `"${revision}"` })).status).toBe(200);
    expect((await patch({ append: 'y' }, { 'if-match': '*' })).status).toBe(200);
    const nobody = `/api/v1/hosts/${newMac()}`;
    expect((await server.admin(nobody, { method: 'DELETE', headers: { 'if-match': '*' } })).status).toBe(404);
  });
  test('what cannot be read is 400', async () => {
    expect((await patch({ append: 'x' }, { 'if-match': '17' })).status).toBe(400);
  });
  test('what the host reports meanwhile takes nothing from an operator', async () => {
    const tag = await etag();
    await report(1);
    expect((await patch({ append: 'x' }, { 'if-match': tag })).status).toBe(200);
  });
  test('of operators who race one wins, each time', async () => {
    for (let round = 0; round < 5; round += 1) {
      const tag = await etag();
      const words = Array.from({ length: 8 }, (_, number) => `round${round}.by${number}`);
      const answers = await Promise.all(words.map((append) => patch({ append }, { 'if-match': tag })));
      expect(answers.map(({ status }) => status).sort()).toEqual([200, ...Array(7).fill(412)]);
      const winner = words[answers.findIndex(({ status }) => status === 200)];
      expect((await get()).json.append).toBe(winner);
    }
  });
  test('a discovered machine: approve and ignore', async () => {
    const found = newMac();
    await server.boot(`/boot/hosts/${found}/inventory`, { body: saidInventory() });
    const where = `/api/v1/hosts/${found}`;
    const tag = (await server.admin(where)).headers.etag ?? '';
    const ignore = { method: 'PUT', body: { ignored: true }, headers: { 'if-match': tag } };
    expect((await server.admin(`${where}/ignored`, ignore)).status).toBe(200);
    const late = { method: 'POST', body: {}, headers: { 'if-match': tag } };
    expect((await server.admin(`${where}/approve`, late)).status).toBe(412);
  });
});

describe('labels', () => {
  const labels = async () => hostSchema.parse((await get()).json).labels;
  test('application/json replaces them all', async () => {
    await patch({ labels: { c: '3' } });
    expect(await labels()).toEqual({ c: '3' });
    await patch({ append: 'x' });
    expect(await labels()).toEqual({ c: '3' });
  });
  test('application/merge-patch+json sets and takes away single ones', async () => {
    const { json } = await patch({ labels: { a: null, b: '4', c: '5', gone: null } }, MERGE);
    expect(json.labels).toEqual({ b: '4', c: '5' });
    expect(await labels()).toEqual({ b: '4', c: '5' });
    await patch({ labels: {} }, MERGE);
    expect(await labels()).toEqual({ b: '4', c: '5' });
    await patch({ labels: null }, MERGE);
    expect(await labels()).toEqual({});
  });
  test('null is refused where all are replaced: nothing changes', async () => {
    const refused = await patch({ labels: { a: null } });
    expect([refused.status, refused.json.detail]).toEqual([422, expect.stringContaining('merge-patch')]);
    expect(await labels()).toEqual({ a: '1', b: '2' });
  });
  test('are 128 at most, however they come, and nothing changes', async () => {
    const many = (count: number, from = 0) =>
      Object.fromEntries(Array.from({ length: count }, (_, at) => [`l${from + at}`, 'x'.repeat(63)]));
    expect((await patch({ labels: many(128) })).status).toBe(200);
    for (const refused of [await patch({ labels: many(129) }), await patch({ labels: many(1, 128) }, MERGE)])
      expect([refused.status, refused.json.detail]).toEqual([
        422,
        'A host has 128 labels at most, and this would make 129. Take some away.',
      ]);
    expect(Object.keys(await labels())).toHaveLength(128);
    const macs = [newMac()];
    const enrolled = await server.admin('/api/v1/hosts', { body: { macs, labels: many(129) } });
    expect(enrolled.status).toBe(422);
    const policy = await server.admin('/api/v1/discovery');
    const rule = { name: 'r', match: {}, action: 'enrol', labels: many(129) };
    const put = await server.admin('/api/v1/discovery', {
      method: 'PUT',
      headers: { 'if-match': policy.headers.etag ?? '' },
      body: { ...policy.json, rules: [rule] },
    });
    expect([put.status, put.json.detail]).toEqual([400, expect.stringContaining('more than 128 entries')]);
  });
  test('two operators who each set one label both keep theirs', async () => {
    await Promise.all(
      Array.from({ length: 10 }, (_, number) => patch({ labels: { [`l${number}`]: 'x' } }, MERGE)),
    );
    expect(Object.keys(await labels()).length).toBe(12);
  });
});
