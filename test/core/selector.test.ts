import { describe, expect, test } from 'vitest';
import { matchesSelector, parseSelector, type Selector } from '../../server/core/selector.ts';

function selector(text: string): Selector {
  const parsed = parseSelector(text);
  if ('refused' in parsed) throw new Error(parsed.refused);
  return parsed as Selector;
}

const HOSTS = {
  r1: { rack: 'r1', role: 'web' },
  r2: { rack: 'r2', role: 'db', spare: '' },
  bare: {},
  dotted: { 'example.com/zone': 'eu-west_1.b', in: 'in' },
};

describe('which hosts', () => {
  test.each([
    ['', ['r1', 'r2', 'bare', 'dotted']],
    ['  ', ['r1', 'r2', 'bare', 'dotted']],
    ['rack=r1', ['r1']],
    ['rack==r1', ['r1']],
    [' rack = r1 , role = web ', ['r1']],
    ['rack=r1,role=db', []],
    // As in Kubernetes: a host without the label is none with that value.
    ['rack!=r1', ['r2', 'bare', 'dotted']],
    ['rack in (r1, r2)', ['r1', 'r2']],
    ['rack in(r1)', ['r1']],
    ['rack notin (r1)', ['r2', 'bare', 'dotted']],
    ['rack notin (r1),rack', ['r2']],
    ['rack', ['r1', 'r2']],
    ['!rack', ['bare', 'dotted']],
    ['! rack', ['bare', 'dotted']],
    ['spare=', ['r2']],
    ['spare in ()', ['r2']],
    ['example.com/zone=eu-west_1.b', ['dotted']],
    ['in in (in)', ['dotted']],
    ['constructor', []],
    ['toString=x', []],
  ])('%j', (text, names) => {
    const chosen = Object.entries(HOSTS).filter(([, labels]) => matchesSelector(selector(text), labels));
    expect(chosen.map(([name]) => name)).toEqual(names);
  });
});

test.each([
  ['rack=r1,', 'there is nothing between two commas, or at an end'],
  [',', 'there is nothing between two commas, or at an end'],
  [
    'rack in r1',
    '"rack in r1": the values of "in" and "notin" stand in parentheses, as in "rack in (r1, r2)"',
  ],
  ['rack in (r1', '"rack in (r1": the values of "in" and "notin" stand in parentheses'],
  ['rack > 3', '"rack > 3" is no term: write KEY=VALUE'],
  ['=r1', '"=r1" is no term'],
  ['rack=a=b', '"rack=a=b" is no term'],
  ['rack=a b', '"rack=a b": "a b" cannot be the value of a label'],
  ['!', '"!" is no term'],
  [`a=${'b'.repeat(1100)}`, 'it is longer than 1024 characters'],
])('%j is refused', (text, sentence) => {
  const parsed = parseSelector(text);
  expect('refused' in parsed && parsed.refused).toContain(sentence);
});
