import { expect, test } from 'vitest';
import { CommitGroup } from '../../server/store/commit-group.ts';
import type { Db } from '../../server/store/database.ts';
import type { Journal } from '../../server/store/journal.ts';

/** A database that fails at the statements it is told to. */
function brokenDb(failsAt: (sql: string) => boolean): { db: Db; said: string[] } {
  const said: string[] = [];
  const db = {
    inTransaction: false,
    exec(sql: string) {
      said.push(sql);
      if (failsAt(sql)) throw new Error(`disk I/O error at ${sql}`);
      if (sql.startsWith('BEGIN')) db.inTransaction = true;
      if (sql === 'COMMIT' || sql === 'ROLLBACK') db.inTransaction = false;
    },
  };
  return { db: db as unknown as Db, said };
}

/** A disk that syncs when it is told to, and keeps what it was asked for. */
function journal(parts: Partial<Journal> = {}): Journal {
  return { sync: async () => {}, shorten: async () => {}, close: () => {}, ...parts };
}

test.each(['COMMIT', 'BEGIN IMMEDIATE', 'RELEASE call'])(
  'when %s fails nobody is answered ok',
  async (statement) => {
    let broken = true;
    const { db, said } = brokenDb((sql) => broken && sql === statement);
    const group = new CommitGroup(db, journal());
    const results = await Promise.allSettled([group.run(() => 1), group.run(() => 2)]);
    expect(results.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
    if (statement !== 'BEGIN IMMEDIATE') expect(said).toContain('ROLLBACK');
    broken = false;
    expect(await group.run(() => 3)).toBe(3);
  },
);

test('when the transaction itself is gone all of its group fail', async () => {
  const { db } = brokenDb(() => false);
  const group = new CommitGroup(db, journal());
  const results = await Promise.allSettled([
    group.run(() => 1),
    group.run(() => {
      (db as { inTransaction: boolean }).inTransaction = false;
      throw new Error('database or disk is full');
    }),
    group.run(() => 3),
  ]);
  expect(results.map(({ status }) => status)).toEqual(['rejected', 'rejected', 'rejected']);
});

test('those who come together share a commit, and nobody is answered before it', async () => {
  const { db, said } = brokenDb(() => false);
  const group = new CommitGroup(db, journal());
  const order: string[] = [];
  await Promise.all(
    [1, 2, 3].map((n) =>
      group.run(() => order.push(`work ${n}`)).then(() => order.push(`answer ${said.includes('COMMIT')}`)),
    ),
  );
  expect(said.filter((sql) => sql === 'COMMIT')).toHaveLength(1);
  expect(order).toEqual(['work 1', 'work 2', 'work 3', 'answer true', 'answer true', 'answer true']);
});

test('nobody is answered before the disk has it, and those who come meanwhile share the next commit', async () => {
  const { db, said } = brokenDb(() => false);
  const syncs: (() => void)[] = [];
  const group = new CommitGroup(db, journal({ sync: () => new Promise((done) => syncs.push(done)) }));
  const answered: number[] = [];
  const run = (n: number) => group.run(() => n).then((value) => answered.push(value));
  expect(group.settled()).toBeNull();
  const first = run(1);
  await expect.poll(() => syncs.length).toBe(1);
  expect(said).toContain('COMMIT');
  let isSettled = false;
  const settled = group.settled()?.then(() => {
    isSettled = true;
  });
  const later = [run(2), run(3)];
  await new Promise((resolve) => setTimeout(resolve, 20));
  expect([answered, isSettled, said.filter((sql) => sql === 'COMMIT').length]).toEqual([[], false, 1]);
  syncs[0]?.();
  await Promise.all([first, settled]);
  expect(answered).toEqual([1]);
  await expect.poll(() => syncs.length).toBe(2);
  syncs[1]?.();
  await Promise.all(later);
  expect(answered).toEqual([1, 2, 3]);
  expect(said.filter((sql) => sql === 'COMMIT')).toHaveLength(2);
  expect(group.settled()).toBeNull();
});

test('while the log is copied into the database nothing is written', async () => {
  const { db, said } = brokenDb(() => false);
  let copied = () => {};
  const shorten = () =>
    new Promise<void>((done) => {
      copied = done;
    });
  const group = new CommitGroup(db, journal({ shorten }));
  // Who wrote before it is answered before it.
  expect(await group.run(() => 1)).toBe(1);
  const second = group.run(() => 2);
  await new Promise((resolve) => setTimeout(resolve, 20));
  expect(said.filter((sql) => sql.startsWith('BEGIN'))).toHaveLength(1);
  expect(group.settled()).toBeNull();
  copied();
  expect(await second).toBe(2);
});

test.each(['sync', 'shorten'] as const)(
  'a disk that fails to %s is not believed again: nothing more is written until the next start',
  async (step) => {
    const { db, said } = brokenDb(() => false);
    let isFailing = true;
    const fail = async () => {
      if (isFailing) throw new Error('EIO: i/o error, fdatasync');
    };
    const commits: boolean[] = [];
    const group = new CommitGroup(db, journal({ [step]: fail }), {
      onCommit: (_, __, isOk) => commits.push(isOk),
    });
    const first = await group.run(() => 1).catch((error: Error) => error.message);
    expect(first).toEqual(step === 'sync' ? expect.stringContaining('EIO') : 1);
    isFailing = false;
    await expect(group.run(() => 2)).rejects.toThrow(
      /failed to keep what was written.*start the server again/,
    );
    expect(said.filter((sql) => sql === 'COMMIT')).toHaveLength(1);
    expect(group.settled()).toBeNull();
    expect(commits[0]).toBe(step === 'shorten');
  },
);
