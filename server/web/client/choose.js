/** Ticking rows: how many are ticked, all of the page at once, and what is done is meant for the ticked ones as soon as one is. */

const form = document.getElementById('chosen');

/** @returns {HTMLInputElement[]} */
const boxes = () => [
  .../** @type {NodeListOf<HTMLInputElement>} */ (document.querySelectorAll('input[name=mac][form=chosen]')),
];

if (form instanceof HTMLFormElement) {
  const output = form.querySelector('[data-ticked]');
  const say = () => {
    const ticked = boxes().filter(({ checked }) => checked).length;
    if (output) output.textContent = ticked === 0 ? '' : `(${ticked})`;
    const all = document.querySelector('[data-all]');
    if (all instanceof HTMLInputElement) {
      // Without a script it would do nothing.
      all.hidden = false;
      all.checked = ticked > 0 && ticked === boxes().length;
      all.indeterminate = ticked > 0 && !all.checked;
    }
  };
  document.addEventListener('change', ({ target }) => {
    if (!(target instanceof HTMLInputElement)) return;
    if (target.matches('[data-all]')) for (const box of boxes()) box.checked = target.checked;
    else if (!boxes().includes(target)) return;
    const who = form.elements.namedItem('who');
    if (who instanceof RadioNodeList) who.value = 'ticked';
    say();
  });
  // Rows that are not there any more are not ticked any more.
  document.addEventListener('warmboot:news', say);
  // A browser that goes back keeps what was ticked.
  window.addEventListener('pageshow', say);
  say();
}
