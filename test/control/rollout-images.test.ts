import { afterEach, beforeEach, expect, test } from 'vitest';
import { garbageWatch } from '../../server/control/garbage-watch.ts';
import type { Digest } from '../../server/core/digest.ts';
import { ALICE, hostWith, macAt, NOW, reportWith } from '../fixtures/hosts.ts';
import { type StoreWorld, storeWorld } from '../fixtures/store-world.ts';
import { useCasesOn } from '../fixtures/use-cases.ts';

/** Images that a rollout needs, in a store with real files. */

let world: StoreWorld;
beforeEach(() => {
  world = storeWorld();
});
afterEach(async () => {
  await world.close();
  world.discard();
});

/** Two hosts that run `os:old`; a rollout brings the first of them to `os:new`. */
async function rollout() {
  const before = await world.build('old', { chunks: ['a', 'b'] });
  const after = await world.build('new', { chunks: ['b', 'c'] });
  const hosts = [1, 2].map((number) =>
    hostWith({
      enrolment: {
        id: `host-${number}`,
        macs: [macAt(number)],
        assignment: { ref: 'os:old', digest: before },
        createdAt: NOW + number,
      },
      observation: { digest: before, slots: { a: { state: 'modified', digest: before } } },
    }),
  );
  await world.store.change({}, () => ({ answer: undefined, hosts }));
  const time = { now: NOW };
  const cases = useCasesOn(world.store, () => time.now, world.newId);
  Object.assign(cases.context, { leaseImages: world.keeper.lease });
  let seq = 10;
  const says = async (number: number, digest: Digest, other: Digest | null) => {
    seq += 1;
    const attempt = (await world.store.host({ id: `host-${number}` }))?.attempt;
    const slots = {
      a: other ? { state: 'valid' as const, digest: other } : { state: 'invalid' as const, digest: null },
      b: { state: 'modified' as const, digest },
    };
    const facts = { attempt: attempt?.id ?? null, seq, bootId: `boot-${seq}`, slot: 'b', digest, slots };
    await cases.machines.report(
      macAt(number),
      reportWith({ kind: 'confirmed', bootDefault: 'b', ...facts }),
      `${seq}`,
      { tokenHash: null },
    );
  };
  const wish = { image: 'os:new', selector: '', waves: [1, '100%'], soakSeconds: 3600 } as const;
  const { id } = (await cases.rollouts.begin(ALICE, wish)).rollout;
  await cases.engine.run(id);
  return { ...cases, id, before, after, says };
}

async function isWhole(digest: Digest): Promise<boolean> {
  await world.keeper.collect();
  const image = await world.store.image({ kind: 'digest', digest });
  return image !== null && image.missingChunks === 0 && (await world.read(digest, 'data')) !== null;
}

const forget = (id: string) =>
  world.store.change({ hosts: [id] }, () => ({ answer: undefined, removed: [id] }));

test('what a host ran before a rollout that runs or is paused stays, so that it can be rolled back', async () => {
  const { id, rollouts, before, after, says, engine } = await rollout();
  await says(1, after, null);
  // The other host needs it no longer either: the rollout alone knows of it.
  await forget('host-2');
  const refusal = {
    code: 'conflict',
    message: `os:old stays: a rollout that is not over has brought ${macAt(1)} from it, and could be rolled back. Wait for its end, or abort it: warmboot rollout list.`,
  };
  await expect(world.remove('os:old')).rejects.toMatchObject(refusal);
  await rollouts.pause(ALICE, id, '');
  await expect(world.remove('os:old')).rejects.toMatchObject(refusal);
  // A build takes its tag: then it has none.
  await world.build('old', { chunks: ['z'] });
  expect(await isWhole(before)).toBe(true);
  const back = await rollouts.rollback(ALICE, id, '');
  await engine.run(back.rollout.id);
  expect(await isWhole(before)).toBe(true);
  expect((await world.store.host({ id: 'host-1' }))?.attempt).toMatchObject({
    digest: before,
    outcome: null,
  });
});

test('what a rollout is to bring hosts to stays until it is over; then it is collected', async () => {
  const { id, rollouts, before, after, says, letGo } = await rollout();
  await says(1, after, null);
  await forget('host-1');
  // Not ordered yet: the rollout alone knows of it.
  for (const ref of ['os:new', after])
    await expect(world.remove(ref)).rejects.toMatchObject({
      code: 'conflict',
      message: `${ref} stays: a rollout that is not over is to bring ${macAt(2)} to it. Wait for its end, or abort it: warmboot rollout list.`,
    });
  await world.build('new', { chunks: ['z'] });
  expect(await isWhole(after)).toBe(true);

  const time = { now: 0 };
  const garbage = garbageWatch({
    ...world,
    clock: () => time.now,
    onError: (error) => world.errors.push(error),
  });
  letGo.length = 0;
  await rollouts.abort(ALICE, id, '');
  expect(new Set(letGo)).toEqual(new Set([before, after]));
  garbage.letGo(letGo);
  time.now += 60_000;
  await garbage.look();
  await expect.poll(() => world.store.image({ kind: 'digest', digest: after })).toBeNull();
  expect(await world.store.image({ kind: 'digest', digest: before })).not.toBeNull();
  expect(world.errors).toEqual([]);
});

test('what hosts go back to is not collected between the end of a rollout and the beginning of its rollback', async () => {
  const { id, rollouts, context, before, after, says } = await rollout();
  await says(1, after, null);
  await forget('host-2');
  await world.build('old', { chunks: ['z'] });
  // The busiest of collectors: it runs as soon as something can be collected.
  const collected: Promise<unknown>[] = [];
  Object.assign(context, { garbage: { letGo: () => collected.push(world.keeper.collect()), look() {} } });
  const { members } = context.store.rollouts;
  Object.assign(context.store.rollouts, {
    members: async (name: string) => {
      await Promise.all(collected);
      return members(name);
    },
  });
  const back = await rollouts.rollback(ALICE, id, '');
  expect(collected.length).toBeGreaterThan(0);
  expect(back.leftOut).toEqual([]);
  expect(await isWhole(before)).toBe(true);
});

test('once a rollout has ended, what its hosts ran before is collected; a rollback names them', async () => {
  const { id, rollouts, before, after, says } = await rollout();
  await says(1, after, null);
  await forget('host-2');
  await world.build('old', { chunks: ['z'] });
  await rollouts.abort(ALICE, id, '');
  await world.keeper.collect();
  expect(await world.store.image({ kind: 'digest', digest: before })).toBeNull();
  await expect(rollouts.rollback(ALICE, id, '')).rejects.toThrow(
    `${macAt(1)}: the image that it ran before is gone: os:old (${before}). Import it or build it again.`,
  );
});

test('what lies in the other slot stays after the end of a rollout as well', async () => {
  const { id, rollouts, before, after, says } = await rollout();
  await says(1, after, before);
  await forget('host-2');
  await world.build('old', { chunks: ['z'] });
  await rollouts.abort(ALICE, id, '');
  expect(await isWhole(before)).toBe(true);
  expect((await rollouts.rollback(ALICE, id, '')).leftOut).toEqual([]);
});
