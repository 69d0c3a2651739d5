import fc from 'fast-check';
import { expect, test } from 'vitest';
import { frameReader, maxFrameBytes } from '../../server/core/frame-stream.ts';
import { sentFrame } from '../fixtures/frames.ts';

test('frames are read whole from pieces of any length', () => {
  const frame = fc.record({
    sha256: fc.stringMatching(/^[0-9a-f]{64}$/),
    bytes: fc.uint8Array({ minLength: 1, maxLength: 300 }),
  });
  fc.assert(
    fc.property(
      fc.array(frame, { maxLength: 6 }),
      fc.array(fc.integer({ min: 1, max: 200 })),
      (frames, cuts) => {
        const all = Buffer.concat(frames.map(({ sha256, bytes }) => sentFrame(sha256, bytes)));
        const reader = frameReader();
        const read: { sha256: string; bytes: Buffer }[] = [];
        for (let at = 0, i = 0; at < all.length; i += 1) {
          const end = at + (cuts[i % Math.max(1, cuts.length)] ?? all.length);
          for (const got of reader.push(all.subarray(at, end)) ?? [])
            read.push({ sha256: got.sha256, bytes: Buffer.from(got.frame) });
          at = end;
        }
        expect(read).toEqual(frames.map(({ sha256, bytes }) => ({ sha256, bytes: Buffer.from(bytes) })));
        expect(reader.isWhole()).toBe(true);
      },
    ),
  );
});

test('a length that no frame has ends it before memory is given to it', () => {
  const hash = 'a'.repeat(64);
  for (const length of [0, maxFrameBytes(64 * 4096) + 1, 0xffffffff])
    expect(frameReader().push(sentFrame(hash, Buffer.alloc(0), length))).toBeNull();
  const cut = frameReader();
  expect(cut.push(sentFrame(hash, Buffer.alloc(10)).subarray(0, 40))).toEqual([]);
  expect(cut.isWhole()).toBe(false);
});
