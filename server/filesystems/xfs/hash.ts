import type { Latin1 } from '../node.ts';

/** XFS's hash of names in directories and of attributes (`xfs_da_hashname`). Unsigned. */
export function nameHash(name: Latin1): number {
  const wholeEnd = name.length - (name.length % 4);
  let hash = 0;
  let at = 0;
  for (; at < wholeEnd; at += 4)
    hash =
      (name.charCodeAt(at) << 21) ^
      (name.charCodeAt(at + 1) << 14) ^
      (name.charCodeAt(at + 2) << 7) ^
      name.charCodeAt(at + 3) ^
      rotate(hash, 28);
  const rest = name.length - at;
  if (rest === 0) return hash >>> 0;
  let tail = 0;
  for (; at < name.length; at += 1) tail = (tail << 7) ^ name.charCodeAt(at);
  return (tail ^ rotate(hash, 7 * rest)) >>> 0;
}

function rotate(value: number, bits: number): number {
  return (value << bits) | (value >>> (32 - bits));
}
