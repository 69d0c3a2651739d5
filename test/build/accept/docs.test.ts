import { readdirSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';

/** The names under which the checks refuse, as the sources have them. */
const names = readdirSync('server/build/accept', { recursive: true, encoding: 'utf8' })
  .filter(
    (file) => file.endsWith('-checks.ts') || file.endsWith('-check.ts') || file.endsWith('label-tree.ts'),
  )
  .flatMap((file) => {
    const text = readFileSync(`server/build/accept/${file}`, 'utf8');
    return [...text.matchAll(/(?:failure\(|demand\([^']*?(?:'[^']*'[^']*?\),)?)\s*'([a-z-]+)',/g)].map(
      ([, name]) => name ?? '',
    );
  });

test('every check stands in the page on images', () => {
  const page = readFileSync('docs/images.md', 'utf8');
  expect(new Set(names).size).toBeGreaterThan(20);
  expect(names.filter((name) => !page.includes(`\`${name}\``))).toEqual([]);
});
