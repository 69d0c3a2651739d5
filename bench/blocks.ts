import { hash } from 'node:crypto';
import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { isZero } from '../server/core/chunks.ts';

/** Hashes of the different blocks of 4 KiB of a file; zeros left out. */
export function blockHashes(path: string): Set<string> {
  const found = new Set<string>();
  const buffer = Buffer.allocUnsafeSlow(1 << 22);
  const file = openSync(path, 'r');
  for (let at = 0; at < fstatSync(file).size; at += buffer.length) {
    const read = readSync(file, buffer, 0, buffer.length, at);
    for (let block = 0; block < read; block += 4096) {
      const data = buffer.subarray(block, block + 4096);
      if (!isZero(data)) found.add(hash('sha256', data, 'base64').slice(0, 22));
    }
  }
  closeSync(file);
  return found;
}
