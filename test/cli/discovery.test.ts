import { describe, expect, test } from 'vitest';
import type { PolicyView } from '../../server/contract/discovery.ts';
import type { InventoryView } from '../../server/contract/inventory.ts';
import { inventoryOf } from '../../server/core/inventory.ts';
import { saidInventory } from '../fixtures/inventories.ts';
import { adminServer, problem } from './admin-server.ts';
import { host, MAC } from './records.ts';
import { NOW, run } from './run.ts';

const AT = `/api/v1/hosts/${encodeURIComponent(MAC)}`;
const EMPTY: PolicyView = { rules: [], otherwise: 'hold', forgetAfterDays: 30, maxWaiting: 1000 };
const DELL: PolicyView['rules'][number] = {
  name: 'dell',
  match: { vendor: 'Dell*', subnet: '10.1.0.0/16' },
  action: 'enrol',
  image: 'debian-13',
  labels: { pool: 'web' },
};
const waits = host({
  state: 'discovered',
  enrolment: 'discovered',
  image: null,
  next: {
    action: 'hold',
    reason: 'the host waits for approval',
    until: 'something changes',
    hint: null,
    slot: null,
  },
});
const approved = host({
  state: 'approved',
  next: {
    action: 'install',
    reason: 'debian-13 is to be installed',
    until: 'something changes',
    hint: null,
    slot: 'a',
  },
});

/** A server with rules that know their edition. */
async function withRules(policy: PolicyView, refuse = false) {
  const state = { policy };
  const server = await adminServer({
    'GET /api/v1/discovery': (_asked, response) => {
      response.setHeader('etag', '"discovery-4"');
      return state.policy;
    },
    'PUT /api/v1/discovery': ({ body, headers }, response) => {
      if (refuse || headers['if-match'] !== '"discovery-4"')
        return problem(response, 412, 'The rules were changed meanwhile. Read them again, then change them.');
      state.policy = body as PolicyView;
      return state.policy;
    },
  });
  const cli = (...args: string[]) => run([...args, '--server', server.url]);
  return { state, server, cli };
}

const OLD = '52:54:00:00:00:0d';

describe('approve', () => {
  test('every option is sent', async () => {
    const server = await adminServer({ [`POST ${AT}/approve`]: () => approved });
    const args = ['approve', MAC, '--image', 'debian-13', '--layout', 'two-slots', '--disk', 'smallest'];
    args.push('--label', 'rack=b7', '--wipe', '--append', 'nosmt', '--server', server.url);
    const { code, stdout } = await run(args);
    expect(server.asked[0]?.body).toEqual({
      image: 'debian-13',
      layout: 'two-slots',
      disk: 'smallest',
      labels: { rack: 'b7' },
      wipe: true,
      append: 'nosmt',
    });
    expect([code, stdout]).toEqual([
      0,
      `${MAC} is approved for debian-13:latest: debian-13 is to be installed\n`,
    ]);
  });
  test('as a host whose board was replaced', async () => {
    const server = await adminServer({
      [`POST ${AT}/approve`]: () => ({ ...approved, macs: [OLD, MAC], mac: OLD }),
    });
    const { code, stdout } = await run(['approve', MAC, '--as', OLD, '--server', server.url]);
    expect(server.asked[0]?.body).toEqual({ as: OLD });
    expect([code, stdout]).toEqual([
      0,
      `${OLD} has these cards now: ${OLD}, ${MAC}: debian-13 is to be installed\n`,
    ]);
  });
  test('a machine that is no longer there: the sentence of the server', async () => {
    const server = await adminServer();
    const { code, stderr } = await run(['approve', MAC, '--server', server.url]);
    expect([code, stderr]).toEqual([1, expect.stringContaining('There is nothing at')]);
  });
});

test('ignore, and undo', async () => {
  const server = await adminServer({
    [`PUT ${AT}/ignored`]: ({ body }) =>
      (body as { ignored: boolean }).ignored ? { ...waits, state: 'ignored' } : waits,
  });
  expect((await run(['ignore', MAC, '--server', server.url])).stdout).toMatch(/ is ignored: /);
  expect((await run(['ignore', MAC, '--undo', '--server', server.url])).stdout).toMatch(/ is discovered: /);
  expect(server.asked.map(({ body }) => body)).toEqual([{ ignored: true }, { ignored: false }]);
});

describe('discovery', () => {
  test('shows the rules', async () => {
    const { cli } = await withRules({ ...EMPTY, rules: [DELL] });
    expect((await cli('discovery')).stdout).toMatchInlineSnapshot(`
      "RULE  IF                                THEN   IMAGE      LAYOUT  LABELS
      dell  vendor Dell*, subnet 10.1.0.0/16  enrol  debian-13  -       pool=web
      Where no rule fits: hold. At most 1000 wait; one that is not heard of for 30 days is forgotten.
      "
    `);
    expect(JSON.parse((await cli('discovery', '--json')).stdout)).toEqual({ ...EMPTY, rules: [DELL] });
    const none = await withRules(EMPTY);
    expect((await none.cli('discovery')).stdout).toBe(
      'There are no rules: hold. At most 1000 wait; one that is not heard of for 30 days is forgotten.\n',
    );
  });

  test('a rule is added, replaced in its place, moved to the front, dropped', async () => {
    const { state, cli } = await withRules(EMPTY);
    const dell = ['--vendor', 'Dell*', '--subnet', '10.1.0.0/16', '--enrol', '--image', 'debian-13'];
    expect((await cli('discovery', 'rule', 'dell', ...dell, '--label', 'pool=web')).code).toBe(0);
    expect(state.policy.rules).toEqual([DELL]);
    await cli('discovery', 'rule', 'old', '--serial', 'A', '--serial', 'B', '--ignore');
    await cli('discovery', 'rule', 'dell', '--vendor', 'Dell Inc.', '--hold');
    expect(state.policy.rules).toEqual([
      { name: 'dell', match: { vendor: 'Dell Inc.' }, action: 'hold' },
      { name: 'old', match: { serials: ['A', 'B'] }, action: 'ignore' },
    ]);
    await cli('discovery', 'rule', 'old', '--product', 'X', '--architecture', 'x86_64', '--hold', '--first');
    expect(state.policy.rules.map(({ name }) => name)).toEqual(['old', 'dell']);
    await cli('discovery', 'drop', 'old');
    expect(state.policy.rules.map(({ name }) => name)).toEqual(['dell']);
    expect(await cli('discovery', 'drop', 'old')).toMatchObject({
      code: 1,
      stderr: 'warmboot: there is no rule "old". See warmboot discovery.\n',
    });
  });

  test.each([[[]], [['--hold', '--ignore']]])('a rule does one thing: %j', async (flags) => {
    const { cli, state } = await withRules(EMPTY);
    expect((await cli('discovery', 'rule', 'x', ...flags)).code).toBe(2);
    expect(state.policy).toEqual(EMPTY);
  });

  test('bounds are set, the rest stays', async () => {
    const { cli, state } = await withRules({ ...EMPTY, rules: [DELL] });
    await cli('discovery', 'set', '--otherwise', 'ignore', '--forget-after', '7', '--max-waiting', '50');
    expect(state.policy).toEqual({ rules: [DELL], otherwise: 'ignore', forgetAfterDays: 7, maxWaiting: 50 });
  });

  test('a file takes the place of all', async () => {
    const { server, state } = await withRules(EMPTY);
    const wanted = { ...EMPTY, rules: [DELL], maxWaiting: 9 };
    const files = { 'data/admin.token': 't', 'rules.json': JSON.stringify(wanted), 'bad.json': '{' };
    const load = (file: string) => run(['discovery', 'load', file, '--server', server.url], { files });
    expect((await load('rules.json')).code).toBe(0);
    expect(state.policy).toEqual(wanted);
    for (const file of ['bad.json', 'none.json']) {
      const { code, stderr } = await load(file);
      expect([code, stderr]).toEqual([
        1,
        expect.stringMatching(/^warmboot: the rules in .*cannot be read: /),
      ]);
    }
  });

  test('rules that another has changed meanwhile are not overwritten', async () => {
    const { cli, state } = await withRules(EMPTY, true);
    const { code, stderr } = await cli('discovery', 'set', '--forget-after', '7');
    expect([code, stderr]).toEqual([1, expect.stringContaining('changed meanwhile')]);
    expect(state.policy).toEqual(EMPTY);
  });
});

test('host shows what the machine says of itself, with whatever stands in it', async () => {
  const { nics, disks, ...facts } = inventoryOf(
    saidInventory({ cpu: { model: 'Xeon', count: 8 }, bmc: { source: 'ipmi', address: '10.9.0.7' } }),
  );
  const inventory: InventoryView = {
    ...facts,
    at: NOW - 5000,
    address: '10.1.2.3',
    disks: [...disks],
    nics: [
      ...nics,
      { name: 'eth1', mac: null, driver: '\x1b[31mevil', bus: 'usb', link: null, speedMbps: null },
    ],
  };
  const server = await adminServer({
    [`GET ${AT}`]: () => ({ ...waits, observation: null, inventory }),
    [`GET ${AT}/attempts`]: () => ({ attempts: [] }),
  });
  const { code, stdout } = await run(['host', MAC, '--server', server.url]);
  expect(code).toBe(0);
  expect(stdout).not.toContain('\x1b');
  expect(stdout.slice(stdout.indexOf('Inventory'))).toMatchInlineSnapshot(`
    "Inventory
      said      5 s ago, from 10.1.2.3
      system    Dell Inc. PowerEdge R640, serial ABC1234
      board     Dell Inc. 0H28RR, serial CN0001
      uuid      4c4c4544-0041-4210-8043-b1c04f313233
      cpu       8 × Xeon, x86_64
      memory    16 GiB
      firmware  UEFI, 64 bits, Secure Boot off
      bmc       10.9.0.7 (ipmi)
      watchdog  yes

    Disks
      DISK     SIZE  SECTOR  KIND        HOLDS  MODEL       SERIAL  WWN
      sda   447 GiB     512  sas, flash  empty  PERC H740P  S1      5000c500a1b2c3d4

    Network
      PORT  MAC                DRIVER  BUS  LINK
      eth1  52:54:00:00:00:01  tg3     pci  up, 1000 Mbit/s
      eth1  -                  evil    usb  unknown
    "
  `);
});
