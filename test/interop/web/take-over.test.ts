import fc from 'fast-check';
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Browsing, browsing } from './browser.ts';

/** `take-over.js` in the browser that it is for, on a page where nothing else happens. */
let web: Browsing;
let page: Page;
beforeAll(async () => {
  web = await browsing();
  page = await web.open({ token: null });
  await page.goto('/login');
});
afterAll(() => web.close());

/** Makes the part `now`, does something to it as a user would, lets it become `wanted`, and tells what is asked. */
function becomes<T>(now: string, wanted: string, doing = '', asked = 'part.innerHTML'): Promise<T> {
  const script = `async ([now, wanted]) => {
    const { takeOver } = await import('/static/take-over.js');
    const part = document.querySelector('main');
    part.innerHTML = now;
    const $ = (selector) => part.querySelector(selector);
    const before = { a: $('[data-key=a]'), b: $('[data-key=b]'), c: $('[data-key=c]') };
    ${doing};
    const fresh = new DOMParser().parseFromString('<main id="main" tabindex="-1">' + wanted + '</main>', 'text/html');
    takeOver(part, fresh.querySelector('main'));
    return ${asked};
  }`;
  return page.evaluate(`(${script})(${JSON.stringify([now, wanted])})`) as Promise<T>;
}

const row = (key: string, text = key) => `<p data-key="${key}"><a href="/${key}">${text}</a></p>`;
const rows = (keys: string) => [...keys].map((key) => row(key)).join('\n');

test('whatever a part was, it becomes what it shall be', async () => {
  const text = fc.stringMatching(/^[ -~]{0,8}$/).map((each) => each.replaceAll(/[&<>]/g, '.'));
  const { tree } = fc.letrec<{ tree: string; leaf: string; element: string }>((tie) => ({
    leaf: text,
    element: fc
      .record({
        tag: fc.constantFrom('p', 'span', 'b', 'svg'),
        key: fc.option(fc.constantFrom('a', 'b', 'c', 'd')),
        title: fc.option(text.map((each) => each.replaceAll('"', "'"))),
        inner: fc.array(tie('tree'), { maxLength: 4 }),
      })
      .map(({ tag, key, title, inner }) => {
        const attributes = `${key === null ? '' : ` data-key="${key}"`}${title === null ? '' : ` title="${title}"`}`;
        return `<${tag}${attributes}>${inner.join('')}</${tag}>`;
      }),
    tree: fc.oneof({ depthSize: 'small' }, tie('leaf'), tie('element')),
  }));
  const part = fc.array(tree, { maxLength: 6 }).map((parts) => parts.join(''));
  await fc.assert(
    fc.asyncProperty(part, part, async (now, wanted) => {
      const [became, shall] = await becomes<[string, string]>(
        now,
        wanted,
        '',
        `[part.innerHTML, fresh.querySelector('main').innerHTML]`,
      );
      expect(became).toBe(shall);
    }),
    { numRuns: 200 },
  );
});

describe('what a user has done stays', () => {
  test('rows that stay are the same elements, wherever they went', async () => {
    expect(
      await becomes(
        rows('abc'),
        rows('xcay'),
        '',
        `[$('[data-key=a]') === before.a, $('[data-key=c]') === before.c]`,
      ),
    ).toEqual([true, true]);
  });

  test('the focus goes along with its row, and back to the page when its row is gone', async () => {
    const focused = `document.activeElement.textContent === 'a' || document.activeElement.tagName`;
    expect(await becomes(rows('abc'), rows('bca'), `before.a.firstChild.focus()`, focused)).toBe(true);
    expect(await becomes(rows('abc'), rows('xyzabc'), `before.a.firstChild.focus()`, focused)).toBe(true);
    expect(
      await becomes(rows('abc'), rows('bc'), `part.tabIndex = -1; before.a.firstChild.focus()`, focused),
    ).toBe('MAIN');
  });

  test('half-typed text, the place in it, a tick, a choice', async () => {
    const form = (value: string) =>
      `<input name="t" value="${value}"><input name="c" type="checkbox"><textarea>${value}</textarea><select><option>one</option><option>two</option>${value === '' ? '' : `<option>${value}</option>`}</select>`;
    const doing = `$('[name=t]').value = 'half'; $('[name=t]').focus(); $('[name=t]').setSelectionRange(1, 3);
      $('[name=c]').checked = true; $('textarea').value = 'mine'; $('select').selectedIndex = 1`;
    const asked = `[$('[name=t]').value, $('[name=t]').selectionStart, $('[name=t]').selectionEnd, $('[name=c]').checked,
      $('textarea').value, $('select').value, document.activeElement.name]`;
    expect(await becomes(form(''), form('new'), doing, asked)).toEqual([
      'half',
      1,
      3,
      true,
      'mine',
      'two',
      't',
    ]);
  });

  test('what nobody touched follows', async () => {
    const form = (value: string) =>
      `<input name="t" value="${value}"><input type="hidden" name="once" value="${value}"><textarea>${value}</textarea><select><option>${value}</option></select>`;
    const asked = `[$('[name=t]').value, $('[name=once]').value, $('textarea').value, $('select').value]`;
    expect(await becomes(form('old'), form('new'), '', asked)).toEqual(['new', 'new', 'new', 'new']);
  });

  test('what was opened stays open, and what was closed closed', async () => {
    const details = (open: boolean) =>
      `<details data-key="a"${open ? ' open' : ''}><summary>s</summary>x</details>`;
    const asked = `$('details').open`;
    expect(await becomes(details(false), details(false), `$('details').open = true`, asked)).toBe(true);
    expect(await becomes(details(true), details(true), `$('details').open = false`, asked)).toBe(false);
  });

  test('text that is selected, while other text changes', async () => {
    const doing = `getSelection().selectAllChildren(before.b)`;
    expect(await becomes(rows('abc'), rows('xabcd'), doing, `getSelection().toString()`)).toBe('b');
  });
});

test('no script of a new part runs', async () => {
  const evil = `<p>new</p><script>window.ran = 1</script>`;
  expect(
    await becomes('', evil, '', `new Promise((r) => setTimeout(() => r(window.ran ?? 'nothing'), 200))`),
  ).toBe('nothing');
});
