import { describe, expect, test } from 'vitest';
import { onceCases } from '../../server/control/once.ts';
import { takeBack } from '../../server/core/assign.ts';
import type { Host } from '../../server/core/host.ts';
import { hostState } from '../../server/core/host-state.ts';
import type { Scope, Store } from '../../server/core/ports.ts';
import type { Report } from '../../server/core/report.ts';
import { failureLimit, hostsUpTo, type Rollout, unavailableLimit } from '../../server/core/rollout.ts';
import { advanced, paused, resumed, soaking } from '../../server/core/rollout-status.ts';
import { A, B, C, hostWith, macAt, NOW, reportWith } from '../fixtures/hosts.ts';
import { useCases, useCasesOn } from '../fixtures/use-cases.ts';

const MINUTE = 60_000;
const BY = { name: 'anna' };

/** Hosts that run image `one`, with label `rack`. */
async function fleet(count: number, facts: (number: number) => Partial<Host['enrolment']> = () => ({})) {
  const world = await useCases();
  const hosts = Array.from({ length: count }, (_, at) =>
    hostWith({
      enrolment: {
        id: `host-${at + 1}`,
        macs: [macAt(at + 1)],
        assignment: { ref: 'one', digest: A },
        labels: { rack: at % 2 === 0 ? 'r1' : 'r2' },
        createdAt: NOW - 10_000 + at,
        ...facts(at + 1),
      },
    }),
  );
  await (world.store as Store).change({}, () => ({ answer: undefined, hosts }));
  let seq = 10;
  const find = async (number: number) => {
    const host = await world.store.host({ id: `host-${number}` });
    if (!host) throw new Error(`host ${number} is gone`);
    return host;
  };
  const says = async (number: number, facts: Partial<Report> & Pick<Report, 'kind'>) => {
    seq += 1;
    world.time.now += 1;
    const attempt = (await find(number)).attempt?.id ?? null;
    const report = reportWith({ attempt, seq, ...facts });
    await world.machines.report(macAt(number), report, `${seq}`, { tokenHash: null });
  };
  return {
    ...world,
    find,
    says,
    attempts: (number: number) => world.store.attempts(`host-${number}`),
    confirm: (number: number, digest = B) =>
      says(number, { kind: 'confirmed', bootId: `boot-${seq}`, slot: 'b', digest, bootDefault: 'b' }),
    rollsBack: (number: number) =>
      says(number, { kind: 'rolled-back', bootId: `boot-${seq}`, slot: 'a', digest: A, reason: 'unhealthy' }),
    /** As the ticker does, and then until the rollouts have come to rest. */
    async tick() {
      await world.engine.look();
      for (const { id } of await world.store.rollouts.open()) await world.engine.run(id);
    },
    async stateOf(number: number) {
      return hostState(await find(number));
    },
  };
}

/** A store in which something else happens before each of its changes. */
function meddling(store: Store, before: (scope: Scope) => Promise<void>): Store {
  return {
    ...store,
    change: async (scope, decide) => {
      await before(scope);
      return store.change(scope, decide);
    },
  };
}

/** A finished rollout that brought one host from `one` and another from an image that is gone by now. */
async function movedFromAGoneImage() {
  const world = await fleet(2);
  const other = await world.find(2);
  if (!other.observation) throw new Error('nobody knows what it runs');
  const was = {
    enrolment: { ...other.enrolment, assignment: { ref: 'three', digest: C } },
    observation: { ...other.observation, digest: C },
  };
  await world.store.change({ hosts: ['host-2'] }, () => ({
    answer: undefined,
    hosts: [{ ...other, ...was }],
  }));
  const facts = { image: 'two', selector: '', waves: ['100%'], maxUnavailable: '100%' } as const;
  const { id } = (await world.rollouts.begin(BY, facts)).rollout;
  await world.tick();
  for (const number of [1, 2]) await world.confirm(number);
  world.time.now += MINUTE;
  const gone = `the image that it ran before is gone: three (${C}). Import it or build it again`;
  const store = world.store as Store;
  return {
    ...world,
    id,
    leftOut: [{ mac: macAt(2), reason: gone }],
    importIt: () =>
      store.commitImage(
        { digest: C, kind: 'os', pack: null, chunks: [], uses: [] },
        { name: 'three', tag: 'latest' },
        [],
      ),
  };
}

async function kinds({ store }: Awaited<ReturnType<typeof fleet>>) {
  const events = await store.events({ limit: 1000 });
  return events.filter(({ kind }) => kind.startsWith('rollout-'));
}

test('a canary, a soak and the rest, told in events with who and why', async () => {
  const world = await fleet(4);
  const { rollout } = await world.rollouts.begin(BY, {
    image: 'two',
    selector: '',
    waves: [1, '100%'],
    maxUnavailable: '100%',
    reason: 'CVE of the week',
  });
  await world.tick();
  expect((await world.find(1)).attempt).toMatchObject({
    digest: B,
    rolloutId: rollout.id,
    cause: `rollout ${rollout.id}`,
    outcome: null,
  });
  const own = (await world.store.events({ limit: 1000 })).filter(({ kind }) => kind === 'attempt-began');
  expect(own).toMatchObject([{ actor: 'server', hostId: 'host-1', reason: `rollout ${rollout.id}` }]);
  expect((await world.find(2)).attempt).toBeNull();
  expect(await world.rollouts.find(rollout.id)).toMatchObject({
    reason: 'wave 1 of 2: 1 of 1 hosts are not there yet',
    progress: { total: { waiting: 3, staging: 1 }, unavailable: 1 },
  });
  await world.confirm(1);
  await world.tick();
  expect(await world.rollouts.find(rollout.id)).toMatchObject({
    reason: expect.stringMatching(/^wave 1 of 2 is over and soaks until/),
  });
  world.time.now += 5 * MINUTE;
  await world.tick();
  for (const number of [2, 3, 4]) await world.confirm(number);
  await world.tick();
  expect(await world.rollouts.find(rollout.id)).toMatchObject({
    rollout: { status: 'finished', result: { succeeded: 4 } },
    progress: { total: { succeeded: 4 } },
  });
  expect(await kinds(world)).toMatchObject([
    {
      kind: 'rollout-began',
      actor: 'operator',
      by: 'anna',
      reason: 'CVE of the week',
      data: { rollout: rollout.id, hosts: 4 },
    },
    { kind: 'rollout-wave', actor: 'server', reason: 'wave 1 of 2 is over and soaks' },
    { kind: 'rollout-wave', reason: 'wave 1 of 2 has soaked; wave 2 of 2 begins', data: { wave: 2 } },
    { kind: 'rollout-ended', data: { result: { succeeded: 4 } } },
  ]);
  expect(world.errors).toEqual([]);
});

test('a dry run says which host falls in which wave, and writes nothing', async () => {
  const world = await fleet(5);
  const { planned } = await world.rollouts.plan({ image: 'two', selector: 'rack=r1', waves: [1, '100%'] });
  expect(planned.members.map(({ mac, wave }) => [mac, wave])).toEqual([
    [macAt(1), 0],
    [macAt(3), 1],
    [macAt(5), 1],
  ]);
  expect(await world.rollouts.list(null, 10)).toEqual([]);
  expect(await kinds(world)).toEqual([]);
});

describe('who takes part', () => {
  test('hosts of a rollout that is not over are refused, also while it is paused', async () => {
    const world = await fleet(4);
    const { rollout } = await world.rollouts.begin(BY, { image: 'two', selector: 'rack=r1' });
    await world.rollouts.pause(BY, rollout.id, '');
    const again = { image: 'one', selector: '' };
    await expect(world.rollouts.begin(BY, again)).rejects.toMatchObject({
      code: 'conflict',
      message: `${macAt(1)}, ${macAt(3)} belong to rollout ${rollout.id}, which is not over. Wait for it, abort it, or select other hosts.`,
    });
    await expect(world.rollouts.plan(again)).rejects.toMatchObject({ code: 'conflict' });
    await world.rollouts.begin(BY, { image: 'two', selector: 'rack=r2' });
    await world.rollouts.abort(BY, rollout.id, 'x');
    await world.rollouts.begin(BY, { image: 'two', selector: 'rack=r1' });
  });

  test.each([
    ['neither selector nor MACs', {}, /either by a label selector, or by their MACs/],
    ['both', { selector: '', macs: [macAt(1)] }, /either/],
    ['a selector that cannot be read', { selector: 'rack in r1' }, /parentheses/],
    ['no host', { selector: 'rack=r9' }, /none fits the selector/],
    ['an unknown MAC', { macs: [macAt(99)] }, /No host has the MAC/],
    ['waves that leave hosts out', { selector: '', waves: [1] }, /The waves end at 1 of 2/],
  ] as const)('refused: %s', async (_, hosts, message) => {
    const world = await fleet(2);
    await expect(world.rollouts.begin(BY, { image: 'two', ...hosts })).rejects.toThrow(message);
  });

  test('an unknown image is refused', async () => {
    const world = await fleet(1);
    await expect(world.rollouts.begin(BY, { image: 'nope', selector: '' })).rejects.toThrow(/no image nope/);
  });

  test('a label that is changed later moves nobody in or out', async () => {
    const world = await fleet(3);
    const facts = { image: 'two', selector: 'rack=r1', waves: ['100%'], maxUnavailable: 1 } as const;
    const { id } = (await world.rollouts.begin(BY, facts)).rollout;
    await world.tick();
    await world.hosts.update(BY, macAt(2), { labels: { rack: 'r1' } });
    await world.hosts.update(BY, macAt(3), { labels: { rack: 'r2' } });
    for (const number of [1, 3]) {
      await world.confirm(number);
      await world.tick();
    }
    expect((await world.rollouts.find(id)).rollout).toMatchObject({
      status: 'finished',
      result: { succeeded: 2 },
    });
    expect((await world.find(2)).attempt).toBeNull();
  });

  test('the image is that of the tag at the beginning, wherever the tag is moved later', async () => {
    const world = await fleet(1);
    await world.rollouts.begin(BY, { image: 'two', selector: '', waves: ['100%'] });
    await (world.store as Store).commitImage(
      { digest: C, kind: 'os', pack: null, chunks: [], uses: [] },
      { name: 'two', tag: 'latest' },
      [],
    );
    await world.tick();
    expect((await world.find(1)).attempt).toMatchObject({ digest: B, ref: 'two' });
  });

  test('without a word on it: forty hosts in waves of 1, 4, 20 and 40, four at once', async () => {
    const world = await fleet(40);
    const { rollout } = await world.rollouts.plan({ image: 'two', selector: '' });
    expect(rollout.waves.map((_, wave) => hostsUpTo(rollout, wave))).toEqual([1, 4, 20, 40]);
    expect(unavailableLimit(rollout)).toBe(4);
    expect(rollout.waves.map((_, wave) => failureLimit({ ...rollout, wave }))).toEqual([1, 1, 1, 2]);
    expect(rollout).toMatchObject({ soakMs: 5 * MINUTE, skipAfterMs: 10 * MINUTE, fresh: false });
  });

  test('named hosts, in the order in which they were named', async () => {
    const world = await fleet(3);
    const macs = [macAt(3).toUpperCase(), macAt(1), macAt(3)];
    const { planned } = await world.rollouts.plan({ image: 'two', macs });
    expect(planned.members.map(({ mac }) => mac)).toEqual([macAt(3), macAt(1)]);
  });

  test('hosts whose slots cannot hold the image are left out', async () => {
    const world = await fleet(2);
    const small = { ...(world.context.layouts.get('two-slots') as object), name: 'small', slotBytes: 100 };
    (world.context.layouts as Map<string, unknown>).set('small', small);
    const host = await world.find(2);
    await world.store.change({ hosts: ['host-2'] }, () => ({
      answer: undefined,
      hosts: [{ ...host, enrolment: { ...host.enrolment, layout: 'small' } }],
    }));
    world.context.library.index = async () => ({ filesystem: { bytes: 1000 } }) as never;
    const { planned } = await world.rollouts.plan({ image: 'two', selector: '' });
    expect(planned.members.length).toBe(1);
    expect(planned.leftOut).toMatchObject([{ mac: macAt(2) }]);
    const { leftOut } = await world.rollouts.begin({ name: 'anna' }, { image: 'two', selector: '' });
    expect(leftOut).toEqual(planned.leftOut);
    expect(await kinds(world)).toMatchObject([
      {
        reason: 'began (1 host is left out)',
        data: { hosts: 1, leftOut: [{ reason: leftOut[0]?.reason, macs: [macAt(2)] }] },
      },
    ]);
  });
});

test('it pauses itself at the threshold; resumed with a retry it tries the failed ones again, once', async () => {
  const world = await fleet(6);
  const { rollout } = await world.rollouts.begin(BY, {
    image: 'two',
    selector: '',
    waves: ['100%'],
    maxUnavailable: 2,
    failureThreshold: 1,
  });
  await world.tick();
  await world.rollsBack(1);
  await world.tick();
  expect(await world.rollouts.find(rollout.id)).toMatchObject({
    rollout: { status: 'paused' },
    reason: `paused: 1 of 1 failures that it bears: ${macAt(1)} rolled-back: unhealthy`,
  });
  expect((await world.find(3)).attempt).toBeNull();
  world.time.now += MINUTE;
  await world.rollouts.resume(BY, rollout.id, 'health check mended', true);
  await world.tick();
  const own = await world.attempts(1);
  expect(own.map(({ outcome, rolloutId }) => [outcome, rolloutId])).toEqual([
    ['rolled-back', rollout.id],
    [null, rollout.id],
  ]);
  for (const number of [1, 2, 3, 4, 5, 6]) {
    await world.confirm(number);
    await world.tick();
  }
  expect(await world.rollouts.find(rollout.id)).toMatchObject({ rollout: { status: 'finished' } });
  expect((await kinds(world)).map(({ kind, by }) => [kind, by])).toEqual([
    ['rollout-began', 'anna'],
    ['rollout-paused', null],
    ['rollout-resumed', 'anna'],
    ['rollout-ended', null],
  ]);
});

test('a reassignment in between loses no evidence', async () => {
  const world = await fleet(4);
  const { rollout } = await world.rollouts.begin(BY, {
    image: 'two',
    selector: '',
    waves: ['100%'],
    maxUnavailable: 2,
    failureThreshold: 2,
  });
  await world.tick();
  await world.rollsBack(1);
  await world.hosts.reassign(BY, macAt(1), 'one', true);
  await world.rollsBack(2);
  await world.hosts.reassign(BY, macAt(2), 'one', true);
  await world.tick();
  expect(await world.rollouts.find(rollout.id)).toMatchObject({
    rollout: { status: 'paused' },
    progress: { total: { 'rolled-back': 2, waiting: 2 } },
  });
});

test('failures that come in while others are being ordered stop it before the next', async () => {
  const world = await fleet(250);
  const { change } = world.context.store;
  let batches = 0;
  (world.context as { store: Store }).store = {
    ...world.store,
    change: (async (scope, decide) => {
      if ((scope.hosts?.length ?? 0) > 1) {
        batches += 1;
        expect(scope.hosts?.length).toBeLessThanOrEqual(100);
        // Between the first batch and the second.
        if (batches === 2) await world.rollsBack(1);
      }
      return change(scope, decide);
    }) as Store['change'],
  };
  const engine = world.engineOf();
  const { rollout } = await world.rollouts.begin(BY, {
    image: 'two',
    selector: 'rack=r1',
    waves: ['100%'],
    maxUnavailable: '100%',
    failureThreshold: 1,
  });
  await world.engine.stop();
  await engine.run(rollout.id);
  const { progress, rollout: after } = await world.rollouts.find(rollout.id);
  expect(after.status).toBe('paused');
  expect(progress.total).toMatchObject({ staging: 99, 'rolled-back': 1, waiting: 25 });
});

test('a pause that comes in while hosts are being ordered stops it before the next', async () => {
  const world = await fleet(250);
  let batches = 0;
  (world.context as { store: Store }).store = meddling(world.store, async ({ hosts = [] }) => {
    if (hosts.length === 0) return;
    batches += 1;
    // Between the first batch and the second.
    if (batches === 2) await pauseBehind();
  });
  const pauseBehind = () => useCasesOn(world.store, world.context.clock, () => '').rollouts.pause(BY, id, '');
  await world.engine.stop();
  const facts = { image: 'two', selector: '', waves: ['100%'], maxUnavailable: '100%' } as const;
  const { id } = (await world.rollouts.begin(BY, facts)).rollout;
  const engine = world.engineOf();
  await engine.run(id);
  expect(batches).toBe(2);
  expect(await world.rollouts.find(id)).toMatchObject({
    rollout: { status: 'paused', statusReason: 'by an operator' },
    progress: { total: { staging: 100, waiting: 150 } },
  });
});

describe('what somebody has written between its look and its word is not overwritten', () => {
  /** One host is through, so that the first of its waves is to soak now; another has failed, where it bears none. */
  async function about(write: (rollout: Rollout, now: number) => Rollout, hasFailed = false) {
    const world = await fleet(3);
    await world.engine.stop();
    const facts = { image: 'two', selector: '', waves: [1, 2, '100%'], failureThreshold: 1 } as const;
    const { id } = (await world.rollouts.begin(BY, facts)).rollout;
    await world.engineOf().run(id);
    if (hasFailed) await world.rollsBack(1);
    else await world.confirm(1);
    world.time.now += MINUTE;
    let written: Rollout | undefined;
    (world.context as { store: Store }).store = meddling(world.store, async ({ hosts = [] }) => {
      if (hosts.length > 0 || written) return;
      await world.store.change({}, ({ rollouts }) => {
        written = write(rollouts.find(id) as Rollout, world.time.now);
        return { answer: undefined, rollouts: { rollouts: [written] } };
      });
    });
    await world.engineOf().run(id);
    return { written, after: (await world.rollouts.find(id)).rollout, told: await kinds(world) };
  }

  test('a pause', async () => {
    const { written, after, told } = await about((rollout) => paused(rollout, 'by anna'));
    expect(after).toEqual(written);
    expect(after).toMatchObject({ status: 'paused', soakAt: null });
    expect(told.map(({ kind }) => kind)).toEqual(['rollout-began']);
  });

  test('a resume that accepts the failures for which it is about to pause', async () => {
    const { written, after, told } = await about(
      (rollout, now) => resumed(paused(rollout, 'by anna'), 'it is the cable', false, now, 1),
      true,
    );
    expect(after).toMatchObject({ status: 'running', countedFrom: written?.countedFrom });
    expect(told.map(({ kind }) => kind)).not.toContain('rollout-paused');
  });

  test('the beginning of a soak', async () => {
    const { written, after, told } = await about((rollout, now) => soaking(rollout, now - 1000));
    expect(after).toEqual(written);
    expect(told.map(({ kind }) => kind)).toEqual(['rollout-began']);
  });

  test('another wave', async () => {
    const { after, told } = await about((rollout) => advanced(rollout));
    expect(after).toMatchObject({ wave: 1, soakAt: null });
    expect(told.map(({ kind }) => kind)).toEqual(['rollout-began']);
  });
});

test('an abort takes back orders on which no host has acted; hosts that jump come to their end', async () => {
  const world = await fleet(3);
  const { rollout } = await world.rollouts.begin(BY, {
    image: 'two',
    selector: '',
    waves: ['100%'],
    maxUnavailable: '100%',
  });
  await world.tick();
  await world.says(1, { kind: 'switching' });
  await world.says(2, { kind: 'progress', phase: 'write', bytesDone: 1, bytesTotal: 2 });
  const aborted = await world.rollouts.abort(BY, rollout.id, 'wrong image');
  expect(aborted).toMatchObject({
    rollout: { status: 'aborted', statusReason: 'wrong image' },
    progress: { total: { switching: 1, skipped: 2 } },
  });
  expect(await world.stateOf(1)).toBe('switching');
  for (const number of [2, 3]) {
    const { enrolment, attempt } = await world.find(number);
    expect(enrolment.assignment).toEqual({ ref: 'one', digest: A });
    expect(attempt).toMatchObject({ outcome: 'superseded', reason: 'wrong image' });
    expect(await world.stateOf(number)).toBe('active');
  }
  await expect(world.rollouts.resume(BY, rollout.id, '', false)).rejects.toMatchObject({ code: 'conflict' });
});

test('a rollback brings the hosts back to what they ran, within the same limits', async () => {
  const world = await fleet(5);
  const { rollout } = await world.rollouts.begin(BY, {
    image: 'two',
    selector: '',
    waves: ['100%'],
    maxUnavailable: 2,
    failureThreshold: 3,
  });
  await world.tick();
  await world.confirm(1);
  await world.tick();
  await world.confirm(2);
  await world.tick();
  await world.rollsBack(3);
  await world.tick();
  await world.hosts.reassign(BY, macAt(2), 'one', false);
  world.time.now += MINUTE;
  const back = await world.rollouts.rollback(BY, rollout.id, 'bad image');
  await world.tick();
  expect(await world.rollouts.find(rollout.id)).toMatchObject({ rollout: { status: 'aborted' } });
  // Host 2 got another order since, 4 and 5 had not acted on theirs.
  const { hosts } = await world.rollouts.hosts(back.rollout.id, { after: -1, limit: 10, state: null });
  expect(hosts.map(({ member, state }) => [member.hostId, state])).toEqual([
    ['host-1', 'staging'],
    ['host-3', 'succeeded'],
  ]);
  expect(back.rollout).toMatchObject({
    rollbackOf: rollout.id,
    image: null,
    maxUnavailable: 2,
    failureThreshold: 3,
  });
  expect((await world.find(3)).enrolment.assignment?.digest).toBe(A);
  await world.confirm(1, A);
  await world.tick();
  expect(await world.rollouts.find(back.rollout.id)).toMatchObject({
    rollout: { status: 'finished' },
    progress: { total: { succeeded: 2 } },
  });
  const cause = `rollout ${back.rollout.id}`;
  await expect(world.rollouts.rollback(BY, rollout.id, '')).rejects.toMatchObject({
    code: 'conflict',
    message: `There is nothing to roll back, and the rollout is over: ${macAt(1)}: it got another order since: ${cause}; ${macAt(2)}: it got another order since: operator: assign; ${macAt(3)}: another image was assigned to it since.`,
  });
});

test('a rollback of a rollout that comes to its end just then is one of a rollout that is over', async () => {
  const world = await fleet(1);
  const facts = { image: 'two', selector: '', waves: ['100%'] } as const;
  const { id } = (await world.rollouts.begin(BY, facts)).rollout;
  await world.tick();
  await world.confirm(1);
  let hasEnded = false;
  (world.context as { store: Store }).store = meddling(world.store, async () => {
    if (hasEnded) return;
    hasEnded = true;
    await useCasesOn(world.store, world.context.clock, () => '').engine.run(id);
  });
  world.time.now += MINUTE;
  expect((await world.rollouts.rollback(BY, id, '')).rollout).toMatchObject({
    rollbackOf: id,
    status: 'running',
  });
  expect((await world.rollouts.find(id)).rollout.status).toBe('finished');
  expect((await kinds(world)).map(({ kind }) => kind)).not.toContain('rollout-aborted');
});

describe('a rollback where the image of some hosts is gone', () => {
  test('brings the others back, and says in answer and event who stays and why', async () => {
    const world = await movedFromAGoneImage();
    await world.tick();
    const back = await world.rollouts.rollback(BY, world.id, 'bad image');
    await world.tick();
    expect(back).toMatchObject({ rollout: { waves: [{ hosts: 1 }] }, leftOut: world.leftOut });
    const { hosts } = await world.rollouts.hosts(back.rollout.id, { after: -1, limit: 10, state: null });
    expect(hosts.map(({ member, state }) => [member.hostId, state])).toEqual([['host-1', 'staging']]);
    expect((await world.find(2)).enrolment.assignment?.digest).toBe(B);
    expect((await kinds(world)).at(-1)).toMatchObject({
      kind: 'rollout-began',
      reason: 'bad image (1 host is left out)',
      data: { hosts: 1, leftOut: [{ reason: world.leftOut[0]?.reason, macs: [macAt(2)] }] },
    });

    // Once the image is there again, the rest follows.
    await world.importIt();
    const rest = await world.rollouts.rollback(BY, world.id, '');
    await world.tick();
    expect(rest).toMatchObject({ rollout: { waves: [{ hosts: 1 }] }, leftOut: [{ mac: macAt(1) }] });
    expect((await world.find(2)).attempt).toMatchObject({ digest: C, outcome: null });
  });

  test('is refused where nobody can go back, by name; the rollout is over all the same', async () => {
    const world = await movedFromAGoneImage();
    await world.hosts.remove(BY, macAt(1));
    await expect(world.rollouts.rollback(BY, world.id, '')).rejects.toMatchObject({
      code: 'conflict',
      message: `There is nothing to roll back, and the rollout is over: ${macAt(2)}: ${world.leftOut[0]?.reason}.`,
    });
    expect((await world.rollouts.find(world.id)).rollout.status).toBe('aborted');
    expect((await world.rollouts.list(null, 10)).length).toBe(1);
  });
});

test('a host that jumps just as its order is to be taken back does not stop a rollback', async () => {
  const world = await fleet(1);
  const { id } = (await world.rollouts.begin(BY, { image: 'two', selector: '', waves: ['100%'] })).rollout;
  await world.tick();
  await world.engine.stop();
  let hasJumped = false;
  const store = meddling(world.store, async ({ hosts = [] }) => {
    if (hosts.length === 0 || hasJumped) return;
    hasJumped = true;
    await world.says(1, { kind: 'switching' });
  });
  world.time.now += MINUTE;
  const { rollouts, engine } = useCasesOn(store, world.context.clock, () => 'back');
  const { rollout } = await rollouts.rollback(BY, id, '');
  expect([hasJumped, rollout.rollbackOf]).toEqual([true, id]);
  await engine.run(rollout.id);
  // It comes to its end, and is ordered back then.
  expect(await world.stateOf(1)).toBe('switching');
  await world.confirm(1);
  await engine.run(rollout.id);
  expect((await world.find(1)).attempt).toMatchObject({ digest: A, outcome: null });
});

test('two operators who roll back at once begin one rollback', async () => {
  const world = await fleet(2);
  const facts = { image: 'two', selector: '', waves: ['100%'], maxUnavailable: '100%' } as const;
  const { id } = (await world.rollouts.begin(BY, facts)).rollout;
  await world.tick();
  for (const number of [1, 2]) await world.confirm(number);
  world.time.now += MINUTE;
  const both = await Promise.allSettled([
    world.rollouts.rollback(BY, id, ''),
    world.rollouts.rollback({ name: 'ben' }, id, ''),
  ]);
  expect(both.map(({ status }) => status).toSorted()).toEqual(['fulfilled', 'rejected']);
  expect(both.find(({ status }) => status === 'rejected')).toMatchObject({ reason: { code: 'conflict' } });
  const all = await world.rollouts.list(null, 10);
  expect(all.filter(({ rollout }) => rollout.rollbackOf === id).length).toBe(1);
});

/** A server that dies as it is about to write for the `deadAt`th time: from then on it does nothing more. */
function dying(store: Store, deadAt: number): Store & { readonly isDead: boolean } {
  let writes = 0;
  return {
    ...store,
    get isDead() {
      return writes >= deadAt;
    },
    change: (scope, decide) => {
      writes += 1;
      return writes < deadAt ? store.change(scope, decide) : new Promise(() => {});
    },
  };
}

/** A host is through, two others have not acted on their orders. */
async function inTheMiddle() {
  const world = await fleet(3);
  const facts = { image: 'two', selector: '', waves: ['100%'], maxUnavailable: '100%' } as const;
  const { id } = (await world.rollouts.begin(BY, facts)).rollout;
  await world.tick();
  await world.confirm(1);
  await world.tick();
  return { ...world, id, leftOut: [] };
}

test.each([
  // Before the abort, before orders are taken back, before the rollout's end is written, before the new one.
  ['in the middle', inTheMiddle, 4],
  ['where an image is gone', movedFromAGoneImage, 3],
] as const)(
  'wherever the server is killed in a rollback %s: sent again with the same key, it is carried out, and once',
  async (_, begin, writes) => {
    const key = { token: 'ci', key: 'k1' };
    const outcomes: unknown[] = [];
    for (let deadAt = 1; ; deadAt += 1) {
      const world = await begin();
      await world.engine.stop();
      const start = (store: Store) =>
        useCasesOn(
          store,
          () => world.time.now,
          () => `${deadAt}-${++ids}`,
        );
      let ids = 0;
      const rollBack = async ({ store, rollouts }: ReturnType<typeof start>) => {
        const task = async () => {
          const { id } = (await rollouts.rollback(BY, world.id, 'bad')).rollout;
          return { status: 201, headers: {}, body: id };
        };
        return (
          (await onceCases(store)
            .run(key, 'r', task)
            .catch(({ code }) => code)) ?? 'done'
        );
      };
      const store = dying(world.store, deadAt);
      let isThrough = false;
      void rollBack(start(store)).then(() => {
        isThrough = true;
      });
      await expect.poll(() => isThrough || store.isDead).toBe(true);
      // What it had written before it died is committed.
      for (let turn = 0; turn < 5; turn += 1) await new Promise((resolve) => setImmediate(resolve));
      if (isThrough) break;
      outcomes.push(await rollBack(start(world.store)));
      const all = await world.store.rollouts.list(null, 10);
      expect([deadAt, all.map(({ rollbackOf, status }) => [rollbackOf, status]).toSorted()]).toEqual([
        deadAt,
        [
          [world.id, 'running'],
          [null, 'aborted'],
        ].toSorted(),
      ]);
      const macs = world.leftOut.map(({ mac }) => mac);
      expect((await kinds(world)).at(-1)?.data).toMatchObject({
        hosts: 1,
        leftOut: macs.length > 0 ? [{ macs }] : [],
      });
    }
    expect(outcomes).toEqual(Array(writes).fill('done'));
  },
);

test('after a restart another engine goes on where the first one was', async () => {
  const world = await fleet(3);
  const { rollout } = await world.rollouts.begin(BY, {
    image: 'two',
    selector: '',
    waves: [1, '100%'],
    maxUnavailable: 1,
  });
  await world.tick();
  await world.confirm(1);
  await world.engine.stop();
  for (let start = 0; start < 6; start += 1) {
    const engine = world.engineOf();
    await engine.run(rollout.id);
    for (const number of [2, 3])
      if ((await world.find(number)).attempt?.outcome === null) await world.confirm(number);
    world.time.now += 5 * MINUTE;
    await engine.stop();
  }
  expect(await world.rollouts.find(rollout.id)).toMatchObject({ rollout: { status: 'finished' } });
  for (const number of [1, 2, 3]) expect((await world.attempts(number)).length).toBe(1);
});

test('its ticker looks only where something has happened, or the time has come', async () => {
  const world = await fleet(2);
  let reads = 0;
  const { members } = world.store.rollouts;
  (world.context as { store: Store }).store = {
    ...world.store,
    rollouts: {
      ...world.store.rollouts,
      members: (id) => {
        reads += 1;
        return members(id);
      },
    },
  };
  const { rollout } = await world.rollouts.begin(BY, {
    image: 'two',
    selector: '',
    waves: ['100%'],
    maxUnavailable: 1,
  });
  await world.engine.stop();
  const engine = world.engineOf();
  await engine.run(rollout.id);
  reads = 0;
  for (let second = 0; second < 20; second += 1) {
    world.time.now += 1000;
    await engine.look();
  }
  expect(reads).toBe(0);
  await world.confirm(1);
  await engine.look();
  await expect.poll(() => reads).toBeGreaterThan(0);
  await engine.stop();
});

test('an image that is to be rolled out stays, although its tag names another now', async () => {
  const world = await fleet(2);
  const { rollout } = await world.rollouts.begin(BY, {
    image: 'two',
    selector: '',
    waves: [1, '100%'],
    maxUnavailable: 1,
  });
  expect(await world.store.upkeep.needs(B)).toContainEqual({ mac: macAt(2), why: 'rollout' });
  await world.rollouts.abort(BY, rollout.id, 'x');
  expect(await world.store.upkeep.needs(B)).toEqual([]);
  expect(world.letGo).toContain(B);
});

test('a host that cannot be ordered any more pauses it, by name', async () => {
  const world = await fleet(2);
  const { rollout } = await world.rollouts.begin(BY, {
    image: 'two',
    selector: '',
    waves: ['100%'],
    maxUnavailable: 1,
  });
  await world.tick();
  world.context.library.index = async () => ({ filesystem: { bytes: 2 ** 40 } }) as never;
  await world.confirm(1);
  await world.tick();
  expect(await world.rollouts.find(rollout.id)).toMatchObject({
    rollout: { status: 'paused', statusReason: expect.stringContaining(`${macAt(2)} cannot be ordered:`) },
  });
});

test('what has no image before goes back to none when its order is taken back', () => {
  const bare = hostWith({
    observation: null,
    attempt: {},
    enrolment: { assignment: { ref: 'two', digest: B } },
  });
  const { host, superseded } = takeBack(bare, null, 'aborted', NOW);
  expect(host.enrolment.assignment).toBeNull();
  expect(superseded).toMatchObject({ outcome: 'superseded', reason: 'aborted' });
});

test('a clock that is set back does not make a rollout wait until it is as late as before', async () => {
  const world = await fleet(1);
  const { rollout } = await world.rollouts.begin(BY, { image: 'two', selector: '', waves: ['100%'] });
  await world.tick();
  expect((await world.rollouts.find(rollout.id)).rollout.status).toBe('running');
  world.time.now -= 24 * 60 * MINUTE;
  await world.confirm(1);
  await world.engine.look();
  // It goes on beside the ticker.
  for (let turn = 0; turn < 50; turn += 1) await new Promise((resolve) => setImmediate(resolve));
  expect((await world.rollouts.find(rollout.id)).rollout.status).toBe('finished');
});

test('files that its hosts are given meanwhile order nothing and stop nothing', async () => {
  const world = await fleet(3);
  const content = new TextEncoder().encode('psk=1');
  const give = (number: number, path: string) => world.files.put(BY, macAt(number), { path, content });
  await give(1, 'etc/before');
  const facts = { image: 'two', selector: '', waves: [1, '100%'], maxUnavailable: '100%' } as const;
  const { rollout } = await world.rollouts.begin(BY, facts);
  await world.tick();
  const { attempt } = await world.find(1);
  // Of one that is under way, and of one that waits for its wave.
  for (const number of [1, 2]) await give(number, 'etc/meanwhile');
  await world.tick();
  expect((await world.find(1)).attempt).toEqual(attempt);
  expect((await world.find(2)).attempt).toBeNull();
  await world.confirm(1);
  await world.tick();
  world.time.now += 10 * MINUTE;
  await world.tick();
  for (const number of [2, 3]) await world.confirm(number);
  await world.tick();
  expect(await world.rollouts.find(rollout.id)).toMatchObject({
    rollout: { status: 'finished' },
    progress: { total: { succeeded: 3 } },
  });
  expect((await world.attempts(1)).length).toBe(1);
  const files = await Promise.all(
    [1, 2, 3].map(async (number) => (await world.files.list(macAt(number))).files.length),
  );
  expect(files).toEqual([2, 1, 0]);
});
