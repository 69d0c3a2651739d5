import type { HttpBindings } from '@hono/node-server';
import type { Context } from 'hono';
import { type Digest, parseDigest } from '../core/digest.ts';

/**
 * The image whose index the client has, and which an answer may be coded with: a dictionary is named by its sha256, and so is an
 * image by that of its index. Null: none, or it does not take the coding `dcz`. Source: RFC 9842, 2.2 and 5.
 */
export function knownIndex<E extends { Bindings: HttpBindings }>(c: Context<E>): Digest | null {
  // On Node's own answer, which a body is written to directly.
  c.env.outgoing.setHeader('vary', 'accept-encoding, available-dictionary');
  const named = /^:([A-Za-z0-9+/]{43}=):$/.exec(c.req.header('available-dictionary')?.trim() ?? '');
  if (!named?.[1] || !takesDcz(c.req.header('accept-encoding') ?? '')) return null;
  return parseDigest(`sha256:${Buffer.from(named[1], 'base64').toString('hex')}`);
}

/** Only who names it: `*` says nothing about dictionaries. */
function takesDcz(accepted: string): boolean {
  return accepted.split(',').some((each) => {
    const [coding, ...parameters] = each.split(';').map((part) => part.trim().toLowerCase());
    return coding === 'dcz' && !parameters.some((parameter) => /^q=0(\.0*)?$/.test(parameter));
  });
}
