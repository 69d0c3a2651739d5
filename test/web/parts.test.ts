import { describe, expect, test } from 'vitest';
import { at, queryText } from '../../server/web/api.ts';
import { html } from '../../server/web/html.ts';
import { count } from '../../server/web/parts/amounts.ts';
import { badge } from '../../server/web/parts/badge.ts';
import { confirm } from '../../server/web/parts/confirm.ts';
import { button, checkbox, select, textField } from '../../server/web/parts/form.ts';
import { pager } from '../../server/web/parts/pager.ts';
import { progress } from '../../server/web/parts/progress.ts';
import { table } from '../../server/web/parts/table.ts';
import { relative } from '../../server/web/parts/time.ts';
import { bytes, duration, percent } from '../../server/words/quantity.ts';

const EVIL = `<b>"&'\u202e\u0000`;
const TEXT = '&lt;b&gt;&quot;&amp;&#39;\\u{202e}\\u{0}';
const visit = { formToken: 'token"' };

function confirmation(by: object) {
  return confirm(by as never, { action: EVIL, deed: EVIL, what: EVIL, back: EVIL, tone: 'danger' });
}

describe('what is put into a template', () => {
  test('is text, in lists too', () => {
    expect(String(html`<i title="${EVIL}">${[EVIL, [html`<u>${EVIL}</u>`]]}</i>`)).toBe(
      `<i title="${TEXT}">${TEXT}<u>${TEXT}</u></i>`,
    );
  });
  test('is nothing for null, undefined and false; 0 is a number', () => {
    expect(String(html`${null}${undefined}${false}${0}`)).toBe('0');
  });
  test.each([
    ['badge', badge(EVIL)],
    ['select', select('a', EVIL, [EVIL, { value: EVIL, label: EVIL }], EVIL)],
    ['text field', textField('a', EVIL, EVIL)],
    ['checkbox', checkbox('a', EVIL, true, EVIL)],
    ['button', button(visit, `/x?${EVIL}`, EVIL, { hidden: { a: EVIL } })],
    ['progress', progress(EVIL, 1, 2)],
    ['pager', pager('/x', { q: EVIL }, { isFirst: false, next: EVIL })],
    [
      'table',
      table(
        EVIL,
        [
          { head: EVIL, cell: () => EVIL, names: true },
          { head: EVIL, cell: () => EVIL },
        ],
        [1],
        () => EVIL,
      ),
    ],
    ['confirmation', confirmation({ ...visit, mayOperate: true })],
    ['confirmation for others', confirmation({ ...visit, mayOperate: false, session: { role: EVIL } })],
  ])('is text in a %s', (_, part) => {
    const text = String(part);
    expect(text).not.toContain('<b>');
    expect(text.replaceAll(/"[^"<>]*"/g, '')).not.toContain('"');
    expect(['\u202e', '\0'].filter((unseen) => text.includes(unseen))).toEqual([]);
  });
});

test('a form carries the token of the session, and a number of its own', () => {
  const [one, other] = [1, 2].map(() => String(button(visit, '/x', 'Retry')));
  expect(one).toContain('<input type="hidden" name="form" value="token&quot;">');
  const once = /name="once" value="([\w-]{36})"/;
  expect(once.exec(one ?? '')?.[1]).not.toBe(once.exec(other ?? '')?.[1]);
});

test('a list of one page has no pager; the last page leads back', () => {
  expect(pager('/x', {}, { isFirst: true, next: null })).toBeNull();
  expect(String(pager('/x', { state: ['a', 'b'] }, { isFirst: true, next: 'n+1' }))).toContain(
    'href="/x?state=a&amp;state=b&amp;cursor=n%2B1"',
  );
  expect(String(pager('/x', {}, { isFirst: false, next: null }))).not.toContain('Next');
});

test('addresses keep what is put into them in its place', () => {
  expect(at`/api/v1/hosts/${'../tokens?x#y'}/next`).toBe('/api/v1/hosts/..%2Ftokens%3Fx%23y/next');
  expect(queryText({ a: '', b: undefined, c: [], d: 'x y', e: 0 })).toBe('?d=x+y&e=0');
});

test('amounts', () => {
  expect([0, 999, 1000, 1_572_864, 327_155_712].map(bytes)).toEqual([
    '0 B',
    '999 B',
    '1.0 KiB',
    '1.5 MiB',
    '312 MiB',
  ]);
  expect([-1, 850, 3200, 47_000, 310_000, 7_500_000, 273_600_000].map(duration)).toEqual([
    '0 ms',
    '850 ms',
    '3.2 s',
    '47 s',
    '5 min 10 s',
    '2 h 5 min',
    '3 d 4 h',
  ]);
  expect([percent(0, 0), percent(999, 1000), percent(1, 1)]).toEqual([0, 99, 100]);
  expect([count(1, 'host'), count(1200, 'host')]).toEqual(['1 host', '1,200 hosts']);
  expect([relative(5, 5), relative(0, 61_000), relative(7_200_000, 0)]).toEqual([
    'now',
    '1 min ago',
    'in 2 h',
  ]);
});
