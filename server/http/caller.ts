import { createHash } from 'node:crypto';
import type { Context } from 'hono';
import type { Caller } from '../core/use-cases.ts';

/** The token of `Authorization: Bearer TOKEN` (RFC 6750, 2.1), or null. */
export function bearerToken(c: Context): string | null {
  return /^Bearer +([\x21-\x7e]+)$/i.exec(c.req.header('authorization') ?? '')?.[1] ?? null;
}

export function callerOf(c: Context): Caller {
  const token = bearerToken(c);
  return { tokenHash: token === null ? null : hashToken(token) };
}

/** What is kept of a token. Tokens are 256 random bits: a slow hash would protect nothing more. */
export function hashToken(token: string): string {
  return createHash('sha256').update(token).digest('hex');
}
