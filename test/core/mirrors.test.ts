import { expect, test } from 'vitest';
import { mirrorsByLabels } from '../../server/core/mirrors.ts';

const named = (selector: string, url: string) => ({ name: url, selector, url });

test('the first mirror that fits the labels counts', () => {
  const of = mirrorsByLabels([
    named('site=fra,rack in (r1, r2)', 'http://rack'),
    named('site=fra', 'http://site'),
    named('!!', 'http://unreadable'),
    named('', 'http://any'),
  ]);
  expect([{ site: 'fra', rack: 'r2' }, { site: 'fra' }, {}].map(of)).toEqual([
    'http://rack',
    'http://site',
    'http://any',
  ]);
  expect(mirrorsByLabels([named('site=fra', 'http://site')])({})).toBeNull();
});
