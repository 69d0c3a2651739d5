import { describe, expect, test } from 'vitest';
import { discoveryCases, settleDiscovery } from '../../server/control/discovery.ts';
import { inventoryCases } from '../../server/control/inventories.ts';
import { tick } from '../../server/control/ticker.ts';
import { FIRST_POLICY } from '../../server/core/discovery.ts';
import type { Store } from '../../server/core/ports.ts';
import { ALICE, macAt } from '../fixtures/hosts.ts';
import { machine } from '../fixtures/inventories.ts';
import { hostsOf } from '../fixtures/stores.ts';
import { useCases } from '../fixtures/use-cases.ts';

const DAY = 86_400_000;
const NOBODY = { tokenHash: null };

async function world() {
  const made = await useCases();
  const discovery = discoveryCases(made.context);
  const { takeInventory } = inventoryCases(made.context);
  const say = (number: number, macs = [macAt(number)]) =>
    takeInventory(macAt(number), machine(macs), '10.0.0.9', NOBODY);
  const kinds = async () => (await made.store.events({ limit: 1000 })).map(({ kind }) => kind);
  const macs = async () => (await hostsOf(made.store)).map(({ enrolment }) => enrolment.macs[0]);
  return { ...made, discovery, takeInventory, say, kinds, macs };
}

describe('machines that nobody approves', () => {
  test('are forgotten by the ticker when they were not heard of, and not before', async () => {
    const { context, time, discovery, say, kinds, macs } = await world();
    await say(1);
    await say(2);
    await say(3);
    await discovery.approve(ALICE, macAt(3), {});
    time.now += 29 * DAY;
    await say(2);
    await tick(context);
    expect(await macs()).toHaveLength(3);
    time.now += 2 * DAY;
    await Promise.all([tick(context), tick(context)]);
    expect(await macs()).toEqual([macAt(2), macAt(3)].filter((mac) => mac));
    expect((await kinds()).filter((kind) => kind === 'forgotten')).toHaveLength(1);
    time.now += 300 * DAY;
    await tick(context);
    expect(await macs()).toEqual([macAt(3)]);
  });

  test('and that an operator ignores are remembered', async () => {
    const { context, time, discovery, say, macs } = await world();
    await say(1);
    await discovery.setIgnored(ALICE, macAt(1), true);
    time.now += 300 * DAY;
    await tick(context);
    expect(await macs()).toEqual([macAt(1)]);
    expect((await discovery.setIgnored(ALICE, macAt(1), false)).enrolment.forgetAt).toBe(time.now + 30 * DAY);
  });

  test('count their days anew by the rules of today', async () => {
    const { time, discovery, say, hosts } = await world();
    await say(1);
    const said = time.now;
    time.now += DAY;
    await discovery.setPolicy(ALICE, { ...FIRST_POLICY.policy, forgetAfterDays: 3 }, 0);
    expect((await hosts.find(macAt(1))).enrolment.forgetAt).toBe(said + 3 * DAY);
  });

  test('come back by themselves when they are still there', async () => {
    const { context, time, say, kinds } = await world();
    await say(1);
    time.now += 31 * DAY;
    await tick(context);
    await say(1);
    expect(await kinds()).toEqual([
      'discovered',
      'discovery-decided',
      'forgotten',
      'discovered',
      'discovery-decided',
    ]);
  });
});

test('what an operator decided on one card holds for the machine', async () => {
  const { discovery, say } = await world();
  await say(1);
  await say(2);
  await discovery.setIgnored(ALICE, macAt(2), true);
  const { enrolment } = await say(1, [macAt(1), macAt(2)]);
  expect(enrolment).toMatchObject({ status: 'ignored', byHand: true, macs: [macAt(1), macAt(2)] });
});

test('labels of all its cards stay; where two say the same name, those of the record that stays', async () => {
  const { hosts, say } = await world();
  await say(1);
  await say(2);
  await hosts.update(ALICE, macAt(1), { labels: { rack: 'b7' } });
  await hosts.update(ALICE, macAt(2), { labels: { rack: 'c1', row: '4' } });
  const { enrolment } = await say(1, [macAt(1), macAt(2)]);
  expect(enrolment.labels).toEqual({ rack: 'b7', row: '4' });
});

test('a machine that said something else is what it says now, and the rules are asked again', async () => {
  const { discovery, say, kinds, hosts } = await world();
  await say(1, [macAt(1), macAt(2)]);
  await say(1, [macAt(1), macAt(3)]);
  expect((await hosts.find(macAt(1))).enrolment.macs).toEqual([macAt(1), macAt(3)]);
  expect(await kinds()).toEqual(['discovered', 'discovery-decided']);
  await discovery.setPolicy(ALICE, { ...FIRST_POLICY.policy, otherwise: 'ignore' }, 0);
  expect((await kinds()).at(-1)).toBe('discovery-decided');
  expect((await hosts.find(macAt(1))).enrolment.status).toBe('ignored');
});

test('a disk that is full leaves nothing of a discovery', async () => {
  const { store, say, macs } = await world();
  store.broken = true;
  await expect(say(1)).rejects.toThrow(/full/);
  store.broken = false;
  expect(await macs()).toEqual([]);
});

test('a thousand strangers end at the bound, and the table of sources is bounded too', async () => {
  const { discovery, takeInventory, macs } = await world();
  await discovery.setPolicy(ALICE, { ...FIRST_POLICY.policy, maxWaiting: 20 }, 0);
  const all = Array.from({ length: 300 }, (_, i) =>
    takeInventory(macAt(i + 1), machine([macAt(i + 1)]), `10.0.${i >> 8}.${i & 255}`, NOBODY),
  );
  const settled = await Promise.allSettled(all);
  expect(settled.filter(({ status }) => status === 'fulfilled')).toHaveLength(20);
  expect(await macs()).toHaveLength(20);
});

test('a server that was killed after new rules, and before all were asked about, asks at its start, and touches nobody else', async () => {
  const { context, discovery, say, store, hosts, kinds } = await world();
  for (const number of [1, 2, 3]) await say(number);
  let writes = 0;
  const dying: Store = {
    ...store,
    change: (scope, decide) => {
      writes += 1;
      // The rules, and one machine.
      return writes <= 2 ? store.change(scope, decide) : new Promise(() => {});
    },
  };
  const rules = [{ name: 'all', match: {}, action: 'enrol' as const }];
  void discoveryCases({ ...context, store: dying }).setPolicy(ALICE, { ...FIRST_POLICY.policy, rules }, 0);
  await expect.poll(() => writes).toBe(4);
  const statuses = () =>
    Promise.all([1, 2, 3].map(async (number) => (await hosts.find(macAt(number))).enrolment.status));
  await expect.poll(statuses).toEqual(['approved', 'discovered', 'discovered']);
  await settleDiscovery(context);
  expect(await statuses()).toEqual(['approved', 'approved', 'approved']);
  expect((await kinds()).filter((kind) => kind === 'discovery-decided').length).toBe(6);

  // One that goes on waiting.
  const { version } = await discovery.policy();
  await discovery.setPolicy(ALICE, FIRST_POLICY.policy, version);
  await say(4);
  const decisions: unknown[] = [];
  const watched: Store = {
    ...store,
    change: (scope, decide) =>
      store.change(scope, (records) => {
        const decision = decide(records);
        decisions.push(decision.hosts);
        return decision;
      }),
  };
  await settleDiscovery({ ...context, store: watched });
  expect(decisions).toEqual([[]]);
});
