import { RECORDED, recorded } from './recorded.ts';

/** Numbers from 0 to below 1, the same for the same seed (mulberry32). */
function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}

/** Bytes that decide something, more often than chance would have them. */
const TELLING = [0, 1, 2, 3, 8, 43, 52, 53, 60, 67, 77, 82, 93, 97, 175, 254, 255];

/** An endless supply of packets that nobody should send: recorded ones with bytes changed, cut, doubled and spliced, and noise. */
export function mutations(seed: number): () => Buffer {
  const random = seeded(seed);
  const below = (limit: number) => Math.floor(random() * limit);
  const corpus = RECORDED.map(recorded);
  const pick = () => corpus[below(corpus.length)] ?? Buffer.alloc(0);
  const noise = (bytes: number) => Buffer.from(Uint8Array.from({ length: bytes }, () => below(256)));
  const changed = (datagram: Buffer, from: number) => {
    const copy = Buffer.from(datagram);
    for (let times = 1 + below(8); times > 0; times--) {
      const byte = random() < 0.5 ? (TELLING[below(TELLING.length)] ?? 0) : below(256);
      copy[from + below(copy.length - from)] = byte;
    }
    return copy;
  };
  return () => {
    switch (below(8)) {
      case 0:
        return noise(below(600));
      case 1:
        return pick().subarray(0, below(500));
      case 2:
        return changed(pick(), 0);
      case 3: {
        const at = 240 + below(150);
        return Buffer.concat([pick().subarray(0, at), pick().subarray(at - below(40))]);
      }
      case 4:
        return Buffer.concat([pick().subarray(0, 240), noise(below(300))]);
      case 5:
        return changed(changed(pick(), 240), 0);
      default:
        return changed(pick(), 240);
    }
  };
}
