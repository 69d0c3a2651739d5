import { expect, test } from 'vitest';
import { notices } from '../../server/web/notices.ts';
import { ownPath, pathOf } from '../../server/web/own-path.ts';

const told = (text: string) => ({ tone: 'good', text }) as const;

test('a notice is told once, by the page that it is for, to the session that it is for', () => {
  const left = notices(() => 0);
  left.leave('me', '/hosts', told('one'));
  left.leave('me', '/events', told('other'));
  left.leave('you', '/hosts', told('yours'));
  expect(left.take('me', '/hosts')).toEqual([told('one')]);
  expect(left.take('me', '/hosts')).toEqual([]);
  expect(left.take('me', '/events')).toEqual([told('other')]);
  expect(left.take('you', '/hosts')).toEqual([told('yours')]);
});

test('what nobody comes for is forgotten, and there is a bound to it', () => {
  let now = 0;
  const left = notices(() => now);
  left.leave('me', '/', told('old'));
  now = 120_000;
  expect(left.take('me', '/')).toEqual([]);
  for (let at = 0; at < 20; at += 1) left.leave('me', '/', told(`${at}`.padEnd(5000, '.')));
  const kept = left.take('me', '/');
  expect([kept.length, kept[0]?.text.slice(0, 3), kept[0]?.text.length]).toEqual([10, '10.', 2000]);
  for (let at = 0; at < 1_001; at += 1) left.leave(`session ${at}`, '/', told('x'));
  expect(left.take('session 0', '/')).toEqual([]);
  expect(left.take('session 1000', '/')).toHaveLength(1);
});

test('only paths of this server are led to; a path is one however it is written', () => {
  expect(['/events?a=1', '//x', '/\\x', 'x', '', null].map(ownPath)).toEqual([
    '/events?a=1',
    '/',
    '/',
    '/',
    '/',
    '/',
  ]);
  const path = (text: string) => pathOf(new URL(text, 'http://localhost'));
  expect(path('/hosts/52%3A54')).toBe(path('/hosts/52:54'));
  expect(path('/hosts/%zz')).toBe('/hosts/%zz');
});
