import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { MADE, withMadeParts } from '../../docs/host-lifecycle.ts';

const page = readFileSync(new URL('../../docs/host-lifecycle.md', import.meta.url), 'utf8');

test('the diagrams and tables of the page are those that the server goes by', () => {
  expect(withMadeParts(page), 'run: node docs/host-lifecycle.ts').toBe(page);
});

test('every part that is made has its place', () => {
  expect([...page.matchAll(/<!-- made: (.*?) -->/g)].map(([, part]) => part).sort()).toEqual(
    [...MADE].sort(),
  );
});
