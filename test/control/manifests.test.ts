import { expect, test } from 'vitest';
import { createWakes } from '../../server/control/wakes.ts';
import { macAt } from '../fixtures/hosts.ts';
import { useCases } from '../fixtures/use-cases.ts';

const never = new AbortController().signal;

test('who listens first misses nothing, even before it waits', async () => {
  const { hosts, machines } = await useCases();
  await hosts.enrol({ macs: [macAt(1)], image: 'one' });
  const wait = await machines.listen(macAt(1));
  await hosts.reassign(macAt(1), 'two', false);
  await wait.changed(60_000, never);
  const next = wait.changed(60_000, never);
  await hosts.update(macAt(1), { append: 'quiet' });
  await next;
  wait.stop();
});

test('a wait ends when nobody wants it any more, and at its time', async () => {
  const { hosts, machines } = await useCases();
  await hosts.enrol({ macs: [macAt(1)] });
  const wait = await machines.listen(macAt(1));
  await wait.changed(1, never);
  await wait.changed(60_000, AbortSignal.abort());
  const gone = new AbortController();
  const waiting = wait.changed(60_000, gone.signal);
  gone.abort();
  await waiting;
  wait.stop();
});

test('labels wake nobody: no manifest shows them', async () => {
  const { hosts, context } = await useCases();
  const host = await hosts.enrol({ macs: [macAt(1)] });
  let woken = 0;
  context.wakes.listen(host.enrolment.id, () => {
    woken += 1;
  });
  await hosts.update(macAt(1), { labels: { a: 'b' } });
  expect(woken).toBe(0);
  await hosts.update(macAt(1), { switch: 'reboot' });
  expect(woken).toBe(1);
  await hosts.remove(macAt(1));
  expect(woken).toBe(2);
});

test('wakes reach those who listen to that host, and those only', () => {
  const wakes = createWakes();
  const heard: string[] = [];
  const stops = ['a', 'a', 'b'].map((id, index) => wakes.listen(id, () => heard.push(`${id}${index}`)));
  wakes.wake('a');
  wakes.wake('c');
  expect(heard).toEqual(['a0', 'a1']);
  stops[0]?.();
  stops[0]?.();
  wakes.wake('a');
  expect(heard).toEqual(['a0', 'a1', 'a1']);
  stops[1]?.();
  wakes.listen('a', () => heard.push('new'));
  stops[1]?.();
  wakes.wake('a');
  expect(heard.at(-1)).toBe('new');
});
