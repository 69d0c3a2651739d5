import { expect, test } from 'vitest';
import { Feed, type HostView } from '../../lab/feed.ts';

const AT = Date.UTC(2026, 0, 1, 10, 0, 0);

test('a wait that ends in vain says what was seen of the machine instead', async () => {
  const feed = new Feed();
  feed.push('one', { source: 'serial', line: 'warmboot: phase write' }, AT);
  feed.push('two', { source: 'serial', line: 'of another machine' }, AT);
  feed.push('one', { source: 'machine', event: 'RESET' }, AT + 1000);
  const attempt = {
    phase: 'writing',
    progress: { phase: 'write', bytesDone: 3, bytesTotal: 9 },
    outcome: null,
  };
  feed.push(
    'one',
    { source: 'api', host: { state: 'installing', attempt } as unknown as HostView },
    AT + 2000,
  );
  const record = { time: AT, level: 30, room: 'boot', path: '/boot/x/data', status: 206, client: '10.0.0.2' };
  feed.push(null, { source: 'log', record }, AT + 3000);
  const wait = feed.seen({
    source: 'api',
    guest: 'one',
    what: 'its end',
    since: 0,
    timeoutMs: 1,
    match: ({ host }) => host.attempt?.outcome != null,
  });
  await expect(wait).rejects.toThrowErrorMatchingInlineSnapshot(`
    [Error: its end was not seen within 0 s
      one said last:
        10:00:00 warmboot: phase write
      its QEMU said last:
        10:00:01 RESET
      the server knew of it last:
        10:00:02 installing, writing, write 3 of 9
      the server was asked for last, by anyone:
        10:00:03 /boot/x/data 206 to 10.0.0.2]
  `);
});

test('of a machine that never said anything just that is said', async () => {
  const wait = new Feed().seen({
    source: 'serial',
    guest: 'one',
    what: 'a word',
    since: 0,
    timeoutMs: 1,
    match: () => true,
  });
  await expect(wait).rejects.toThrow(/^a word was not seen within 0 s\n {2}one said last:\n {4}nothing/);
});

test('a wait for what belongs to no machine is short', async () => {
  const wait = new Feed().seen({ source: 'log', what: 'a line', since: 0, timeoutMs: 1, match: () => true });
  await expect(wait).rejects.toThrow(/^a line was not seen within 0 s$/);
});
