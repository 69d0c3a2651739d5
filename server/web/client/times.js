/**
 * Moments in the reader's own time. The server writes them in UTC, which stays behind each as its title.
 *
 * @param {ParentNode} root
 */
export function dressTimes(root) {
  for (const element of root.querySelectorAll('time[data-show]')) {
    const at = new Date(element.getAttribute('datetime') ?? '');
    const show = element.getAttribute('data-show');
    if (Number.isNaN(at.getTime())) continue;
    const text = show === 'ago' ? ago(at) : show === 'clock' ? clock(at) : `${day(at)} ${clock(at)}`;
    if (element.textContent !== text) element.textContent = text;
    if (show === 'ago') element.setAttribute('title', `${day(at)} ${clock(at)}`);
  }
}

/** @param {Date} at */
export function clock(at) {
  return [at.getHours(), at.getMinutes(), at.getSeconds()].map(two).join(':');
}

/** @param {Date} at */
function day(at) {
  return [at.getFullYear(), at.getMonth() + 1, at.getDate()].map(two).join('-');
}

/** @param {number} number */
function two(number) {
  return String(number).padStart(2, '0');
}

/** By how much the server's clock is ahead of the reader's, in milliseconds. */
let aheadMs = 0;
/** An answer says its time in whole seconds, and takes a moment to come. */
const SAME_MS = 3_000;

/** @param {Response} answer of the server, just now */
export function setClockBy(answer) {
  const ahead = Date.parse(answer.headers.get('date') ?? '') - Date.now();
  if (!Number.isNaN(ahead)) aheadMs = Math.abs(ahead) < SAME_MS ? 0 : ahead;
}

/** By the server's clock, which is not the reader's: what is a little ahead is now. @param {Date} at */
function ago(at) {
  const ms = Date.now() + aheadMs - at.getTime();
  const seconds = Math.round(Math.abs(ms) / 1000);
  if (seconds < 1 || (ms < 0 && seconds < 5)) return 'now';
  return ms < 0 ? `in ${coarse(seconds)}` : `${coarse(seconds)} ago`;
}

/** @param {number} seconds */
function coarse(seconds) {
  if (seconds < 60) return `${seconds} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min`;
  if (seconds < 86_400) return `${Math.floor(seconds / 3600)} h`;
  return `${Math.floor(seconds / 86_400)} d`;
}
