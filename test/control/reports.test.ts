import { beforeEach, describe, expect, test } from 'vitest';
import { tick } from '../../server/control/ticker.ts';
import { PATIENCE } from '../../server/core/patience.ts';
import { ALICE, macAt, reportWith } from '../fixtures/hosts.ts';
import { useCases } from '../fixtures/use-cases.ts';

const mac = macAt(1);
const bearer = (tokenHash: string | null) => ({ tokenHash });

let world: Awaited<ReturnType<typeof useCases>>;
let attempt: string;
beforeEach(async () => {
  world = await useCases();
  const host = await world.hosts.enrol(ALICE, { macs: [mac], image: 'one' });
  attempt = host.attempt?.id ?? '';
});
const kinds = async () => (await world.store.events({ limit: 100 })).map(({ kind }) => kind);
const claim = (tokenHash = 'mine') => world.machines.claim(mac, { attempt, tokenHash });

describe('a claim', () => {
  test('that nothing follows is released after three minutes; the phase stays', async () => {
    await claim();
    world.time.now += PATIENCE.claimMs - 1;
    await tick(world.context);
    expect(await claim('other')).toBe('refused');
    world.time.now += 1;
    await tick(world.context);
    expect((await kinds()).at(-1)).toBe('claim-released');
    expect((await world.hosts.find(mac)).attempt?.phase).toBe('claimed');
    expect(await claim('other')).toBe('new');
  });
  test('that reports follow stays, and nothing is said to be released', async () => {
    await claim();
    for (const seq of [1, 2]) {
      world.time.now += PATIENCE.claimMs - 1;
      await tick(world.context);
      await world.machines.report(mac, reportWith({ kind: 'inventory', attempt, seq }), 'x', bearer('mine'));
    }
    world.time.now += PATIENCE.claimMs - 1;
    expect(await kinds()).not.toContain('claim-released');
    expect(await claim('other')).toBe('refused');
    expect(await claim()).toBe('same');
  });
  test('in the middle of writing has the patience of writing', async () => {
    await world.machines.report(mac, reportWith({ kind: 'progress', attempt, seq: 1 }), 'x', bearer(null));
    await claim('other');
    world.time.now += PATIENCE.claimMs + 1;
    await tick(world.context);
    expect((await world.hosts.find(mac)).attempt).toMatchObject({ phase: 'writing', outcome: null });
  });
});

describe('a flood of strangers is written down within bounds', () => {
  const many = <T>(count: number, ask: (at: number) => Promise<T>) =>
    Promise.allSettled(Array.from({ length: count }, (_, at) => ask(at)));
  const written = async (kind: string) =>
    (await world.store.events({ limit: 1000 })).filter((each) => each.kind === kind).length;
  const report = (at: number, caller: string | null) =>
    world.machines.report(mac, reportWith({ kind: 'booted', bootId: `b${at}`, seq: 1 }), 'x', bearer(caller));

  test('refused claims', async () => {
    await claim();
    const told = await many(300, (at) => claim(`stranger-${at}`));
    expect(told.every((each) => each.status === 'fulfilled' && each.value === 'refused')).toBe(true);
    expect(await written('claim-refused')).toBe(100);
    world.time.now += 60_000;
    await many(300, (at) => claim(`stranger-${at}`));
    expect(await written('claim-refused')).toBe(110);
    expect(await claim()).toBe('same');
  });

  test('reports of a host without a token; the host that has one is heard', async () => {
    const told = await many(300, (at) => report(at, null));
    expect(told.filter(({ status }) => status === 'fulfilled')).toHaveLength(100);
    await expect(report(400, null)).rejects.toMatchObject({ code: 'too-many' });
    await claim();
    await expect(report(401, 'mine')).resolves.toMatchObject({ verdict: 'applied' });
  });
});

test('a store that fails answers nothing with ok, and wakes nobody', async () => {
  const before = await world.hosts.find(mac);
  let woken = 0;
  world.context.wakes.listen(before.enrolment.id, () => {
    woken += 1;
  });
  world.store.broken = true;
  await expect(claim()).rejects.toThrow('disk is full');
  const report = reportWith({ kind: 'failed', attempt, seq: 1 });
  await expect(world.machines.report(mac, report, 'x', bearer(null))).rejects.toThrow('disk is full');
  await expect(world.hosts.reassign(ALICE, mac, 'two', false)).rejects.toThrow('disk is full');
  expect(woken).toBe(0);
  world.store.broken = false;
  expect(await world.hosts.find(mac)).toEqual(before);
  expect((await world.machines.report(mac, report, 'x', bearer(null))).verdict).toBe('applied');
  expect(woken).toBe(1);
});

test('of two who claim at once one has the host', async () => {
  const answers = await Promise.all(['a', 'b', 'c'].map(claim));
  expect(answers).toEqual(['new', 'refused', 'refused']);
});

test('progress is an event when its phase changes, not with every word', async () => {
  const say = (seq: number, phase: string) =>
    world.machines.report(mac, reportWith({ kind: 'progress', attempt, seq, phase }), `${seq}`, bearer(null));
  for (const [seq, phase] of [
    [1, 'write'],
    [2, 'write'],
    [3, 'write'],
    [4, 'check'],
  ] as const)
    await say(seq, phase);
  expect((await kinds()).filter((kind) => kind === 'report')).toHaveLength(2);
});
