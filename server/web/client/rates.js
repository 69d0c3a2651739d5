/**
 * How fast bytes move and how long the rest takes, from one report of the host to the next: the server tells how many there were when,
 * and nothing is said before there were two. What lies back counts less and less, so that it neither jumps nor lags.
 */

const MEMORY_MS = 5_000;
const LEAST_MS = 200;
/** More is not an estimate but a halt. */
const MOST_MS = 86_400_000;
const UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];

/** @typedef {{ at: number, done: number, sum: number, weight: number }} Pace */

/** By what is being done. @type {Map<string, Pace>} */
let paces = new Map();

function look() {
  /** @type {Map<string, Pace>} */
  const now = new Map();
  for (const element of document.querySelectorAll('[data-rate]')) {
    const { rate: key = '', done = '', total = '', at = '' } = /** @type {HTMLElement} */ (element).dataset;
    const pace = paced(paces.get(key), Number(done), Number(at));
    now.set(key, pace);
    const text = element.querySelector('.rate');
    if (text) text.textContent = words(pace, Number(total) - Number(done));
  }
  paces = now;
}

/**
 * @param {Pace | undefined} before
 * @param {number} done bytes
 * @param {number} at when the host said so, in milliseconds
 * @returns {Pace}
 */
export function paced(before, done, at) {
  // Less than before: something else has begun.
  if (before === undefined || done < before.done) return { at, done, sum: 0, weight: 0 };
  const ms = at - before.at;
  if (ms < LEAST_MS) return before;
  const kept = Math.exp(-ms / MEMORY_MS);
  return {
    at,
    done,
    sum: before.sum * kept + ((done - before.done) / ms) * (1 - kept),
    weight: before.weight * kept + (1 - kept),
  };
}

/**
 * `12 MiB/s, 2 min 10 s left`; nothing while too little is known.
 *
 * @param {Pace} pace
 * @param {number} rest bytes
 */
export function words({ sum, weight }, rest) {
  if (weight === 0) return '';
  const perMs = sum / weight;
  const left = perMs > 0 ? rest / perMs : MOST_MS;
  const speed = `${amount(perMs * 1000)}/s`;
  return rest > 0 && left < MOST_MS ? `${speed}, ${time(left)} left` : speed;
}

/** @param {number} bytes */
function amount(bytes) {
  let value = bytes;
  let unit = 0;
  while (Math.round(value) >= 1000 && unit < UNITS.length - 1) {
    value /= 1024;
    unit += 1;
  }
  return `${value.toFixed(unit === 0 || value >= 9.95 ? 0 : 1)} ${UNITS[unit]}`;
}

/** An estimate has no fractions, and is never nothing. @param {number} ms */
function time(ms) {
  const seconds = Math.max(1, Math.round(ms / 1000));
  if (seconds < 60) return `${seconds} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
  return `${Math.floor(seconds / 3600)} h ${Math.floor((seconds % 3600) / 60)} min`;
}

if (typeof document !== 'undefined') {
  document.addEventListener('warmboot:news', look);
  look();
}
