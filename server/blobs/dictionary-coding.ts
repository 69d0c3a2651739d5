import { hash } from 'node:crypto';
import { Compressor } from 'zstd-napi';

/**
 * What is coded in the server's own thread, some 30 ms at a time. Longer texts (of images of about 4 GB and more) are sent as
 * they are: beside their data they are as little.
 */
const MOST_BYTES = 4 * 1024 ** 2;

/** The window reaches over dictionary and text. A sha256 in hex digits is found again or it is new: short matches are none. */
const PARAMETERS = { compressionLevel: 3, windowLog: 23, hashLog: 20, minMatch: 6 };

/** A frame that readers of zstd pass over, of 32 bytes: the dictionary's sha256. Source: RFC 9842, 5. */
const MAGIC = Buffer.from('5e2a4d1820000000', 'hex');

/**
 * A text without what it has in common with another one that its reader has: the content coding `dcz`.
 * @returns null for what is too long to be coded here
 */
export function codedWith(dictionary: Uint8Array, text: Uint8Array): Buffer | null {
  if (dictionary.length > MOST_BYTES || text.length > MOST_BYTES) return null;
  const compressor = new Compressor();
  compressor.setParameters(PARAMETERS);
  compressor.loadDictionary(dictionary);
  return Buffer.concat([MAGIC, hash('sha256', dictionary, 'buffer'), compressor.compress(text)]);
}
