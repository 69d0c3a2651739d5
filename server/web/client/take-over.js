/**
 * Makes a part of this page as the same part of a newer page is, touching only what differs: what has the focus, is selected, opened,
 * ticked or half typed stays so. Elements with `data-key` or `id` are found again wherever they went.
 *
 * @param {Element} now
 * @param {Element} wanted
 */
export function takeOver(now, wanted) {
  const focused = document.activeElement;
  const hadFocus = focused !== null && now.contains(focused);
  match(now, wanted);
  if (!hadFocus || focused === document.activeElement || !(focused instanceof HTMLElement)) return;
  // It was moved, which takes the focus away, or is gone: then the part itself has it, and the keyboard goes on from there.
  const heir = focused.isConnected ? focused : now.closest('main');
  if (heir instanceof HTMLElement) heir.focus({ preventScroll: true });
}

/**
 * @param {Element} now
 * @param {Element} wanted
 */
function match(now, wanted) {
  matchAttributes(now, wanted);
  // What is written in it is the user's; its attributes say what it would be reset to.
  const isChosen = now instanceof HTMLSelectElement && (now === document.activeElement || isTouched(now));
  if (isChosen || (now instanceof HTMLTextAreaElement && isTouched(now))) return;
  matchChildren(now, wanted);
}

/**
 * @param {Element} now
 * @param {Element} wanted
 */
function matchAttributes(now, wanted) {
  for (const { name, value } of wanted.attributes)
    if (!isUsers(now, name) && now.getAttribute(name) !== value) now.setAttribute(name, value);
  for (const { name } of [...now.attributes])
    if (!isUsers(now, name) && !wanted.hasAttribute(name)) now.removeAttribute(name);
}

/**
 * What people open is theirs. `value` and `checked` are only what a field is reset to: one that was touched keeps its own.
 *
 * @param {Element} element
 * @param {string} name
 */
function isUsers(element, name) {
  return (name === 'open' && element instanceof HTMLDetailsElement) || name === 'data-mine';
}

/**
 * Whether somebody has written, ticked or chosen something else than the page came with.
 *
 * @param {Element} field
 */
export function isTouched(field) {
  if (field instanceof HTMLSelectElement) {
    const first = [...field.options].findIndex((each) => each.defaultSelected);
    return field.selectedIndex !== Math.max(0, first);
  }
  if (field instanceof HTMLTextAreaElement) return field.value !== field.defaultValue;
  if (!(field instanceof HTMLInputElement)) return false;
  return field.checked !== field.defaultChecked || field.value !== field.defaultValue;
}

/**
 * @param {Element} now
 * @param {Element} wanted
 */
function matchChildren(now, wanted) {
  const kept = new Set([...wanted.children].map(keyOf));
  /** @type {Map<string, Element>} */
  const keyed = new Map();
  for (const child of [...now.children]) {
    const key = keyOf(child);
    if (key === null) continue;
    // Gone first, so that those that stay in order need not be moved.
    if (kept.has(key)) keyed.set(key, child);
    else child.remove();
  }
  /** @type {ChildNode | null} */
  let at = now.firstChild;
  for (const child of [...wanted.childNodes]) {
    const key = child instanceof Element ? (keyOf(child) ?? '') : '';
    const known = keyed.get(key);
    // A page with one key twice is a mistake, and is shown whole all the same.
    keyed.delete(key);
    const same = known?.nodeName === child.nodeName ? known : at !== null && isAlike(at, child) ? at : null;
    if (same === null) {
      now.insertBefore(document.importNode(child, true), at);
      continue;
    }
    if (same === at) at = at.nextSibling;
    else now.insertBefore(same, at);
    if (same instanceof Element && child instanceof Element) match(same, child);
    else if (same.nodeValue !== child.nodeValue) same.nodeValue = child.nodeValue;
  }
  while (at !== null) {
    const next = at.nextSibling;
    at.remove();
    at = next;
  }
}

/**
 * @param {ChildNode} now
 * @param {ChildNode} wanted
 */
function isAlike(now, wanted) {
  if (now.nodeName !== wanted.nodeName) return false;
  return (
    !(now instanceof Element && wanted instanceof Element) || (keyOf(now) === null && keyOf(wanted) === null)
  );
}

/** @param {Element} element */
function keyOf(element) {
  return element.getAttribute('data-key') ?? (element.id === '' ? null : `#${element.id}`);
}
