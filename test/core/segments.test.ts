import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { ByteSource } from '../../server/core/ports.ts';
import { concatenate, made, part, repeated, type Segment, zeros } from '../../server/core/segments.ts';
import { bytesOf, sourceOf } from '../disks/composition.ts';

const everything = new AbortController().signal;

/** A source that counts how often it is held, and can be read only then. */
function held(content: Uint8Array, hold = async () => {}) {
  const count = { now: 0, ever: 0 };
  const { read, ...facts } = sourceOf(content);
  const source: ByteSource = {
    ...facts,
    read: () => {
      throw new Error('read without being held');
    },
    async hold() {
      await hold();
      count.now += 1;
      count.ever += 1;
      return {
        read,
        async release() {
          count.now -= 1;
        },
      };
    },
  };
  return { source, count };
}

test('any range is a slice of all segments one behind the other', async () => {
  const text = Buffer.from('0123456789');
  const segment = fc.oneof(
    fc.nat(20).map((bytes): [Segment, Buffer] => [zeros(bytes), Buffer.alloc(bytes)]),
    fc.nat(10).map((bytes): [Segment, Buffer] => [made(text.subarray(0, bytes)), text.subarray(0, bytes)]),
    fc
      .tuple(fc.nat(5), fc.nat(5))
      .map(([at, bytes]): [Segment, Buffer] => [
        part(sourceOf(text), at, bytes),
        text.subarray(at, at + bytes),
      ]),
    fc.nat(4).map((times): [Segment, Buffer] => [repeated(text, times), Buffer.alloc(times * 10, text)]),
  );
  await fc.assert(
    fc.asyncProperty(fc.array(segment), fc.nat(200), fc.nat(200), async (all, one, two) => {
      const whole = Buffer.concat(all.map(([, bytes]) => bytes));
      const source = concatenate(
        all.map(([each]) => each),
        '"x"',
      );
      expect(source.sizeBytes).toBe(whole.length);
      const [start, end] = [Math.min(one, two, whole.length), Math.min(Math.max(one, two), whole.length)];
      expect((await bytesOf(source, start, end)).equals(whole.subarray(start, end))).toBe(true);
    }),
  );
});

test('each source is held once for a reading, and released when its reader leaves', async () => {
  const [a, b] = [held(Buffer.from('aaaa')), held(Buffer.from('bbbb'))];
  const source = concatenate([part(a.source, 0, 2), part(b.source, 0, 4), part(a.source, 2, 2)], '"x"');
  expect(String(await bytesOf(source))).toBe('aabbbbaa');
  expect([a.count, b.count]).toEqual([
    { now: 0, ever: 1 },
    { now: 0, ever: 1 },
  ]);
  for await (const _ of source.read({ start: 0, end: 8 }, everything)) {
    expect([a.count.now, b.count.now]).toEqual([1, 1]);
    break;
  }
  expect([a.count.now, b.count.now]).toEqual([0, 0]);
});

test('where one source has gone none is held', async () => {
  const a = held(Buffer.from('a'));
  const gone = held(Buffer.from('b'), async () => {
    throw new Error('gone');
  });
  const source = concatenate([part(a.source, 0, 1), part(gone.source, 0, 1)], '"x"');
  await expect(source.hold?.()).rejects.toThrow('gone');
  expect(a.count).toEqual({ now: 0, ever: 1 });
});
