import { beforeEach, describe, expect, test } from 'vitest';
import type { EventQuery } from '../../server/core/event-port.ts';
import { EVENT_KINDS, type NewEvent } from '../../server/core/events.ts';
import type { Store } from '../../server/core/ports.ts';
import { type Db, openDatabase } from '../../server/store/database.ts';
import { FIRST_AT, LAST_AT, selection } from '../../server/store/event-rows.ts';
import { sqliteStore } from '../../server/store/store.ts';
import { NOW } from '../fixtures/hosts.ts';
import { MIGRATIONS } from '../fixtures/running-server.ts';

let db: Db;
let store: Store;
let now: number;
beforeEach(() => {
  now = NOW;
  db = openDatabase(':memory:', MIGRATIONS, () => {});
  store = sqliteStore(db, () => now);
});

function told(facts: Partial<NewEvent> = {}): NewEvent {
  return {
    kind: 'report',
    hostId: 'h1',
    attempt: null,
    actor: 'host',
    by: null,
    reason: '',
    data: {},
    ...facts,
  };
}
const add = (...events: NewEvent[]) => store.change({}, () => ({ answer: undefined, events }));
const ids = async (query: Partial<EventQuery>) =>
  (await store.events({ limit: 100, ...query })).map(({ id }) => id);

describe('filters', () => {
  beforeEach(async () => {
    await add(
      told(),
      told({ hostId: 'h2', kind: 'assigned', actor: 'operator', by: 'ann', attempt: 'a1' }),
      told({ hostId: 'h2', attempt: 'a1' }),
    );
    now += 1000;
    await add(
      told({ hostId: null, kind: 'build-began', actor: 'operator', by: 'bob' }),
      told({ hostId: null, kind: 'build-ended', actor: 'server' }),
      told({ kind: 'assigned', actor: 'operator', by: 'ann' }),
    );
  });

  test.each<[Partial<EventQuery>, number[]]>([
    [{}, [1, 2, 3, 4, 5, 6]],
    [{ hostId: 'h2' }, [2, 3]],
    [{ kinds: ['assigned'] }, [2, 6]],
    [{ kinds: ['build-ended', 'assigned', 'assigned'] }, [2, 5, 6]],
    [{ kinds: [] }, []],
    [{ actor: 'server' }, [5]],
    [{ by: 'ann' }, [2, 6]],
    [{ by: 'ann', hostId: 'h1' }, [6]],
    [{ attempt: 'a1' }, [2, 3]],
    [{ attempt: 'a1', actor: 'host' }, [3]],
    [{ since: NOW + 1 }, [4, 5, 6]],
    [{ until: NOW + 1 }, [1, 2, 3]],
    [{ since: NOW, until: NOW + 1000, kinds: ['report', 'build-began'] }, [1, 3]],
    [{ since: NOW + 1001 }, []],
    [{ until: NOW }, []],
    [{ afterId: 2, limit: 2 }, [3, 4]],
    [{ afterId: 2, limit: 2, kinds: ['report', 'build-ended', 'assigned'] }, [3, 5]],
    [{ newest: true, limit: 2 }, [5, 6]],
    [{ newest: true, limit: 2, kinds: ['report', 'build-began'] }, [3, 4]],
    [{ newest: true, limit: 1, until: NOW + 1 }, [3]],
  ])('%o', async (query, wanted) => {
    expect(await ids(query)).toEqual(wanted);
  });

  test('every combination reads along an index, or along the ids, and sorts nothing', () => {
    const names = ['attempt', 'hostId', 'by', 'kind', 'actor', 'since', 'until'];
    for (let mask = 0; mask < 2 ** names.length; mask += 1)
      for (const isNewest of [false, true]) {
        const given = names.filter((_, at) => mask & (2 ** at));
        const sql = selection(given, isNewest);
        const values = Object.fromEntries([...given, 'from', 'to', 'limit'].map((name) => [name, 1]));
        const plan = db.prepare(`EXPLAIN QUERY PLAN ${sql}`).all(values) as { detail: string }[];
        expect(plan, sql).toHaveLength(1);
        expect(plan[0]?.detail, sql).toMatch(
          /^SEARCH events USING (INDEX events_by_\w+|INTEGER PRIMARY KEY) /,
        );
      }
    for (const sql of [FIRST_AT, LAST_AT])
      expect(db.prepare(`EXPLAIN QUERY PLAN ${sql}`).all(1)).toEqual([
        expect.objectContaining({ detail: expect.stringMatching(/^SEARCH events USING COVERING INDEX/) }),
      ]);
  });
});

test('every kind that the code knows has its name in the documentation', async () => {
  const { readFileSync } = await import('node:fs');
  const page = readFileSync(`${MIGRATIONS}/../docs/api.md`, 'utf8');
  expect(EVENT_KINDS.filter((kind) => !page.includes(`\`${kind}\``))).toEqual([]);
});

describe('append-only, whoever writes', () => {
  beforeEach(() => add(told(), told(), told(), told()));

  test.each([
    "UPDATE events SET reason = 'x' WHERE id = 1",
    "UPDATE events SET by_name = 'x'",
    'DELETE FROM events WHERE id = 1',
    'DELETE FROM events',
    "INSERT OR REPLACE INTO events (id, at, kind, actor, reason, data) VALUES (2, 1, 'x', 'host', '', '{}')",
    "REPLACE INTO events (id, at, kind, actor, reason, data) VALUES (4, 1, 'x', 'host', '', '{}')",
    'UPDATE event_log SET pruned_to = 4',
    'DELETE FROM event_log',
  ])('%s is refused', (sql) => {
    expect(() => db.exec(sql)).toThrow(/append-only|oldest first|own record/);
    expect(db.prepare('SELECT count(*) FROM events').pluck().get()).toBe(4);
  });

  test('what was given up may go, and only that; it does not come back', async () => {
    db.exec('UPDATE event_log SET pruned_to = 2');
    expect(() => db.exec('DELETE FROM events WHERE id = 3')).toThrow(/append-only/);
    db.exec('DELETE FROM events WHERE id <= 2');
    expect(() => db.exec('UPDATE event_log SET pruned_to = 1')).toThrow(/oldest first/);
    await add(told());
    expect(await ids({})).toEqual([3, 4, 5]);
  });
});

describe('retention', () => {
  test('by age and by number, whatever is stricter, oldest first and a part at a time; the newest stays', async () => {
    for (let day = 0; day < 6; day += 1) {
      await add(told());
      now += 1000;
    }
    expect(await store.log.prune({ before: 0, count: 10 }, 100)).toBe(0);
    expect(await store.log.prune({ before: NOW + 2000, count: 10 }, 1)).toBe(1);
    expect(await store.log.prune({ before: NOW + 2000, count: 10 }, 100)).toBe(1);
    expect(await store.log.bounds()).toEqual({ first: 3, last: 6 });
    expect(await store.log.prune({ before: 0, count: 3 }, 100)).toBe(1);
    expect(await ids({})).toEqual([4, 5, 6]);
    expect(await store.log.prune({ before: now, count: 10 }, 100)).toBe(2);
    expect(await store.log.prune({ before: now, count: 1 }, 100)).toBe(0);
    expect(await store.log.bounds()).toEqual({ first: 6, last: 6 });
    expect(await store.events({ newest: true, limit: 5 })).toHaveLength(1);
  });

  test('an empty log has bounds too', async () => {
    expect(await store.log.bounds()).toEqual({ first: 1, last: 0 });
    expect(await store.log.prune({ before: now, count: 1 }, 10)).toBe(0);
  });
});

describe('times', () => {
  const times = async () => (await store.events({ limit: 100 })).map(({ at }) => at);

  test('a clock that is set back a little does not show; one that was far wrong is believed', async () => {
    await add(told());
    now -= 5000;
    await add(told());
    now -= 2 * 3_600_000;
    await add(told());
    now = NOW + 1;
    await add(told());
    expect(await times()).toEqual([NOW, NOW, NOW - 5000 - 2 * 3_600_000, NOW + 1]);
    expect(await ids({ since: NOW })).toEqual([1, 2, 4]);
  });

  test('after a restart the newest time is known', async () => {
    await add(told());
    now -= 5000;
    store = sqliteStore(db, () => now);
    await add(told());
    expect(await times()).toEqual([NOW, NOW]);
  });
});

test('listeners are told after the commit, once for all that came together, and not of other commits', async () => {
  let seen: number[] = [];
  const stop = store.log.listen(() => {
    seen.push(db.prepare('SELECT count(*) FROM events').pluck().get() as number);
  });
  await Promise.all([add(told()), add(told()), add(told())]);
  expect(seen).toEqual([3]);
  await store.change({}, () => ({ answer: undefined }));
  await expect(
    store.change({}, () => {
      throw new Error('no');
    }),
  ).rejects.toThrow('no');
  expect(seen).toEqual([3]);
  stop();
  seen = [];
  await add(told());
  expect(seen).toEqual([]);
});

test('ids that a restore passes over are no events: so many are kept as were asked for', async () => {
  await add(told(), told(), told());
  const restored = { at: NOW, madeAt: NOW, lastEvent: 3, nextEvent: 1_000_004 };
  await store.restores.note(restored, told({ kind: 'restored' }));
  await add(told());
  expect(await ids({})).toEqual([1, 2, 3, 1_000_004, 1_000_005]);
  expect(await store.log.prune({ before: 0, count: 5 }, 100)).toBe(0);
  expect(await store.log.prune({ before: 0, count: 3 }, 100)).toBe(2);
  expect(await ids({})).toEqual([3, 1_000_004, 1_000_005]);
  expect(await store.restores.last()).toEqual(restored);
});
