import type { Context } from 'hono';
import { deleteCookie, getCookie } from 'hono/cookie';
import type { WebEnv } from './visit.ts';

/** As the API sets it at a login. */
export const SESSION_COOKIE = 'warmboot-session';
/** What a session of ours looks like; nothing else is handed on. */
const VALUE = /^[\w-]{1,256}$/;

export function sessionCookie(c: Context<WebEnv>): string | null {
  const value = getCookie(c, SESSION_COOKIE);
  return value !== undefined && VALUE.test(value) ? value : null;
}

/** A session that is over is not asked about again. */
export function forgetSession(c: Context<WebEnv>): void {
  deleteCookie(c, SESSION_COOKIE, { path: '/' });
}
