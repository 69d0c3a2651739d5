import { follow, Gone, LoggedOut } from './follow.js';

/** The log of a build that runs: lines are added as they come, and the newest stays in sight unless somebody scrolled up. */

/** Older ones go. */
const MOST_LINES = 5_000;
const FIRST_WAIT_MS = 500;
const MOST_WAIT_MS = 8_000;

const box = /** @type {HTMLElement} */ (document.getElementById('log'));
const list = /** @type {HTMLElement} */ (box.querySelector('ol'));
const { log = '', last = '0' } = box.dataset;
let lastId = last;
let isOver = false;

/** @param {number} ms */
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

const isAtEnd = () => box.scrollHeight - box.scrollTop - box.clientHeight < 40;

/** @param {{ phase: string, message: string, note?: boolean, log?: boolean, bytesDone?: number, bytesTotal?: number }} entry */
function add({ phase, message, note, log: isSaid, bytesDone, bytesTotal }) {
  const wasAtEnd = isAtEnd();
  const newest = list.lastElementChild;
  const line = document.createElement('li');
  line.className = note ? 'note' : isSaid ? 'said' : 'step';
  const text = document.createElement('span');
  text.className = 'text';
  text.textContent = visible(message + amount(bytesDone, bytesTotal));
  const where = document.createElement('span');
  where.className = 'phase';
  where.textContent = phase;
  line.append(where, ' ', text);
  if (bytesDone !== undefined) line.dataset.progress = phase;
  // Of progress only the newest counts.
  if (newest instanceof HTMLElement && bytesDone !== undefined && newest.dataset.progress === phase)
    newest.replaceWith(line);
  else list.append(line);
  while (list.childElementCount > MOST_LINES) list.firstElementChild?.remove();
  if (wasAtEnd) box.scrollTop = box.scrollHeight;
}

/** @param {number | undefined} done @param {number | undefined} total */
function amount(done, total) {
  if (done === undefined) return '';
  const mebibytes = (/** @type {number} */ bytes) => `${(bytes / 1024 ** 2).toFixed(1)} MiB`;
  return total === undefined ? ` (${mebibytes(done)})` : ` (${mebibytes(done)} of ${mebibytes(total)})`;
}

/** As the server's pages show what no eye sees, or what turns the direction of writing. @param {string} text */
function visible(text) {
  return text.replace(
    /[^\P{Cc}\n\r\t]|\p{Bidi_Control}|\p{Cs}/gu,
    (each) => `\\u{${each.codePointAt(0)?.toString(16)}}`,
  );
}

async function connect() {
  let waitMs = FIRST_WAIT_MS;
  while (!isOver) {
    try {
      await follow(log, lastId, new AbortController().signal, {
        opened() {
          waitMs = FIRST_WAIT_MS;
        },
        event(id, kind, data) {
          if (kind === 'end') isOver = true;
          if (kind !== 'entry') return;
          lastId = id ?? lastId;
          add(JSON.parse(data));
        },
      });
    } catch (error) {
      // The page's status says so.
      if (error instanceof LoggedOut || error instanceof Gone) return;
    }
    if (isOver) return;
    await pause(waitMs * (0.75 + Math.random() / 2));
    waitMs = Math.min(MOST_WAIT_MS, waitMs * 2);
  }
}

if (log !== '') {
  box.scrollTop = box.scrollHeight;
  connect();
}
