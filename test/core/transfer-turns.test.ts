import fc from 'fast-check';
import { expect, test } from 'vitest';
import { transferTurns } from '../../server/core/transfer-turns.ts';

const begins = (turns: ReturnType<typeof transferTurns>, host: string, now: number, random = 0) =>
  turns.ask(host, now, random).kind === 'begin';

test('so many at once, of one host and of all', () => {
  const turns = transferTurns({ all: 3, each: 2 });
  expect([1, 2, 3].map(() => begins(turns, 'a', 0))).toEqual([true, true, false]);
  expect(turns.ask('a', 0, 0)).toMatchObject({ kind: 'later', why: 'each' });
  expect([begins(turns, 'b', 0), begins(turns, 'b', 0)]).toEqual([true, false]);
  expect(turns.ask('b', 0, 0)).toMatchObject({ kind: 'later', why: 'all' });
  turns.end('a', 0, false);
  expect([turns.active, begins(turns, 'b', 10), turns.active]).toEqual([2, true, 3]);
});

test('a machine that fetches in parts keeps its place between two, and no longer than for a moment', () => {
  const turns = transferTurns({ all: 1, each: 2 });
  for (const host of ['a', 'b']) turns.ask(host, 0, 0, 'machine');
  turns.end('a', 100, true);
  expect(begins(turns, 'b', 1000)).toBe(false);
  expect(turns.ask('a', 1000, 0, 'machine').kind).toBe('begin');
  turns.end('a', 1500, true);
  expect(begins(turns, 'b', 3000)).toBe(false);
  expect([begins(turns, 'b', 3501), turns.active]).toEqual([true, 1]);
  // It came too late, and stands in line as anybody.
  expect(turns.ask('a', 3600, 0, 'machine')).toMatchObject({ kind: 'later', why: 'all' });
  turns.end('b', 4000, false);
  expect(turns.ask('a', 4000, 0, 'machine').kind).toBe('begin');
});

test('a machine gets a second transfer only while nobody waits for a first, and does not stand in line for it', () => {
  const turns = transferTurns({ all: 3, each: 3 });
  const asks = (host: string, now: number) => turns.ask(host, now, 0, 'machine').kind;
  expect(['a', 'a', 'b', 'c', 'a'].map((host) => asks(host, 0))).toEqual([
    'begin',
    'begin',
    'begin',
    'later',
    'later',
  ]);
  expect(turns.waiting).toBe(1);
  turns.end('b', 10, false);
  expect(asks('a', 20)).toBe('later');
  expect(asks('c', 30)).toBe('begin');
  turns.end('c', 40, false);
  expect(asks('a', 50)).toBe('begin');
});

test('behind one address may be many: for a second transfer it stands in line as for the first', () => {
  const turns = transferTurns({ all: 1, each: 2 });
  turns.ask('mirror', 0, 0, 'others');
  expect(turns.ask('mirror', 0, 0, 'others')).toMatchObject({ kind: 'later', why: 'all' });
  expect(turns.waiting).toBe(1);
});

test('who waits for its own transfer to end keeps no place from others', () => {
  const turns = transferTurns({ all: 2, each: 1 });
  expect([begins(turns, 'a', 0), begins(turns, 'a', 0)]).toEqual([true, false]);
  expect([begins(turns, 'b', 0), turns.waiting]).toEqual([true, 0]);
});

test('who has waited for longest goes first, whoever asks in between', () => {
  const turns = transferTurns({ all: 1, each: 1 });
  begins(turns, 'first', 0);
  for (const host of ['second', 'third']) expect(begins(turns, host, 0)).toBe(false);
  turns.end('first', 0, false);
  expect(['first', 'stranger', 'third'].map((host) => begins(turns, host, 1000))).toEqual([
    false,
    false,
    false,
  ]);
  expect(begins(turns, 'second', 1000)).toBe(true);
  turns.end('second', 1000, false);
  expect([begins(turns, 'stranger', 1001), begins(turns, 'third', 1001)]).toEqual([false, true]);
});

test('who does not come back loses its turn, so that a place is not free for ever', () => {
  const turns = transferTurns({ all: 1, each: 1 });
  begins(turns, 'a', 0);
  begins(turns, 'gone', 0);
  turns.end('a', 0, false);
  expect(begins(turns, 'b', 21_000)).toBe(false);
  expect(begins(turns, 'b', 23_000)).toBe(true);
  expect(turns.waiting).toBe(0);
});

test('the next in line come back soon, those far behind later, none after more than a minute, and not together', () => {
  const turns = transferTurns({ all: 10, each: 1 });
  for (let i = 0; i < 10; i += 1) begins(turns, `s${i}`, 0);
  const told = Array.from({ length: 1000 }, (_, i) => {
    const answer = turns.ask(`w${i}`, 0, (i * 0.618) % 1);
    return answer.kind === 'later' ? answer.afterSeconds : 0;
  });
  expect(Math.max(...told.slice(0, 10))).toBeLessThanOrEqual(4);
  expect(Math.min(...told.slice(500))).toBeGreaterThan(4);
  expect(Math.max(...told)).toBeLessThanOrEqual(60);
  expect(new Set(told.slice(500)).size).toBeGreaterThan(5);
});

test('nobody starves: whatever comes in between, each who comes back as told is served in the order of its coming', () => {
  const random = fc.double({ min: 0, max: 1, noNaN: true });
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 4 }),
      fc.integer({ min: 1, max: 12 }),
      fc.integer({ min: 1, max: 9_000 }),
      fc.infiniteStream(random),
      (all, hosts, lastsMs, chance) => {
        const next = () => chance.next().value as number;
        const turns = transferTurns({ all, each: 1 });
        const waits = Array.from({ length: hosts }, (_, i) => ({ host: `h${i}`, at: 0, since: i }));
        const sending: { host: string; until: number }[] = [];
        const served: string[] = [];
        for (let now = 0; served.length < hosts; now += 250) {
          expect(now).toBeLessThan(hosts * (lastsMs + 30_000) + 60_000);
          for (const done of sending.filter(({ until }) => until <= now)) {
            turns.end(done.host, now, false);
            sending.splice(sending.indexOf(done), 1);
          }
          // Newcomers that never wait for their turn ask all the time.
          if (begins(turns, `new-${now}`, now, next()))
            sending.push({ host: `new-${now}`, until: now + lastsMs });
          for (const wait of waits.filter(({ at, host }) => at <= now && !served.includes(host))) {
            const answer = turns.ask(wait.host, now, next());
            if (answer.kind === 'later') wait.at = now + answer.afterSeconds * 1000;
            else {
              served.push(wait.host);
              sending.push({ host: wait.host, until: now + lastsMs });
            }
            expect(turns.active).toBeLessThanOrEqual(all);
          }
        }
      },
    ),
    { numRuns: 60 },
  );
});
