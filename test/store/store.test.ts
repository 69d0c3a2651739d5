import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type Attempt, PHASES, POWER_STEPS } from '../../server/core/attempt.ts';
import type { NewEvent } from '../../server/core/events.ts';
import type { Enrolment, Host, Observation } from '../../server/core/host.ts';
import { imagesOf } from '../../server/core/images-of-host.ts';
import { inventoryOf } from '../../server/core/inventory.ts';
import type { Store } from '../../server/core/ports.ts';
import { openDatabase } from '../../server/store/database.ts';
import { sqliteStore } from '../../server/store/store.ts';
import { attempt, digestOf, enrolment, hostWith, macAt, NOW } from '../fixtures/hosts.ts';
import { saidInventory } from '../fixtures/inventories.ts';
import { MIGRATIONS } from '../fixtures/running-server.ts';
import { hostsOf, memoryStore } from '../fixtures/stores.ts';

let store: Store;
beforeEach(() => {
  store = memoryStore();
});
afterEach(() => store.close());

const put = (...hosts: Host[]) => store.change({}, () => ({ answer: undefined, hosts }));
const told = (reason: string): NewEvent => ({
  kind: 'host-changed',
  hostId: 'host-1',
  attempt: null,
  actor: 'operator',
  by: 'alice',
  reason,
  data: { x: 1 },
});

const text = fc.string({ maxLength: 20 });
const time = fc.integer({ min: 0, max: NOW });
const digest = fc.constantFrom('a', 'b', 'c').map(digestOf);
const hostAt = (number: number): fc.Arbitrary<Host> => {
  const id = `host-${number}`;
  const claim = fc.option(
    fc.record({
      tokenHash: text,
      claimedFor: text,
      standing: fc.constantFrom('new' as const, 'used' as const, 'lapsed' as const, 'released' as const),
      before: fc.option(text),
      refused: fc.array(text),
    }),
  );
  const someEnrolment: fc.Arbitrary<Enrolment> = fc
    .record({
      id: fc.constant(id),
      status: fc.constantFrom('discovered', 'ignored', 'approved', 'retired'),
      macs: fc
        .integer({ min: 1, max: 3 })
        .map((count) => Array.from({ length: count }, (_, i) => macAt(number * 8 + 3 - i))),
      assignment: fc.option(fc.record({ ref: text, digest })),
      layout: text,
      diskRule: text,
      labels: fc.dictionary(fc.stringMatching(/^[a-z]{1,5}$/), text, { noNullPrototype: true }),
      wipe: fc.boolean(),
      append: text,
      switchMode: fc.constantFrom('kexec', 'reboot'),
      trialSeconds: fc.option(fc.integer({ min: 60, max: 86_400 })),
      rateBytes: fc.option(fc.integer({ min: 1 })),
      readBack: fc.boolean(),
      claim,
      serial: fc.maxSafeNat(),
      revision: fc.maxSafeNat(),
      profile: fc.constant(null),
      files: fc.constant(null),
      origins: fc.constantFrom({}, { layout: 'own' as const, append: 'profile' as const }),
      createdAt: time,
      held: fc.option(text),
      byHand: fc.boolean(),
      forgetAt: fc.option(time),
    } as const)
    // Only who waits for approval is forgotten.
    .map((made) => (['discovered', 'ignored'].includes(made.status) ? made : { ...made, forgetAt: null }));
  const progress = fc.option(
    fc.record({ phase: text, bytesDone: fc.maxSafeNat(), bytesTotal: fc.maxSafeNat() }),
  );
  const someAttempt: fc.Arbitrary<Attempt> = fc
    .record({
      id: fc.constant(`attempt-of-${id}`),
      hostId: fc.constant(id),
      kind: fc.constantFrom('install', 'switch'),
      digest,
      ref: text,
      cause: text,
      rolloutId: fc.option(text),
      wipe: fc.boolean(),
      fresh: fc.boolean(),
      workBootId: fc.option(text),
      workDisk: fc.option(text),
      phase: fc.constantFrom(...PHASES.install, ...PHASES.switch),
      progress,
      outcome: fc.option(fc.constantFrom('succeeded', 'failed', 'rolled-back', 'superseded')),
      reason: text,
      createdAt: time,
      phaseAt: time,
      deadline: fc.option(time),
      endedAt: time,
      power: fc.option(fc.constantFrom(...POWER_STEPS)),
    } as const)
    .map((made) =>
      made.outcome === null ? { ...made, endedAt: null } : { ...made, deadline: null },
    ) as fc.Arbitrary<Attempt>;
  const seen = fc.record({
    state: fc.constantFrom('empty', 'invalid', 'valid', 'modified'),
    digest: fc.option(digest),
  });
  const someObservation: fc.Arbitrary<Observation> = fc.record({
    bootId: text,
    seq: fc.maxSafeNat(),
    environment: fc.constantFrom('installer', 'os'),
    slot: fc.option(fc.constantFrom('a', 'b')),
    digest: fc.option(digest),
    bootDefault: fc.option(fc.constantFrom('a', 'b')),
    slots: fc.dictionary(fc.constantFrom('a', 'b', 'c'), seen, { noNullPrototype: true }),
    disk: fc.option(text),
    trial: fc.boolean(),
    wentBack: fc.option(text),
    readOnly: fc.boolean(),
    at: time,
  });
  return fc.record({
    enrolment: someEnrolment,
    attempt: fc.option(someAttempt),
    observation: fc.option(someObservation),
  });
};

test('a host is read as it was written, by each of its MACs and by its id', async () => {
  await fc.assert(
    fc.asyncProperty(hostAt(1), hostAt(1), async (first, second) => {
      await put(first);
      expect(await store.host({ id: 'host-1' })).toEqual(first);
      for (const mac of first.enrolment.macs) expect(await store.host({ mac })).toEqual(first);
      // Kind, digest and what was ordered are frozen with the attempt's id: another one begins for them.
      const other = second.attempt && { ...second.attempt, id: 'attempt-other' };
      const ended =
        first.attempt && first.attempt.outcome === null
          ? [{ ...first.attempt, outcome: 'superseded' as const, deadline: null, endedAt: NOW }]
          : [];
      const next = {
        ...second,
        enrolment: { ...second.enrolment, createdAt: first.enrolment.createdAt },
        attempt: other,
      };
      await store.change({ hosts: ['host-1'] }, () => ({ answer: undefined, hosts: [next], ended }));
      expect(await store.host({ id: 'host-1' })).toEqual({
        ...next,
        attempt: other ?? ended[0] ?? first.attempt,
        observation: next.observation ?? first.observation,
      });
      await store.change({}, () => ({ answer: undefined, removed: ['host-1'] }));
      expect(await store.host({ mac: macAt(11) })).toBeNull();
    }),
    { numRuns: 60 },
  );
});

test('all that moves of an attempt is in its row', async () => {
  await fc.assert(
    fc.asyncProperty(hostAt(1), hostAt(1), async (first, second) => {
      if (first.attempt === null || second.attempt === null) return;
      const { kind, digest, ref, cause, rolloutId, wipe, fresh, createdAt } = first.attempt;
      const frozen = { kind, digest, ref, cause, rolloutId, wipe, fresh, createdAt };
      const attempt = { ...second.attempt, ...frozen };
      const db = openDatabase(':memory:', MIGRATIONS, () => {});
      const written = sqliteStore(db, () => NOW);
      for (const host of [first, { ...first, attempt }])
        await written.change({}, () => ({ answer: undefined, hosts: [host] }));
      expect((await sqliteStore(db, () => NOW).host({ id: 'host-1' }))?.attempt).toEqual(attempt);
      written.close();
    }),
    { numRuns: 40 },
  );
});

test('what is kept of hosts is what their rows say, whatever was undone', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.record({ host: hostAt(1), fails: fc.boolean(), ends: fc.boolean() }), { minLength: 2 }),
      async (steps) => {
        const db = openDatabase(':memory:', MIGRATIONS, () => {});
        const kept = sqliteStore(db, () => NOW);
        const saw: (Host | undefined)[] = [];
        const changes = steps.map(({ host, fails, ends }, step) =>
          kept.change({ hosts: ['host-1'] }, ({ hosts: [before] }) => {
            saw.push(before);
            const open = before?.attempt?.outcome === null ? before.attempt : null;
            const ended = open && { ...open, outcome: 'superseded' as const, deadline: null, endedAt: NOW };
            const attempt = ends ? ended : host.attempt && { ...host.attempt, id: `attempt-${step}` };
            const other = { ...host, enrolment: { ...host.enrolment, createdAt: NOW }, attempt };
            // Refused after the host was written.
            const broken = { ...told('x'), kind: null as never };
            return {
              answer: undefined,
              hosts: [other],
              ended: ended && !ends ? [ended] : [],
              events: fails ? [broken] : [],
            };
          }),
        );
        await Promise.allSettled(changes);
        const read = await sqliteStore(db, () => NOW).host({ id: 'host-1' });
        expect(await kept.host({ id: 'host-1' })).toEqual(read);
        expect(saw).toHaveLength(steps.length);
        kept.close();
      },
    ),
    { numRuns: 40 },
  );
});

test('what a host needs is the same in its rows and in its records', async () => {
  await fc.assert(
    fc.asyncProperty(hostAt(1), async (host) => {
      await put(host);
      const needed = imagesOf(host);
      for (const each of ['a', 'b', 'c'].map(digestOf))
        expect((await store.upkeep.needs(each)).length > 0).toBe(needed.has(each));
      await store.change({}, () => ({ answer: undefined, removed: ['host-1'] }));
    }),
    { numRuns: 100 },
  );
});

describe('grouped commits', () => {
  test('one that throws is undone alone', async () => {
    const host = (number: number) => hostWith({ enrolment: { id: `host-${number}`, macs: [macAt(number)] } });
    const results = await Promise.allSettled(
      [1, 2, 3, 4, 5].map((number) =>
        store.change({}, () => {
          if (number === 2) throw new Error('decided against it');
          // The same MAC as host 1: SQLite refuses after rows were written.
          if (number === 4)
            return {
              answer: 4,
              hosts: [hostWith({ enrolment: { id: 'host-4', macs: [macAt(9), macAt(1)] } })],
              events: [told('4')],
            };
          return { answer: number, hosts: [host(number)], events: [told(String(number))] };
        }),
      ),
    );
    expect(results.map(({ status }) => status)).toEqual([
      'fulfilled',
      'rejected',
      'fulfilled',
      'rejected',
      'fulfilled',
    ]);
    expect((await hostsOf(store)).map(({ enrolment }) => enrolment.id)).toEqual([
      'host-1',
      'host-3',
      'host-5',
    ]);
    expect((await store.events({ limit: 9 })).map(({ reason }) => reason)).toEqual(['1', '3', '5']);
    expect(await store.host({ mac: macAt(9) })).toBeNull();
  });
  test('each sees what those before it wrote', async () => {
    await put(hostWith({ enrolment: { serial: 0 } }));
    const raise = () =>
      store.change({ hosts: ['host-1'] }, ({ hosts: [host] }) => {
        if (!host) throw new Error('gone');
        const serial = host.enrolment.serial + 1;
        return { answer: serial, hosts: [{ ...host, enrolment: { ...host.enrolment, serial } }] };
      });
    const answers = await Promise.all(Array.from({ length: 600 }, raise));
    expect(answers).toEqual(Array.from({ length: 600 }, (_, index) => index + 1));
  });
});

test('a second open attempt is refused by the database, whatever the code believes', async () => {
  await put(hostWith({ attempt: {} }));
  await expect(put(hostWith({ attempt: { id: 'attempt-2' } }))).rejects.toThrow(/UNIQUE/);
  const ended = attempt({ outcome: 'superseded', endedAt: NOW });
  const next = hostWith({ attempt: { id: 'attempt-2' } });
  await store.change({ hosts: ['host-1'] }, () => ({ answer: undefined, hosts: [next], ended: [ended] }));
  expect((await store.attempts('host-1')).map(({ id, outcome }) => [id, outcome])).toEqual([
    ['attempt-1', 'superseded'],
    ['attempt-2', null],
  ]);
});

test('deadlines: what is due, and what is put off after the server was away', async () => {
  await put(
    hostWith({ attempt: { deadline: NOW } }),
    hostWith({
      enrolment: { id: 'host-2', macs: [macAt(2)] },
      attempt: { id: 'x', hostId: 'host-2', deadline: NOW + 5 },
    }),
  );
  expect(await store.due(NOW - 1)).toEqual([]);
  expect(await store.due(NOW)).toEqual(['host-1']);
  await store.postponeDeadlines(NOW + 3);
  expect((await store.host({ id: 'host-1' }))?.attempt?.deadline).toBe(NOW + 3);
  expect((await store.host({ id: 'host-2' }))?.attempt?.deadline).toBe(NOW + 5);
});

test('reports are known by host, boot and number; a removed host takes its own along', async () => {
  await put(hostWith());
  const key = { hostId: 'host-1', bootId: 'b', seq: 1 };
  const look = () =>
    store.change({}, ({ reports }) => ({
      answer: [reports.bodyHash(key), reports.bootKnown('host-1', 'b')],
    }));
  expect(await look()).toEqual([null, false]);
  await store.change({}, () => ({ answer: 0, reports: [{ ...key, bodyHash: 'x' }] }));
  await store.change({}, () => ({ answer: 0, reports: [{ ...key, bodyHash: 'y' }] }));
  expect(await look()).toEqual(['x', true]);
  await store.change({}, () => ({ answer: 0, removed: ['host-1'] }));
  expect(await look()).toEqual([null, false]);
});

test('events: forward, the newest, of one host', async () => {
  for (const reason of ['1', '2', '3']) await store.change({}, () => ({ answer: 0, events: [told(reason)] }));
  await store.change({}, () => ({ answer: 0, events: [{ ...told('4'), hostId: null }] }));
  const reasons = async (query: Parameters<Store['events']>[0]) =>
    (await store.events(query)).map(({ reason }) => reason);
  expect(await reasons({ limit: 2 })).toEqual(['1', '2']);
  expect(await reasons({ limit: 2, newest: true })).toEqual(['3', '4']);
  expect(await reasons({ limit: 9, afterId: 2 })).toEqual(['3', '4']);
  expect(await reasons({ limit: 9, hostId: 'host-1', newest: true })).toEqual(['1', '2', '3']);
  expect((await store.events({ limit: 1 }))[0]).toEqual({ mac: null, ...told('1'), id: 1, at: NOW });
});

test('builds that ran when the server ended are interrupted, once', async () => {
  const build = {
    id: 'b1',
    name: 'x',
    tag: 'latest',
    status: 'running',
    digest: null,
    error: null,
    checks: null,
    startedAt: NOW,
    endedAt: null,
  } as const;
  await store.putBuild(build, [told('began')]);
  expect(await store.events({ limit: 9 })).toMatchObject([{ reason: 'began' }]);
  expect(await store.build('b1')).toEqual(build);
  expect(await store.interruptBuilds()).toEqual(['b1']);
  expect(await store.interruptBuilds()).toEqual([]);
  expect(await store.build('b1')).toMatchObject({ status: 'interrupted', endedAt: NOW });
  expect(await store.build('b2')).toBeNull();
});

test('builds that waited are interrupted too, are not forgotten before, and begin when their turn comes', async () => {
  const build = {
    id: 'b1',
    name: 'x',
    tag: 'latest',
    status: 'queued',
    digest: null,
    error: null,
    checks: null,
    startedAt: NOW,
    endedAt: null,
  } as const;
  await store.putBuild(build, []);
  await store.putBuild({ ...build, id: 'b2' }, []);
  await store.putBuild({ ...build, id: 'b2', status: 'running', startedAt: NOW + 5 }, []);
  await store.forgetBuilds(0);
  expect(await store.builds(9)).toMatchObject([
    { id: 'b1', status: 'queued', startedAt: NOW },
    { id: 'b2', status: 'running', startedAt: NOW + 5 },
  ]);
  expect(await store.interruptBuilds()).toEqual(['b1', 'b2']);
  expect((await store.build('b1'))?.error).toContain('before it began');
  expect((await store.build('b2'))?.error).toContain('while it ran');
});

test('what was answered is there when the file is opened again', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'warmboot-store-'));
  const file = join(dir, 'warmboot.db');
  const applied: string[] = [];
  const open = () =>
    sqliteStore(
      openDatabase(file, MIGRATIONS, (line) => applied.push(line)),
      () => NOW,
    );
  const first = open();
  await first.change({}, () => ({
    answer: 0,
    hosts: [{ enrolment: enrolment(), attempt: null, observation: null }],
  }));
  // Not closed: as after SIGKILL, the write-ahead log is still there.
  const second = open();
  expect((await second.host({ id: 'host-1' }))?.enrolment).toEqual(enrolment());
  expect(new Set(applied).size).toBe(applied.length);
  first.close();
  second.close();
  rmSync(dir, { recursive: true });
});

test('an inventory is read as it was written, and goes with its host', async () => {
  const record = {
    facts: inventoryOf(saidInventory()),
    address: '10.0.0.9',
    at: NOW,
    decision: { action: 'hold', rule: null, reason: 'no rule fits' },
  } as const;
  await put(hostWith({ enrolment: { id: 'h', status: 'discovered', forgetAt: 50 } }));
  expect(await store.inventory('h')).toBeNull();
  await store.change({}, () => ({ answer: undefined, inventories: [{ hostId: 'h', record }] }));
  expect(await store.inventory('h')).toEqual(record);
  const bare = { ...record, decision: null };
  await store.change({}, () => ({ answer: undefined, inventories: [{ hostId: 'h', record: bare }] }));
  expect(await store.inventory('h')).toEqual(bare);
  await store.change({}, () => ({ answer: undefined, removed: ['h'] }));
  expect(await store.inventory('h')).toBeNull();
});

test('who waits is counted, who is to be forgotten found', async () => {
  const at = (id: string, number: number, facts: Partial<Enrolment>) =>
    hostWith({ enrolment: { id, macs: [macAt(number)], ...facts } });
  await put(
    at('a', 1, { status: 'approved' }),
    at('b', 2, { status: 'discovered', forgetAt: 20 }),
    at('c', 3, { status: 'ignored', forgetAt: 10 }),
    at('d', 4, { status: 'ignored', byHand: true }),
  );
  const count = await store.change({}, (records) => ({ answer: records.waiting() }));
  expect(count).toBe(2);
  expect(await store.forgettable(20, 10)).toEqual(['c', 'b']);
  expect(await store.forgettable(20, 1)).toEqual(['c']);
  expect(await store.forgettable(9, 10)).toEqual([]);
  expect([...(await store.undecided())].sort()).toEqual(['b', 'c']);
});

test('a MAC goes from the host that is removed to the one that takes it, in one change', async () => {
  await put(hostWith({ enrolment: { id: 'a', macs: [macAt(1)] } }));
  await put(hostWith({ enrolment: { id: 'b', macs: [macAt(2)] } }));
  const joined = hostWith({ enrolment: { id: 'b', macs: [macAt(2), macAt(1)] } });
  await store.change({ hosts: ['a', 'b'] }, () => ({ answer: undefined, hosts: [joined], removed: ['a'] }));
  expect((await store.host({ mac: macAt(1) }))?.enrolment.id).toBe('b');
  expect(await store.host({ id: 'a' })).toBeNull();
});
