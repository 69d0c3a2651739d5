/**
 * The keyboard in lists: j and k, or the arrows, go from row to row; Enter opens; x ticks; / searches; ? says all of this. Nothing is
 * taken from who writes in a field, and nothing that comes with Ctrl, Alt or Meta.
 */

const HELP = [
  ['j, ↓', 'next row'],
  ['k, ↑', 'previous row'],
  ['Enter', 'open it'],
  ['x', 'tick it'],
  ['/', 'search'],
  ['Esc', 'leave the search'],
  ['?', 'these keys'],
];

/** Of the rows that lead somewhere. */
const rows = () => [...document.querySelectorAll('main tbody tr')].filter((row) => linkOf(row) !== null);

/** @param {Element} row @returns {HTMLAnchorElement | null} */
const linkOf = (row) => row.querySelector('th a[href]');

document.addEventListener('keydown', (event) => {
  if (event.defaultPrevented || event.ctrlKey || event.altKey || event.metaKey) return;
  const target = /** @type {Element} */ (event.target);
  if (event.key === 'Escape' && target.matches('form.filter input'))
    return /** @type {HTMLElement} */ (target).blur();
  if (isWritten(target) || document.querySelector('dialog[open]')) return;
  const act = ACTS[event.key];
  if (act?.(target)) event.preventDefault();
});

/** @type {Record<string, (target: Element) => boolean>} */
const ACTS = {
  j: () => step(1),
  ArrowDown: (target) => isInList(target) && step(1),
  k: () => step(-1),
  ArrowUp: (target) => isInList(target) && step(-1),
  x: tick,
  '/': search,
  '?': help,
};

/** @param {Element} element */
function isWritten(element) {
  if (element instanceof HTMLInputElement) return !['checkbox', 'button', 'submit'].includes(element.type);
  return element.matches('textarea, select, [contenteditable]');
}

/** Arrows scroll a page, unless somebody goes through its rows. @param {Element} target */
function isInList(target) {
  return target.closest('main tbody tr') !== null;
}

/** @param {number} by */
function step(by) {
  const all = rows();
  const now = all.findIndex((row) => row.contains(document.activeElement));
  const row = now === -1 ? all[by > 0 ? 0 : all.length - 1] : all[now + by];
  const link = row && linkOf(row);
  if (!link) return all.length > 0;
  link.focus({ preventScroll: true });
  row.scrollIntoView({ block: 'nearest' });
  return true;
}

/** @param {Element} target */
function tick(target) {
  const box = target.closest('main tbody tr')?.querySelector('input[type=checkbox]');
  if (!(box instanceof HTMLInputElement)) return false;
  box.click();
  return true;
}

function search() {
  const field = document.querySelector('form.filter input');
  if (!(field instanceof HTMLInputElement)) return false;
  field.focus();
  field.select();
  return true;
}

/** Only where there are rows: elsewhere the keys do nothing. */
function help() {
  if (rows().length === 0) return false;
  const dialog = document.createElement('dialog');
  dialog.className = 'keys';
  dialog.setAttribute('aria-labelledby', 'keys-title');
  const title = document.createElement('h2');
  title.id = 'keys-title';
  title.textContent = 'Keys';
  const list = document.createElement('dl');
  list.className = 'facts';
  for (const [keys = '', what = ''] of HELP) {
    const [pair, name, does] = [
      document.createElement('div'),
      document.createElement('dt'),
      document.createElement('dd'),
    ];
    name.textContent = keys;
    does.textContent = what;
    pair.append(name, does);
    list.append(pair);
  }
  const close = document.createElement('button');
  close.textContent = 'Close';
  close.addEventListener('click', () => dialog.close());
  dialog.append(title, list, close);
  dialog.addEventListener('close', () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
  return true;
}
