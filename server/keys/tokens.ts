import { createHash, randomBytes } from 'node:crypto';

/** 256 bits that a person can paste. */
export function newToken(): string {
  return randomBytes(32).toString('base64url');
}

/** An id that may stand on a kernel command line: 80 bits, 16 letters and digits (Crockford's base 32, lower case). */
export function newId(): string {
  const alphabet = '0123456789abcdefghjkmnpqrstvwxyz';
  return Array.from(randomBytes(16), (byte) => alphabet.charAt(byte & 31)).join('');
}

export function sha256Hex(data: string | Uint8Array): string {
  return createHash('sha256').update(data).digest('hex');
}
