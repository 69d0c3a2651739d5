import { beforeEach, describe, expect, test } from 'vitest';
import { minded, tick } from '../../server/control/ticker.ts';
import { PATIENCE } from '../../server/core/patience.ts';
import { A, ALICE, B, DISK, macAt, reportWith } from '../fixtures/hosts.ts';
import { useCases } from '../fixtures/use-cases.ts';

const mac = macAt(1);
const mine = { tokenHash: 'mine' };
let world: Awaited<ReturnType<typeof useCases>>;
let numbers: number;

const find = () => world.hosts.find(mac);
const kinds = async () => (await world.store.events({ limit: 100 })).map(({ kind }) => kind);
const report = (facts: Parameters<typeof reportWith>[0]) => {
  numbers += 1;
  return world.machines.report(mac, reportWith({ seq: numbers, ...facts }), `body ${numbers}`, mine);
};
const slots = { a: { state: 'modified', digest: A }, b: { state: 'empty', digest: null } } as const;
const up = { slot: 'a', digest: A, bootDefault: 'a', disk: DISK, slots, bootId: 'boot-2' } as const;

/** A host that was installed with image `one` and runs it. */
beforeEach(async () => {
  world = await useCases();
  numbers = 0;
  const host = await world.hosts.enrol(ALICE, { macs: [mac], image: 'one' });
  const attempt = host.attempt?.id ?? '';
  await world.machines.claim(mac, { attempt, tokenHash: 'mine' });
  await report({ kind: 'installed', attempt, slot: 'a', digest: A, disk: DISK });
  await report({ kind: 'booted', attempt, ...up });
  await report({ kind: 'confirmed', attempt, ...up });
});

/** From image one to image two, as an agent does it. */
async function toTwo(): Promise<void> {
  const { attempt } = await world.hosts.reassign(ALICE, mac, 'two', false);
  const id = attempt?.id ?? '';
  await report({ kind: 'staged', attempt: id, bootId: 'boot-2', slot: 'b', digest: B });
  await report({ kind: 'switching', attempt: id, bootId: 'boot-2', slot: 'b', digest: B });
  const there = {
    bootId: 'boot-3',
    slot: 'b',
    digest: B,
    slots: { ...slots, b: { state: 'modified', digest: B } as const },
  };
  await report({ kind: 'booted', attempt: id, trial: true, bootDefault: 'a', ...there });
  await report({ kind: 'confirmed', attempt: id, bootDefault: 'b', ...there });
}

describe('a disk that is booted without a word of its system', () => {
  const boots = async (count: number) => {
    const seen: string[] = [];
    for (let n = 0; n < count; n += 1) {
      world.time.now += 180_000;
      seen.push((await world.machines.bootChoice(mac)).kind);
    }
    return seen.join(' ');
  };
  test('is left to the installer, until there is one', async () => {
    expect(await boots(5)).toBe('disk disk disk disk discovery');
    expect((await world.machines.bootChoice(mac)).reason).toMatch(/^its disk was booted four times/);
    await report({ kind: 'booted', ...up, bootId: 'boot-3' });
    expect(await boots(5)).toBe('disk disk disk disk discovery');
  });
  test('is started all the same where the machine does not survive a kexec', async () => {
    await world.hosts.update(ALICE, mac, { switch: 'reboot' });
    expect(await boots(6)).toBe('disk disk disk disk disk disk');
  });
  test('is the machine’s own where the host is retired', async () => {
    await world.lifecycle.retire(ALICE, mac);
    expect(await boots(6)).toBe('disk disk disk disk disk disk');
  });
});

describe('retire', () => {
  test('ends the open attempt and the assignment, and lets the images go', async () => {
    await world.hosts.reassign(ALICE, mac, 'two', false);
    const host = await world.lifecycle.retire(ALICE, mac);
    expect(host.enrolment).toMatchObject({ status: 'retired', assignment: null });
    expect(host.attempt).toMatchObject({ outcome: 'superseded', reason: 'the host was retired' });
    expect(world.letGo).toEqual(expect.arrayContaining([A, B]));
    expect(await world.store.upkeep.needs(A)).toEqual([]);
    expect((await kinds()).slice(-2)).toEqual(['retired', 'attempt-ended']);
  });
  test('is the same when it is asked for again', async () => {
    const first = await world.lifecycle.retire(ALICE, mac);
    expect(await world.lifecycle.retire(ALICE, mac)).toEqual(first);
    expect((await kinds()).filter((kind) => kind === 'retired')).toHaveLength(1);
  });
  test('its token is worth nothing, and it is told nothing', async () => {
    await world.lifecycle.retire(ALICE, mac);
    const before = await find();
    await expect(report({ kind: 'booted', ...up, bootId: 'boot-9' })).rejects.toMatchObject({
      code: 'unauthorized',
    });
    await expect(world.machines.manifest(mac, mine)).rejects.toThrow('is retired');
    const claim = { attempt: before.attempt?.id ?? '', tokenHash: 'mine' };
    expect(await world.machines.claim(mac, claim)).toBe('refused');
    expect(await world.machines.bootChoice(mac)).toMatchObject({ kind: 'disk' });
    for (const order of [world.hosts.retry(ALICE, mac), world.hosts.reassign(ALICE, mac, 'two', false)])
      await expect(order).rejects.toMatchObject({ code: 'conflict' });
    await expect(world.lifecycle.rollBack(ALICE, mac)).rejects.toThrow('is retired: it takes no image');
    expect(await find()).toEqual(before);
  });
  test('comes back by approval, and goes on where its disk is', async () => {
    await world.lifecycle.retire(ALICE, mac);
    const host = await world.discovery.approve(ALICE, mac, { image: 'two' });
    expect(host.enrolment.status).toBe('approved');
    expect(host.attempt).toMatchObject({ kind: 'switch', outcome: null, digest: B });
    await expect(
      report({ kind: 'staged', attempt: host.attempt?.id ?? '', bootId: 'boot-2', slot: 'b', digest: B }),
    ).resolves.toMatchObject({ verdict: 'applied' });
  });
});

describe('rollback', () => {
  test('goes back to the image before, in the slot that holds it', async () => {
    await toTwo();
    const before = await find();
    expect(await world.lifecycle.previous(mac)).toEqual({ image: { ref: 'one', digest: A }, slot: 'a' });
    expect(await find()).toEqual(before);
    const { attempt } = await world.lifecycle.rollBack(ALICE, mac);
    expect(attempt).toMatchObject({ kind: 'switch', digest: A, ref: 'one', cause: 'operator: rollback' });
    expect(world.hosts.stepOf(await find())).toMatchObject({ action: 'switch', slot: 'a', digest: A });
    // Asked for once more it is still that attempt, and not one back from it.
    expect((await world.lifecycle.rollBack(ALICE, mac)).attempt).toBeNull();
  });
  test('of what is under way ends it where the host is', async () => {
    await world.hosts.reassign(ALICE, mac, 'two', false);
    expect((await world.lifecycle.rollBack(ALICE, mac)).attempt).toBeNull();
    expect(await find()).toMatchObject({
      attempt: { outcome: 'superseded' },
      enrolment: { assignment: { digest: A } },
    });
  });
  test('is refused with the reason where nothing is known to go back to', async () => {
    await expect(world.lifecycle.rollBack(ALICE, mac)).rejects.toMatchObject({
      code: 'conflict',
      message: expect.stringContaining('nothing to go back to'),
    });
    await expect(world.lifecycle.previous(mac)).rejects.toThrow('nothing to go back to');
  });
});

describe('hold', () => {
  test('keeps orders back until the host is resumed', async () => {
    await world.lifecycle.hold(ALICE, mac, 'new memory');
    const { serial } = (await find()).enrolment;
    await world.hosts.reassign(ALICE, mac, 'two', false);
    expect(world.hosts.stepOf(await find())).toMatchObject({
      action: 'hold',
      reason: 'held: new memory',
      until: 'an operator resumes it',
    });
    expect((await find()).enrolment.serial).toBeGreaterThan(serial);
    const host = await world.lifecycle.resume(ALICE, mac);
    expect(world.hosts.stepOf(host)).toMatchObject({ action: 'stage', slot: 'b' });
    expect(await kinds()).toEqual(expect.arrayContaining(['held', 'resumed']));
  });
  test('gives time: what was being written does not fail', async () => {
    const { attempt } = await world.hosts.reassign(ALICE, mac, 'two', false);
    await report({ kind: 'progress', attempt: attempt?.id ?? '', bootId: 'boot-2', phase: 'write' });
    await world.lifecycle.hold(ALICE, mac, 'new memory');
    world.time.now += PATIENCE.writeMs;
    await tick(world.context);
    expect((await find()).attempt).toMatchObject({
      outcome: null,
      deadline: world.time.now + PATIENCE.writeMs,
    });
    await world.lifecycle.resume(ALICE, mac);
    world.time.now += PATIENCE.writeMs;
    await tick(world.context);
    expect((await find()).attempt).toMatchObject({ outcome: 'failed' });
  });
});

describe('a clock that jumps', () => {
  const writing = async () => {
    const { attempt } = await world.hosts.reassign(ALICE, mac, 'two', false);
    await report({ kind: 'progress', attempt: attempt?.id ?? '', bootId: 'boot-2', phase: 'write' });
    return world.time.now;
  };
  test('forwards ends nothing at once', async () => {
    const last = await writing();
    world.time.now += 365 * 86_400_000;
    await minded(world.context, last, 1000);
    await tick(world.context);
    expect((await find()).attempt).toMatchObject({ outcome: null, deadline: world.time.now + 300_000 });
  });
  test('backwards lets nothing wait for as long as it was set back', async () => {
    const last = await writing();
    world.time.now -= 365 * 86_400_000;
    await minded(world.context, last, 1000);
    expect((await find()).attempt?.deadline).toBeLessThan(world.time.now + 2 * 86_400_000);
  });
  test('that only runs changes nothing', async () => {
    const last = await writing();
    const before = await find();
    world.time.now += 1500;
    expect(await minded(world.context, last, 1000)).toBe(world.time.now);
    expect(await find()).toEqual(before);
  });
});

test('a report of an attempt that a restored database does not know stops an install that is older than the disk', async () => {
  await world.hosts.reinstall(ALICE, mac, false);
  expect(world.hosts.stepOf(await find()).action).toBe('install');
  const { why } = await report({
    kind: 'booted',
    attempt: 'of-a-later-time',
    ...up,
    bootId: 'boot-7',
    digest: B,
  });
  expect(why).toContain('does not know');
  expect((await find()).attempt).toMatchObject({ outcome: 'superseded' });
  expect(world.hosts.stepOf(await find()).action).toBe('hold');
});
