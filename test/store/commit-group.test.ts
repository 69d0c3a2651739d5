import { expect, test } from 'vitest';
import { CommitGroup } from '../../server/store/commit-group.ts';
import type { Db } from '../../server/store/database.ts';

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

test.each(['COMMIT', 'BEGIN IMMEDIATE', 'RELEASE call'])(
  'when %s fails nobody is answered ok',
  async (statement) => {
    let broken = true;
    const { db, said } = brokenDb((sql) => broken && sql === statement);
    const group = new CommitGroup(db);
    const results = await Promise.allSettled([group.run(() => 1), group.run(() => 2)]);
    expect(results.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
    if (statement !== 'BEGIN IMMEDIATE') expect(said).toContain('ROLLBACK');
    broken = false;
    expect(await group.run(() => 3)).toBe(3);
  },
);

test('when the transaction itself is gone all of its group fail', async () => {
  const { db } = brokenDb(() => false);
  const group = new CommitGroup(db);
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
  const group = new CommitGroup(db);
  const order: string[] = [];
  await Promise.all(
    [1, 2, 3].map((n) =>
      group.run(() => order.push(`work ${n}`)).then(() => order.push(`answer ${said.includes('COMMIT')}`)),
    ),
  );
  expect(said.filter((sql) => sql === 'COMMIT')).toHaveLength(1);
  expect(order).toEqual(['work 1', 'work 2', 'work 3', 'answer true', 'answer true', 'answer true']);
});
