import { follow, LoggedOut } from './follow.js';
import { isTouched, takeOver } from './take-over.js';
import { clock, dressTimes } from './times.js';

/**
 * Keeps a page as the fleet is: it follows the events that the page names, and at each asks for the same page once more and takes
 * over what changed in its `data-live` parts. Says at the top whether that works, and else of when the data is.
 */

/** Between two looks; a page that takes long to make is asked for less often. */
const LEAST_PAUSE_MS = 600;
/** What happens together is shown together. */
const TOGETHER_MS = 40;
const PATIENCE_MS = 20_000;
const FIRST_WAIT_MS = 500;
const MOST_WAIT_MS = 8_000;
/** Somebody who looks elsewhere for a moment keeps the connection; browsers have few of them for a server. */
const HIDDEN_MS = 10_000;

const { stream = '', at = '', build } = document.body.dataset;
const status = /** @type {HTMLElement} */ (document.getElementById('live'));
/** When the server read what is shown. */
let dataOf = new Date(Number(at));
let isFollowing = false;
let isBehind = false;
let isOver = false;
/** @type {string | null} */
let lastId = null;
/** While something moves without events: so often, in milliseconds. */
let { every } = document.body.dataset;
const AT_REST_MS = 1_000;

/** @param {number} ms */
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

function untilSeen() {
  if (!document.hidden) return Promise.resolve();
  return new Promise((resolve) => {
    const onChange = () => {
      if (document.hidden) return;
      document.removeEventListener('visibilitychange', onChange);
      resolve(undefined);
    };
    document.addEventListener('visibilitychange', onChange);
  });
}

/** Spoken by screen readers when it changes, and so it changes only with the state. */
function say() {
  const isLive = isFollowing && !isBehind;
  const state = isOver ? 'over' : isLive ? 'live' : 'stale';
  const text = isLive ? 'Live' : `Reconnecting. Data of ${clock(dataOf)}`;
  if (!isOver && status.textContent !== text) status.textContent = text;
  document.documentElement.dataset.state = state;
}

/** @param {string} text @param {string} href @param {string} label */
function end(text, href, label) {
  isOver = true;
  const link = document.createElement('a');
  link.href = href;
  link.textContent = label;
  status.replaceChildren(`${text} Data of ${clock(dataOf)}. `, link);
  say();
}

/** The server was updated: what this page is made of no longer fits. What somebody has begun to write is left to them. */
function renew() {
  const fields = [...document.querySelectorAll('input, textarea, select')];
  if (!fields.some(isTouched)) return location.reload();
  end('The server was updated.', location.href, 'Load the page again');
}

const loggedOut = () =>
  end(
    'The session is over.',
    `/login?to=${encodeURIComponent(location.pathname + location.search)}`,
    'Log in',
  );

let isLooking = false;
let isWanted = false;

async function look() {
  isWanted = true;
  if (isLooking) return;
  isLooking = true;
  await pause(TOGETHER_MS);
  while (isWanted && !document.hidden && !isOver) {
    isWanted = false;
    const began = performance.now();
    await load();
    await pause(Math.max(LEAST_PAUSE_MS, 2 * (performance.now() - began)));
  }
  isLooking = false;
}

async function load() {
  try {
    const answer = await fetch(location.pathname + location.search, {
      headers: { accept: 'text/html', 'warmboot-again': '1' },
      redirect: 'manual',
      cache: 'no-store',
      signal: AbortSignal.timeout(PATIENCE_MS),
    });
    if (answer.type === 'opaqueredirect') return loggedOut();
    if (answer.status === 404) return end('What this page shows is gone.', location.href, 'Load it again');
    if (!answer.ok) throw new Error(`status ${answer.status}`);
    const page = new DOMParser().parseFromString(await answer.text(), 'text/html');
    if (page.body.dataset.build !== build) return renew();
    dressTimes(page);
    for (const part of document.querySelectorAll('[data-live]')) {
      const fresh = page.querySelector(`[data-live="${part.getAttribute('data-live')}"]`);
      if (fresh) takeOver(part, fresh);
    }
    document.title = page.title;
    every = page.body.dataset.every;
    dataOf = new Date(Number(page.body.dataset.at));
    document.dispatchEvent(new Event('warmboot:news'));
    isBehind = false;
  } catch {
    isBehind = true;
    isWanted = true;
    await pause(FIRST_WAIT_MS);
  }
  say();
}

async function connect() {
  let waitMs = FIRST_WAIT_MS;
  for (let isFirst = true; !isOver; isFirst = false) {
    await untilSeen();
    const hidden = new AbortController();
    const stopWatching = abortWhenHidden(hidden);
    try {
      await follow(stream, lastId, hidden.signal, {
        opened() {
          isFollowing = true;
          waitMs = FIRST_WAIT_MS;
          // What happened in between is told by the stream, but not what happened to the log itself.
          if (!isFirst) look();
          say();
        },
        event(id) {
          lastId = id ?? lastId;
          look();
        },
      });
    } catch (error) {
      if (error instanceof LoggedOut) return loggedOut();
    } finally {
      stopWatching();
    }
    isFollowing = false;
    if (hidden.signal.aborted) continue;
    say();
    await pause(waitMs * (0.75 + Math.random() / 2));
    waitMs = Math.min(MOST_WAIT_MS, waitMs * 2);
  }
}

/** What moves begins and ends while the page is open. */
function lookAgain() {
  setTimeout(
    () => {
      if (every !== undefined && !document.hidden) look();
      lookAgain();
    },
    Number(every ?? AT_REST_MS),
  );
}

/** @param {AbortController} controller */
function abortWhenHidden(controller) {
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer;
  const onChange = () => {
    clearTimeout(timer);
    if (document.hidden) timer = setTimeout(() => controller.abort(), HIDDEN_MS);
    else look();
  };
  document.addEventListener('visibilitychange', onChange);
  return () => {
    clearTimeout(timer);
    document.removeEventListener('visibilitychange', onChange);
  };
}

if (stream !== '') {
  connect();
  lookAgain();
}
