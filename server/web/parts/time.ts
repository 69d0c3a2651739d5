import { type Html, html } from '../html.ts';

/**
 * Moments as people read them. A page without JavaScript says them in UTC; `times.js` turns them into the reader's own time, and
 * keeps "3 min ago" true. All are milliseconds since 1970.
 */

/** `10:12:05 UTC`, for a moment of today. */
export function clockTime(at: number): Html {
  const iso = new Date(at).toISOString();
  return html`<time datetime="${iso}" data-show="clock">${iso.slice(11, 19)} UTC</time>`;
}

/** `2026-12-01 10:12:05`. */
export function moment(at: number | null): Html {
  if (at === null) return html`<span class="quiet">never</span>`;
  const iso = new Date(at).toISOString();
  return html`<time datetime="${iso}" data-show="moment" title="${iso}">${iso.slice(0, 10)} ${iso.slice(11, 19)}</time>`;
}

/** `3 min ago`, with the moment itself behind it. */
export function ago(at: number | null, now: number): Html {
  if (at === null) return html`<span class="quiet">never</span>`;
  const iso = new Date(at).toISOString();
  return html`<time datetime="${iso}" data-show="ago" title="${iso}">${relative(at, now)}</time>`;
}

/** `now`, `12 s ago`, `3 h ago`, `in 5 min`. */
export function relative(at: number, now: number): string {
  const seconds = Math.round(Math.abs(now - at) / 1000);
  if (seconds < 1) return 'now';
  return at > now ? `in ${coarse(seconds)}` : `${coarse(seconds)} ago`;
}

function coarse(seconds: number): string {
  if (seconds < 60) return `${seconds} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min`;
  if (seconds < 86_400) return `${Math.floor(seconds / 3600)} h`;
  return `${Math.floor(seconds / 86_400)} d`;
}
