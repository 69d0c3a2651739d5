import type { Latin1 } from '../node.ts';

/** The seed of all our filesystems, four little-endian words: equal names have equal places in every image. */
export const HASH_SEED: readonly number[] = [0x6d726157, 0x746f6f62, 0x34747865, 0x31303030];

/** Stands for the end of a directory in the kernel's readdir; no name may have it. */
const END_OF_DIRECTORY = 0x7fffffff * 2;

/** Where a name stands in an indexed directory: by `major`, even and unsigned, then by `minor`. */
export interface NameHash {
  readonly major: number;
  readonly minor: number;
}

/**
 * The half-MD4 hash of a name, its bytes taken as unsigned. Source: fs/ext4/hash.c, `half_md4_transform`,
 * `str2hashbuf_unsigned`, `__ext4fs_dirhash`.
 */
export function hashName(name: Latin1, seed: readonly number[] = HASH_SEED): NameHash {
  const state = Int32Array.from(seed);
  const words = new Int32Array(8);
  for (let at = 0; at < name.length; at += 32) {
    fillWords(words, name, at);
    transform(state, words);
  }
  const major = ((state[1] as number) & ~1) >>> 0;
  return { major: major === END_OF_DIRECTORY ? major - 2 : major, minor: (state[2] as number) >>> 0 };
}

/** Up to 32 bytes, big-endian by word, padded with the length that was left. */
function fillWords(words: Int32Array, name: Latin1, at: number): void {
  const left = name.length - at;
  const pad = (left | (left << 8)) * 0x10001;
  const end = Math.min(32, left);
  words.fill(pad);
  for (let word = 0; word * 4 < end; word += 1) {
    let value = pad;
    for (let i = word * 4; i < Math.min(end, word * 4 + 4); i += 1)
      value = (name.charCodeAt(at + i) + (value << 8)) | 0;
    words[word] = value;
  }
}

const ROUNDS: readonly {
  readonly mix: (b: number, c: number, d: number) => number;
  readonly constant: number;
  readonly order: readonly number[];
  readonly shifts: readonly number[];
}[] = [
  {
    mix: (b, c, d) => d ^ (b & (c ^ d)),
    constant: 0,
    order: [0, 1, 2, 3, 4, 5, 6, 7],
    shifts: [3, 7, 11, 19],
  },
  {
    mix: (b, c, d) => ((b & c) + ((b ^ c) & d)) | 0,
    constant: 0x5a827999,
    order: [1, 3, 5, 7, 0, 2, 4, 6],
    shifts: [3, 5, 9, 13],
  },
  {
    mix: (b, c, d) => b ^ c ^ d,
    constant: 0x6ed9eba1,
    order: [3, 7, 2, 6, 1, 5, 0, 4],
    shifts: [3, 9, 11, 15],
  },
];

function transform(state: Int32Array, words: Int32Array): void {
  let [a = 0, b = 0, c = 0, d = 0] = state;
  for (const { mix, constant, order, shifts } of ROUNDS)
    for (let step = 0; step < 8; step += 1) {
      const sum = (a + mix(b, c, d) + (words[order[step] as number] as number) + constant) | 0;
      const shift = shifts[step % 4] as number;
      const turned = (sum << shift) | (sum >>> (32 - shift));
      a = d;
      d = c;
      c = b;
      b = turned;
    }
  state[0] = (state[0] as number) + a;
  state[1] = (state[1] as number) + b;
  state[2] = (state[2] as number) + c;
  state[3] = (state[3] as number) + d;
}
