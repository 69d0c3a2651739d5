import type { Context } from 'hono';
import { WarmbootError } from '../core/errors.ts';

/**
 * The event that a client got last, as its `Last-Event-ID` says; null without one, or an empty one (WHATWG HTML, 9.2.4).
 * @throws WarmbootError for what no stream of ours gives: from where it would go on cannot be guessed
 */
export function lastEventId(c: Context): number | null {
  const said = c.req.header('last-event-id') ?? '';
  if (said === '') return null;
  if (/^\d{1,15}$/.test(said)) return Number(said);
  throw new WarmbootError(
    'malformed',
    'Last-Event-ID is none of this server: give the id of the last event as it came, or leave it out.',
  );
}
