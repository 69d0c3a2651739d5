import { createHmac, timingSafeEqual } from 'node:crypto';

/**
 * What forms carry so that no other site can send them. It follows from the session alone, which no script and no other site can
 * read: it stays good when the server restarts, and ends with the session.
 * @param session value of the cookie
 */
export function formToken(session: string): string {
  return createHmac('sha256', session).update('warmboot form').digest('base64url');
}

export function isFormToken(given: string | null, session: string): boolean {
  const wanted = Buffer.from(formToken(session));
  const said = Buffer.from(given ?? '');
  return said.length === wanted.length && timingSafeEqual(said, wanted);
}
