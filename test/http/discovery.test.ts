import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { policySchema } from '../../server/contract/discovery.ts';
import { keptInventorySchema } from '../../server/contract/inventory.ts';
import { HOSTILE } from '../fixtures/hostile-texts.ts';
import { machine, nic, saidInventory } from '../fixtures/inventories.ts';
import { type Ask, newMac, runningServer, type TestServer } from '../fixtures/running-server.ts';

let server: TestServer;
beforeAll(async () => {
  server = await runningServer();
});
afterAll(() => server.close());

const PATH = '/api/v1/discovery';
const EMPTY = { rules: [], otherwise: 'hold', forgetAfterDays: 30, maxWaiting: 1000 };
const say = (mac: string, body: object | string = machine([mac]), how: Ask = {}) =>
  server.boot(`/boot/hosts/${mac}/inventory`, { body, ...how });
const host = async (mac: string) => (await server.admin(`/api/v1/hosts/${mac}`)).json;
const next = async (mac: string) => (await server.admin(`/api/v1/hosts/${mac}/next`)).json;
const approve = (mac: string, body: object = {}) => server.admin(`/api/v1/hosts/${mac}/approve`, { body });
const script = async (mac: string) => (await server.boot(`/boot/script?mac=${mac}`)).text;
const kinds = async (mac: string) =>
  (await server.admin(`/api/v1/events?host=${mac}`)).json.events.map(({ kind }: { kind: string }) => kind);
const listed = async (query = '') =>
  (await server.admin(`/api/v1/hosts${query}`)).json.hosts.map(({ mac }: { mac: string }) => mac);

async function setRules(policy: object) {
  const { headers } = await server.admin(PATH);
  return server.admin(PATH, {
    method: 'PUT',
    body: { ...EMPTY, ...policy },
    headers: { 'if-match': headers.etag ?? '' },
  });
}

describe('a machine that nobody knows', () => {
  test('is in no list before it has said what it is, and no question makes a record of it', async () => {
    const mac = newMac();
    expect(await script(mac)).toContain('# Warmboot: discovery');
    expect((await server.boot(`/boot/hosts/${mac}/manifest`)).status).toBe(404);
    expect(await next(mac)).toMatchObject({
      isKnown: false,
      action: 'none',
      boot: { kind: 'discovery', reason: 'this machine is not known' },
      discovery: { action: 'hold', rule: null },
    });
    expect((await server.admin(`/api/v1/hosts/${mac}`)).status).toBe(404);
  });

  test('waits as discovered, with its inventory, once, by each of its MACs', async () => {
    const [one, two] = [newMac(), newMac()];
    const said = saidInventory({ nics: [nic(one), nic(two)] });
    const { status, json } = await say(two, said);
    expect([status, json]).toEqual([200, { state: 'discovered' }]);
    await say(one, said);
    const found = await host(one);
    expect(found).toMatchObject({
      state: 'discovered',
      enrolment: 'discovered',
      macs: [two, one],
      image: null,
    });
    expect(found.id).toBe((await host(two)).id);
    const { at, address, ...facts } = keptInventorySchema.strict().parse(found.inventory);
    expect([Math.abs(Date.now() - at) < 10 * 60_000, address]).toEqual([true, '127.0.0.1']);
    expect(facts).toEqual(said);
    expect(await kinds(one)).toEqual(['discovered', 'discovery-decided']);
    expect(await next(one)).toMatchObject({
      isKnown: true,
      action: 'hold',
      reason: 'the host waits for approval',
      boot: { kind: 'discovery' },
      discovery: { action: 'hold', rule: null, reason: 'no rule fits' },
    });
    expect((await server.boot(`/boot/hosts/${one}/manifest`)).json).toMatchObject({
      action: 'hold',
      host: two,
      attempt: null,
    });
  });

  test('gets nothing written down but its inventory', async () => {
    const mac = newMac();
    await say(mac);
    const report = { bootId: 'b', seq: 1, kind: 'inventory', log: 'x'.repeat(8000) };
    expect((await server.boot(`/boot/hosts/${mac}/reports`, { body: report })).status).toBe(202);
    const claim = { attempt: 'a', token: 'x'.repeat(32) };
    expect((await server.boot(`/boot/hosts/${mac}/claims`, { body: claim })).status).toBe(409);
    for (let i = 0; i < 5; i += 1) await say(mac);
    expect(await kinds(mac)).toEqual(['discovered', 'discovery-decided']);
    expect(await host(mac)).toMatchObject({ observation: null, claimed: false });
  });

  test('two records are one when an inventory names the cards of both', async () => {
    const [one, two] = [newMac(), newMac()];
    await say(one, machine([one]));
    await say(two, machine([two]));
    expect((await host(one)).id).not.toBe((await host(two)).id);
    await say(one, machine([one, two]));
    expect((await host(one)).id).toBe((await host(two)).id);
    expect(await kinds(one)).toContain('merged');
    expect((await listed()).filter((mac: string) => mac === one || mac === two)).toEqual([one]);
  });

  test('never takes a MAC of an approved host: it stays apart, and the log says why', async () => {
    const [mine, other] = [newMac(), newMac()];
    await server.admin('/api/v1/hosts', { body: { macs: [mine] } });
    expect((await say(other, machine([other, mine]))).status).toBe(200);
    expect(await host(mine)).toMatchObject({ macs: [mine], state: 'approved' });
    expect(await host(other)).toMatchObject({ macs: [other], state: 'discovered' });
    await say(other, machine([other, mine]));
    const { json } = await server.admin(`/api/v1/events?host=${other}`);
    const refusals = json.events.filter(({ kind }: { kind: string }) => kind === 'merge-refused');
    expect(refusals).toMatchObject([
      { reason: `${mine} belongs to a host that is approved`, data: { other: mine } },
    ]);
  });

  test('that is another one than before is said, once, with what differs', async () => {
    const mac = newMac();
    await say(mac, machine([mac], 'A'));
    await say(mac, machine([mac], 'A'));
    expect(await kinds(mac)).not.toContain('machine-changed');
    await say(mac, machine([mac], 'B'));
    await say(mac, machine([mac], 'B'));
    const { json } = await server.admin(`/api/v1/events?host=${mac}`);
    const changes = json.events.filter(({ kind }: { kind: string }) => kind === 'machine-changed');
    expect(changes).toMatchObject([
      { reason: 'it has another serial (A, now B)', data: { address: '127.0.0.1' } },
    ]);
  });

  test('cannot be enrolled beside itself: it is to be approved', async () => {
    const mac = newMac();
    await say(mac);
    const { status, json } = await server.admin('/api/v1/hosts', { body: { macs: [mac] } });
    expect([status, json.detail]).toEqual([409, expect.stringMatching(/was discovered already. Approve it/)]);
  });
});

test('the answer to an operator has the serial that the manifest has from then on', async () => {
  const mac = newMac();
  await say(mac);
  const ignored = await server.admin(`/api/v1/hosts/${mac}/ignored`, {
    method: 'PUT',
    body: { ignored: true },
  });
  expect(ignored.json.serial).toBe((await host(mac)).serial);
  expect((await approve(mac)).json.serial).toBe((await host(mac)).serial);
});

describe('what is sent as an inventory', () => {
  const said = saidInventory();
  const many = (count: number) => Array.from({ length: count }, () => nic('52:54:00:00:00:01'));
  test.each<[string, object | string, number?]>([
    ['no JSON', '{"architecture":'],
    ['nothing', {}],
    ['a list', []],
    ['another firmware', { ...said, firmware: { kind: 'coreboot' } }],
    ['a negative size', { ...said, memoryBytes: -1 }],
    ['a size beyond all numbers', { ...said, memoryBytes: 1e300 }],
    ['too many cards', { ...said, nics: many(65) }],
    ['too many disks', { ...said, disks: Array.from({ length: 129 }, () => said.disks[0]) }],
    ['a disk with a path for a name', { ...said, disks: [{ ...said.disks[0], name: '../sda' }] }],
    ['more than 64 KiB', { ...said, more: 'x'.repeat(70_000) }, 413],
  ])('%s is refused, and leaves nothing', async (_, body, status = 400) => {
    const mac = newMac();
    expect((await say(mac, body)).status).toBe(status);
    expect((await server.admin(`/api/v1/hosts/${mac}`)).status).toBe(404);
  });

  test('a long text is cut, an unknown field is passed over', async () => {
    const mac = newMac();
    const cpu = { model: 'y'.repeat(4000), count: 1 };
    expect((await say(mac, { ...machine([mac]), cpu, more: { x: [] } })).status).toBe(200);
    expect((await host(mac)).inventory.cpu.model).toBe('y'.repeat(128));
  });

  test.each([
    ...HOSTILE,
    '<script>alert(1)</script>',
    "'); DROP TABLE hosts; --",
    '\r\nSet-Cookie: x',
    '{{7*7}}',
  ])('the text %j is a text everywhere', async (text) => {
    const mac = newMac();
    const { system, board } = saidInventory();
    const body = {
      ...machine([mac]),
      system: { ...system, vendor: text, product: text, serial: text },
      board: { ...board, serial: text },
      cpu: { model: text, count: 1 },
    };
    expect((await say(mac, body)).status).toBe(200);
    const kept = (await host(mac)).inventory;
    const plain = text.replaceAll(/\s+/g, ' ').trim();
    expect(kept.cpu.model).toBe(plain === '' ? null : plain);
    expect(await script(mac)).not.toMatch(/script>|DROP|HOME|touch|id\)/);
  });

  test('nobody but its token speaks for a host that is claimed', async () => {
    const mac = newMac();
    const enrolled = await server.admin('/api/v1/hosts', { body: { macs: [mac], image: 'one' } });
    const claim = { attempt: enrolled.json.attempt.id, token: 'a-token-of-this-host-alone' };
    await server.boot(`/boot/hosts/${mac}/claims`, { body: claim });
    expect((await say(mac)).status).toBe(401);
    expect((await host(mac)).inventory).toBeNull();
    const headers = { authorization: `Bearer ${claim.token}` };
    expect((await say(mac, machine([mac, newMac()]), { headers })).status).toBe(200);
    expect(await host(mac)).toMatchObject({ macs: [mac], inventory: { cpu: { count: 8 } } });
    expect((await next(mac)).discovery).toBeNull();
  });
});

describe('approval', () => {
  test('with an image is the order to install it, and wakes the machine that waits', async () => {
    const mac = newMac();
    await say(mac);
    const path = `/boot/hosts/${mac}/manifest`;
    const { etag } = (await server.boot(path)).headers;
    const woken = server.boot(`${path}?wait=30`, { headers: { 'if-none-match': etag ?? '' } });
    const { status, json } = await approve(mac, { image: 'one', labels: { rack: '7' }, wipe: true });
    expect([status, json]).toMatchObject([
      200,
      {
        state: 'approved',
        labels: { rack: '7' },
        image: { ref: 'one' },
        attempt: { cause: 'operator: approve' },
      },
    ]);
    expect((await woken).json).toMatchObject({ action: 'install', install: { wipe: true } });
    expect(await script(mac)).toContain('# Warmboot: installer');
    expect((await kinds(mac)).slice(-2)).toEqual(['approved', 'attempt-began']);
    expect((await host(mac)).inventory).not.toBeNull();
  });

  test('without an image it waits for one', async () => {
    const mac = newMac();
    await say(mac);
    expect((await approve(mac)).json).toMatchObject({ state: 'approved', attempt: null });
    expect(
      (await server.admin(`/api/v1/hosts/${mac}/os`, { method: 'PUT', body: { image: 'one' } })).status,
    ).toBe(202);
  });

  test.each([
    ['an image that does not exist', { image: 'nope' }, 422],
    ['the installer', { image: 'installer' }, 422],
    ['an unknown layout', { layout: 'nope' }, 422],
    ['an unsafe argument', { append: 'x $(id)' }, 422],
    ['an unknown field', { macs: [] }, 400],
  ])('%s is refused, and it waits on', async (_, body, expected) => {
    const mac = newMac();
    await say(mac);
    expect((await approve(mac, body)).status).toBe(expected);
    expect((await host(mac)).state).toBe('discovered');
  });

  test('as a host whose board was replaced: it is that host, with its token and all that was said of it', async () => {
    const [old, mac, other] = [newMac(), newMac(), newMac()];
    await say(old);
    const before = (await approve(old, { image: 'one', labels: { rack: '7' } })).json;
    const claim = { attempt: before.attempt.id, token: 'f'.repeat(64) };
    await server.boot(`/boot/hosts/${old}/claims`, { body: claim });
    await say(mac, machine([mac, other]));
    const path = `/boot/hosts/${mac}/manifest`;
    const { etag } = (await server.boot(path)).headers;
    const headers = { authorization: `Bearer ${claim.token}` };
    const woken = server.boot(`${path}?wait=30`, { headers: { ...headers, 'if-none-match': etag ?? '' } });
    const { status, json } = await approve(mac, { as: old });
    expect([status, json]).toMatchObject([
      200,
      {
        mac: old,
        macs: [old, mac, other],
        state: 'installing',
        labels: { rack: '7' },
        image: { ref: 'one' },
      },
    ]);
    expect((await woken).json).toMatchObject({ action: 'install', host: old, macs: [old, mac, other] });
    expect((await server.boot(path)).status).toBe(401);
    expect(await host(old)).toMatchObject({ inventory: { nics: [{ mac }, { mac: other }] } });
    expect((await kinds(other)).at(-1)).toBe('merged');
  });

  test('as a host is refused where that or this is none, or more is said', async () => {
    const [mac, waits, taken] = [newMac(), newMac(), newMac()];
    for (const each of [mac, waits, taken]) await say(each);
    await approve(taken);
    const answers = [
      await approve(mac, { as: newMac() }),
      await approve(mac, { as: 'x' }),
      await approve(mac, { as: taken, image: 'one' }),
      await approve(mac, { as: waits }),
      await approve(mac, { as: mac }),
      await approve(taken, { as: taken }),
      await approve(newMac(), { as: taken }),
    ];
    expect(answers.map(({ status }) => status)).toEqual([404, 400, 400, 409, 409, 409, 404]);
    expect((await host(mac)).state).toBe('discovered');
    await server.admin(`/api/v1/hosts/${taken}/retire`, { method: 'POST' });
    expect((await approve(mac, { as: taken })).status).toBe(409);
    expect((await host(taken)).macs).toEqual([taken]);
  });

  test('a second time, and of a stranger', async () => {
    const mac = newMac();
    expect((await approve(mac)).status).toBe(404);
    await say(mac);
    expect((await approve(mac)).status).toBe(200);
    expect((await approve(mac)).status).toBe(409);
  });

  test('of two operators at once one is right', async () => {
    const mac = newMac();
    await say(mac);
    const answers = await Promise.all([approve(mac, { image: 'one' }), approve(mac, { image: 'one' })]);
    expect(answers.map(({ status }) => status).sort()).toEqual([200, 409]);
  });
});

describe('ignored by hand', () => {
  test('it boots its disk and is not in the list; it can be seen, and wait again', async () => {
    const mac = newMac();
    await say(mac);
    const ignore = (ignored: boolean) =>
      server.admin(`/api/v1/hosts/${mac}/ignored`, { method: 'PUT', body: { ignored } });
    expect((await ignore(true)).json).toMatchObject({ state: 'ignored', next: { action: 'none' } });
    expect(await script(mac)).toContain('# Warmboot: disk');
    expect(await listed()).not.toContain(mac);
    expect(await listed('?state=ignored')).toContain(mac);
    expect((await say(mac)).json).toEqual({ state: 'ignored' });
    expect((await next(mac)).discovery).toEqual({
      action: 'ignore',
      rule: null,
      reason: 'an operator decided so',
    });
    expect((await ignore(false)).json.state).toBe('discovered');
    await setRules({ otherwise: 'ignore' });
    await say(mac);
    expect((await host(mac)).state).toBe('discovered');
    await setRules({});
    expect((await approve(mac)).status).toBe(200);
    expect((await ignore(true)).status).toBe(409);
  });
});

describe('rules', () => {
  const forVendor = (vendor: string) => ({ match: { vendor } });
  const of = (mac: string, vendor: string) => ({
    ...machine([mac]),
    system: { vendor, product: null, serial: null, uuid: null },
  });

  test('enrol a machine by itself, with labels, layout and image', async () => {
    const mac = newMac();
    const give = { image: 'one', layout: 'four-slots', labels: { pool: 'web' } };
    const rules = [{ name: 'auto', ...forVendor('Auto*'), action: 'enrol', ...give }];
    expect((await setRules({ rules })).status).toBe(200);
    expect((await say(mac, of(mac, 'Auto Ltd'))).json).toEqual({ state: 'approved' });
    expect(await host(mac)).toMatchObject({
      layout: 'four-slots',
      labels: { pool: 'web' },
      attempt: { cause: 'rule: auto', image: 'one' },
    });
    expect((await server.boot(`/boot/hosts/${mac}/manifest`)).json).toMatchObject({
      action: 'install',
      install: { wipe: false },
    });
    expect(await kinds(mac)).toEqual(['discovered', 'discovery-decided', 'approved', 'attempt-began']);
    await setRules({});
  });

  test('that are set later decide on those who wait', async () => {
    const [one, two] = [newMac(), newMac()];
    await say(one, of(one, 'Late'));
    await say(two, of(two, 'Other'));
    const rules = [
      { name: 'late', ...forVendor('Late'), action: 'enrol' },
      { name: 'other', ...forVendor('Other'), action: 'ignore' },
    ];
    await setRules({ rules });
    expect([(await host(one)).state, (await host(two)).state]).toEqual(['approved', 'ignored']);
    await setRules({});
    expect([(await host(one)).state, (await host(two)).state]).toEqual(['approved', 'discovered']);
  });

  test('with an image that is gone let the machine wait, and say so', async () => {
    const mac = newMac();
    const rules = [{ name: 'gone', ...forVendor('Gone'), action: 'enrol', image: 'two' }];
    await setRules({ rules });
    const { digest } = server.two;
    const tags = await server.admin(`/api/v1/images/${digest}`, { method: 'DELETE' });
    expect(tags.status).toBe(200);
    expect((await say(mac, of(mac, 'Gone'))).json).toEqual({ state: 'discovered' });
    expect((await next(mac)).discovery).toMatchObject({
      action: 'hold',
      rule: 'gone',
      reason: expect.stringMatching(/it waits all the same: .*two/),
    });
    await setRules({});
  });

  test.each([
    [
      'two of one name',
      [
        { name: 'a', match: {}, action: 'hold' },
        { name: 'a', match: {}, action: 'hold' },
      ],
      400,
    ],
    ['an unknown action', [{ name: 'a', match: {}, action: 'wipe' }], 400],
    ['an unknown condition', [{ name: 'a', match: { colour: 'red' }, action: 'hold' }], 400],
    ['a subnet that is none', [{ name: 'a', match: { subnet: '10.0.0.0/40' }, action: 'hold' }], 400],
    ['an image without enrol', [{ name: 'a', match: {}, action: 'hold', image: 'one' }], 400],
    ['a leave to wipe', [{ name: 'a', match: {}, action: 'enrol', wipe: true }], 400],
    ['an unknown image', [{ name: 'a', match: {}, action: 'enrol', image: 'nope' }], 422],
    ['an unknown layout', [{ name: 'a', match: {}, action: 'enrol', layout: 'nope' }], 422],
    ['a name with a line end', [{ name: 'a\nb', match: {}, action: 'hold' }], 400],
  ])('%s is refused', async (_, rules, expected) => {
    expect((await setRules({ rules })).status).toBe(expected);
    expect((await server.admin(PATH)).json).toEqual(EMPTY);
  });

  test('no update is lost: an older edition is refused, and of two at once one wins', async () => {
    const { headers, json } = await server.admin(PATH);
    expect(policySchema.parse(json)).toEqual(EMPTY);
    const put = (etag: string | undefined, days: number) =>
      server.admin(PATH, {
        method: 'PUT',
        body: { ...EMPTY, forgetAfterDays: days },
        headers: etag === undefined ? {} : { 'if-match': etag },
      });
    expect((await put(undefined, 1)).status).toBe(428);
    expect((await put('"discovery-999"', 1)).status).toBe(412);
    expect((await put(`W/${headers.etag}`, 1)).status).toBe(412);
    const race = await Promise.all([5, 6, 7, 8].map((days) => put(headers.etag, days)));
    expect(race.map(({ status }) => status).sort()).toEqual([200, 412, 412, 412]);
    const winner = race.find(({ status }) => status === 200);
    const now = await server.admin(PATH);
    expect([now.json, now.headers.etag]).toEqual([winner?.json, winner?.headers.etag]);
    expect((await put(headers.etag, 9)).status).toBe(412);
    await server.restart();
    expect((await server.admin(PATH)).json).toEqual(winner?.json);
    expect((await setRules({})).status).toBe(200);
  });
});

describe('bounds', () => {
  test('no more wait than allowed; those who wait may go on talking', async () => {
    const known = newMac();
    await say(known);
    const { length } = await listed('?state=discovered');
    await setRules({ maxWaiting: length });
    const { status, json } = await say(newMac());
    expect([status, json.detail]).toEqual([
      503,
      expect.stringMatching(/wait for approval, and no more are taken/),
    ]);
    expect((await say(known)).status).toBe(200);
    await server.admin(`/api/v1/hosts/${known}`, { method: 'DELETE' });
    expect((await say(newMac())).status).toBe(200);
    await setRules({});
  });

  test('one address cannot go on for ever', async () => {
    const mac = newMac();
    let last = 200;
    for (let i = 0; i < 150 && last === 200; i += 1) last = (await say(mac)).status;
    expect(last).toBe(429);
  });
});
