import { expect, test } from 'vitest';
import { manifestCases } from '../../server/control/manifests.ts';
import { createWakes } from '../../server/control/wakes.ts';
import { diskGuid, tableIds } from '../../server/core/partition-guid.ts';
import { ALICE, macAt, reportWith } from '../fixtures/hosts.ts';
import { useCases } from '../fixtures/use-cases.ts';

test('who listens hears of each change, until he ends it; of a host that nobody knows there is nothing to hear', async () => {
  const { hosts, machines } = await useCases();
  await hosts.enrol(ALICE, { macs: [macAt(1)], image: 'one' });
  let heard = 0;
  const end = await machines.listen(macAt(1), () => {
    heard += 1;
  });
  await hosts.reassign(ALICE, macAt(1), 'two', false);
  await hosts.update(ALICE, macAt(1), { append: 'quiet' });
  expect(heard).toBe(2);
  end();
  await hosts.update(ALICE, macAt(1), { append: '' });
  expect(heard).toBe(2);
  await expect(machines.listen(macAt(9), () => {})).rejects.toThrow(/No host has the MAC/);
});

test('what a machine boots is told when the disk has it, whatever it asks by', async () => {
  const { context } = await useCases();
  let done: (() => void) | null = null;
  const settled = () =>
    new Promise<void>((resolve) => {
      done = resolve;
    });
  const { bootChoice } = manifestCases({ ...context, store: { ...context.store, settled } });
  let told = false;
  const asked = bootChoice(macAt(1)).then(() => {
    told = true;
  });
  await expect.poll(() => done).not.toBeNull();
  await new Promise((resolve) => setTimeout(resolve, 10));
  expect(told).toBe(false);
  (done as (() => void) | null)?.();
  await asked;
});

test('labels wake nobody: no manifest shows them', async () => {
  const { hosts, context } = await useCases();
  const host = await hosts.enrol(ALICE, { macs: [macAt(1)] });
  let woken = 0;
  context.wakes.listen(host.enrolment.id, () => {
    woken += 1;
  });
  await hosts.update(ALICE, macAt(1), { labels: { a: 'b' } });
  expect(woken).toBe(0);
  await hosts.update(ALICE, macAt(1), { switch: 'reboot' });
  expect(woken).toBe(1);
  await hosts.remove(ALICE, macAt(1));
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

test('a partition table names those that earlier installs of the host may have left half made, of whatever kind', async () => {
  const { hosts, machines, context } = await useCases();
  const mac = macAt(1);
  const told = async () => {
    const script = await machines.partitionTable(
      mac,
      null,
      { bytes: 64e9, sectorBytes: 512 },
      { tokenHash: null },
    );
    return script.split('\n').flatMap((line) => /^# earlier: (.*)/.exec(line)?.[1] ?? []);
  };
  const { enrolment, attempt: first } = await hosts.enrol(ALICE, { macs: [mac], image: 'one' });
  expect(await told()).toEqual([]);
  const failed = reportWith({ kind: 'failed', attempt: first?.id ?? '' });
  await machines.report(mac, failed, 'body', { tokenHash: null });
  const superseded = (await hosts.reinstall(ALICE, mac, false)).attempt?.id ?? '';
  await hosts.reinstall(ALICE, mac, false);
  const ids = [first?.id ?? '', superseded].flatMap((id) =>
    tableIds(diskGuid(enrolment.id, id, context.sha256Hex), context.sha256Hex),
  );
  expect(ids.map((id) => id.length)).toEqual([36, 10, 36, 10]);
  expect(await told()).toEqual(ids);
});
