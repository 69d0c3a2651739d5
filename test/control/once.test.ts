import { afterEach, beforeEach, expect, test } from 'vitest';
import { keyCollector, onceCases } from '../../server/control/once.ts';
import type { OnceAnswer, OnceUseCases } from '../../server/core/once-port.ts';
import type { Store } from '../../server/core/ports.ts';
import { hostWith, macAt, NOW } from '../fixtures/hosts.ts';
import { memoryStore } from '../fixtures/stores.ts';

const time = { now: NOW };
let store: Store;
let cases: OnceUseCases;
beforeEach(() => {
  time.now = NOW;
  store = memoryStore(() => time.now);
  cases = onceCases(store);
});
afterEach(() => store.close());

const key = { token: 'ci', key: 'k1' };
const answer = (body: string, status = 201): OnceAnswer => ({ status, headers: {}, body });
let hosts = 0;
const enrol = () => {
  hosts += 1;
  const id = `host-${hosts}`;
  const host = hostWith({ enrolment: { id, macs: [macAt(hosts)] } });
  return store.change({}, () => ({ answer: id, hosts: [host] }));
};

test('the second time the first answer comes again, and nothing is done', async () => {
  let runs = 0;
  const task = async () => answer(`${++runs} ${await enrol()}`);
  expect(await cases.run(key, 'r', task)).toBeNull();
  const told = await cases.run(key, 'r', task);
  expect(told?.body).toMatch(/^1 host/);
  expect(await cases.run(key, 'r', task)).toEqual(told);
  expect(runs).toBe(1);
});

test('the answer outlives the server', async () => {
  await cases.run(key, 'r', async () => answer(await enrol()));
  const after = onceCases(store);
  expect((await after.run(key, 'r', async () => answer('twice')))?.body).toMatch(/^host/);
});

test('while the first is running the second is refused', async () => {
  let finish = () => {};
  const first = cases.run(key, 'r', async () => {
    await new Promise<void>((resolve) => {
      finish = resolve;
    });
    return answer('x');
  });
  await expect(cases.run(key, 'r', async () => answer('y'))).rejects.toThrow(/still being carried out/);
  await expect(cases.run({ ...key, token: 'b' }, 'r', async () => answer('y'))).resolves.toBeNull();
  finish();
  await first;
  expect((await cases.run(key, 'r', async () => answer('z')))?.body).toBe('x');
});

test('another request under the same key is refused', async () => {
  await cases.run(key, 'r', async () => answer('x'));
  const other = cases.run(key, 'other', async () => answer('y'));
  await expect(other).rejects.toMatchObject({ code: 'invalid' });
});

test('a refusal is no outcome: it is tried again', async () => {
  await cases.run(key, 'r', async () => answer('no', 409));
  expect(await cases.run(key, 'r', async () => answer('yes'))).toBeNull();
  expect((await cases.run(key, 'r', async () => answer('z')))?.body).toBe('yes');
});

test('a server that ended before the change: the request is carried out', async () => {
  await store.once.begin(key, 'r');
  expect(await cases.run(key, 'r', async () => answer(await enrol()))).toBeNull();
});

test('a server that ended between the change and its answer: it is not carried out twice', async () => {
  await store.once.begin(key, 'r');
  await store.once.within(key, enrol);
  let ran = false;
  const again = cases.run(key, 'r', async () => {
    ran = true;
    return answer('x');
  });
  await expect(again).rejects.toThrow(/carried out already, and its answer was not kept/);
  expect(ran).toBe(false);
});

test('a task that throws after a change is not done twice either; one before any change is', async () => {
  const throwing = cases.run(key, 'r', async () => {
    throw new Error('early');
  });
  await expect(throwing).rejects.toThrow('early');
  const late = cases.run(key, 'r', async () => {
    await enrol();
    throw new Error('late');
  });
  await expect(late).rejects.toThrow('late');
  await expect(cases.run(key, 'r', async () => answer('x'))).rejects.toMatchObject({ code: 'conflict' });
});

test('a day later the key is free', async () => {
  await cases.run(key, 'r', async () => answer('x'));
  const collect = keyCollector({ store, clock: () => time.now });
  time.now += 24 * 3_600_000 - 1;
  await collect();
  expect(await cases.run(key, 'r', async () => answer('y'))).not.toBeNull();
  time.now += 1;
  // Not so often.
  await collect();
  expect(await cases.run(key, 'r', async () => answer('y'))).not.toBeNull();
  time.now += 60_000;
  await collect();
  expect(await cases.run(key, 'r', async () => answer('y'))).toBeNull();
});

test('a server that ended after steps that may be taken again: the request is carried out', async () => {
  await store.once.begin(key, 'r');
  await store.once.within(key, () => store.once.towards(enrol));
  expect(await cases.run(key, 'r', async () => answer(await enrol()))).toBeNull();
  // What comes after such steps is what was asked for.
  const other = { ...key, key: 'k2' };
  await store.once.begin(other, 'r');
  await store.once.within(other, async () => {
    await store.once.towards(enrol);
    await enrol();
  });
  await expect(cases.run(other, 'r', async () => answer('x'))).rejects.toThrow(/carried out already/);
});
