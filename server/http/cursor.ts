import { WarmbootError } from '../core/errors.ts';
import type { HostPlace } from '../core/fleet-port.ts';

/** Where a page of hosts, images or builds begins, as clients see it: a text that they give back as it is. */
export function cursorOf(place: HostPlace | null): string | null {
  if (place === null) return null;
  return Buffer.from(JSON.stringify([place.createdAt, place.id])).toString('base64url');
}

/** @throws WarmbootError for what no page ever gave */
export function placeOf(cursor: string | undefined): HostPlace | null {
  if (cursor === undefined) return null;
  const [createdAt, id, ...more] = parts(cursor);
  if (
    typeof createdAt === 'number' &&
    Number.isFinite(createdAt) &&
    typeof id === 'string' &&
    more.length === 0
  )
    return { createdAt, id };
  throw new WarmbootError(
    'malformed',
    'The cursor is none of this server. Give `next` of the page before as it is, or leave it out for the first page.',
  );
}

function parts(cursor: string): unknown[] {
  try {
    const read: unknown = JSON.parse(Buffer.from(cursor, 'base64url').toString());
    return Array.isArray(read) ? read : [];
  } catch {
    return [];
  }
}
