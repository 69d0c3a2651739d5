import { expect, test } from 'vitest';
import { createCensus } from '../../server/control/census.ts';
import { ALICE, macAt } from '../fixtures/hosts.ts';
import { useCases } from '../fixtures/use-cases.ts';

async function world() {
  const { store, time, hosts, machines } = await useCases();
  const lag = { ms: 0, asked: 0 };
  const census = createCensus(
    store,
    () => time.now,
    () => {
      lag.asked += 1;
      return lag.ms;
    },
  );
  return { census, time, hosts, machines, lag };
}

test('hosts are counted once a minute, not at every manifest', async () => {
  const { census, time, lag } = await world();
  for (let i = 0; i < 5; i += 1) await census.look();
  expect(lag.asked).toBe(1);
  time.now += 60_000;
  await census.look();
  time.now -= 3_600_000;
  await census.look();
  expect(lag.asked).toBe(3);
});

test('a server that is late says so for ten minutes, and then looks again', async () => {
  const { census, time, lag } = await world();
  lag.ms = 300;
  await census.look();
  lag.ms = 0;
  expect(census.now().isPressed).toBe(true);
  time.now += 599_999;
  await census.look();
  expect(census.now().isPressed).toBe(true);
  time.now += 1;
  expect(census.now().isPressed).toBe(false);
});

test('that hosts are told to ask less changes their manifest, and raises no serial', async () => {
  const { hosts, machines, context, store } = await useCases();
  await hosts.enrol(ALICE, { macs: [macAt(1)] });
  const before = await machines.manifest(macAt(1), { tokenHash: null });
  Object.assign(store, { lookups: { ...store.lookups, hostCount: async () => 5_000 } });
  await context.census.look();
  const after = await machines.manifest(macAt(1), { tokenHash: null });
  expect([before.poll, after.poll]).toEqual([15, 60]);
  expect(after).toEqual({ ...before, poll: 60 });
});
