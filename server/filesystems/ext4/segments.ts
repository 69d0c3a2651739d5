import type { Latin1 } from '../node.ts';
import type { Start } from './placing.ts';

/** A segment ends behind one path of so many, a stretch behind one of so many segments. */
const PATHS_PER_SEGMENT = 64;
/** Names that differ in nothing but what the hash leaves out must not each end a segment. */
const LEAST_PATHS_PER_SEGMENT = 16;
const SEGMENTS_PER_STRETCH = 8;

/**
 * Divides paths in layer order into segments and stretches. Where one ends is written in the paths, so that two builds which
 * differ in some files agree about the others.
 * @returns what begins at a path; to be asked once for each, in order
 */
export function segmenter(): (path: Latin1, layer: number) => Start {
  let openLayer: number | null = null;
  let paths = 0;
  let next: Start = 0;
  return (path, layer) => {
    const begins = layer !== openLayer ? 3 : paths < LEAST_PATHS_PER_SEGMENT ? 0 : next;
    paths = begins === 0 ? paths + 1 : 1;
    openLayer = layer;
    next = startBehind(path);
    return begins;
  };
}

function startBehind(path: Latin1): Start {
  const hash = hashPath(path);
  if (hash % PATHS_PER_SEGMENT !== 0) return 0;
  return hash % (PATHS_PER_SEGMENT * SEGMENTS_PER_STRETCH) === 0 ? 2 : 1;
}

/**
 * FNV-1a of a path without the digits in its directories: segments then end at the same files when a version in the name of
 * a directory changes, as it does for all modules of a kernel. Mixed once more, since its lowest bits depend on too little.
 */
function hashPath(path: Latin1): number {
  const nameAt = path.lastIndexOf('/') + 1;
  let hash = 0x811c9dc5;
  for (let i = 0; i < path.length; i += 1) {
    const byte = path.charCodeAt(i);
    if (i < nameAt && byte >= 0x30 && byte <= 0x39) continue;
    hash = Math.imul(hash ^ byte, 0x01000193);
  }
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  return (hash ^ (hash >>> 13)) >>> 0;
}
