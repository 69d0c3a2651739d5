import fc from 'fast-check';
import { expect, test } from 'vitest';
import { answerRange } from '../../server/core/byte-range.ts';

const part = (start: number, end: number) => ({ kind: 'part', range: { start, end } });
const whole = { kind: 'whole' };
const unsatisfiable = { kind: 'unsatisfiable' };
const malformed = { kind: 'malformed' };

/** Of 1000 bytes. */
test.each<[string | undefined, object]>([
  [undefined, whole],
  ['', whole],
  ['bytes=0-499', part(0, 500)],
  ['bytes=500-999', part(500, 1000)],
  ['bytes=500-', part(500, 1000)],
  ['bytes=0-0', part(0, 1)],
  ['bytes=999-', part(999, 1000)],
  ['bytes=-1', part(999, 1000)],
  ['bytes=-1000', part(0, 1000)],
  ['bytes=-5000', part(0, 1000)],
  ['bytes=990-5000', part(990, 1000)],
  ['bytes=0-99999999999999999999999', part(0, 1000)],
  ['Bytes=1-2', part(1, 3)],
  [' bytes=1-2 ', part(1, 3)],
  ['bytes=1000-', unsatisfiable],
  ['bytes=1000-1001', unsatisfiable],
  ['bytes=99999999999999999999999-', unsatisfiable],
  ['bytes=-0', unsatisfiable],
  ['bytes=0-1,5-6', whole],
  ['bytes=0-1, -5', whole],
  ['seconds=0-1', whole],
  ['bytes', whole],
  ['bytes=', malformed],
  ['bytes=-', malformed],
  ['bytes=5-4', malformed],
  ['bytes=a-b', malformed],
  ['bytes=0x1-2', malformed],
  ['bytes=1.5-2', malformed],
  ['bytes=--5', malformed],
  ['bytes=0-1,x', malformed],
  ['bytes=1-2-3', malformed],
])('%j', (header, answer) => {
  expect(answerRange(header, 1000)).toEqual(answer);
});

test('of nothing no range can be had', () => {
  expect(answerRange('bytes=0-', 0)).toEqual(unsatisfiable);
  expect(answerRange('bytes=-1', 0)).toEqual(unsatisfiable);
  expect(answerRange(undefined, 0)).toEqual(whole);
});

test('a part lies inside and is not empty, whatever is asked', () => {
  const bound = fc.oneof(fc.constant(''), fc.nat(3000).map(String));
  fc.assert(
    fc.property(bound, bound, fc.nat(2000), (first, last, size) => {
      const answer = answerRange(`bytes=${first}-${last}`, size);
      if (answer.kind !== 'part') return;
      expect(answer.range.start).toBeGreaterThanOrEqual(0);
      expect(answer.range.end).toBeGreaterThan(answer.range.start);
      expect(answer.range.end).toBeLessThanOrEqual(size);
    }),
  );
});
