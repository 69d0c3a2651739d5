import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { knownRecipes } from '../../server/build/known-recipes.ts';

test('folders with an image.json, in the order of their names; what cannot be read is there', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'warmboot-recipes-'));
  const put = (name: string, text: string | null) => {
    mkdirSync(join(folder, name));
    if (text !== null) writeFileSync(join(folder, name, 'image.json'), text);
  };
  put('web', '{"kind": "os", "filesystem": {"type": "xfs", "size": "2GiB"}}');
  put('agent', '{"kind": "tool"}');
  put('broken', '{');
  put('disks', null);
  put('No Name', '{"kind": "tool"}');
  writeFileSync(join(folder, 'file'), '');
  expect(await knownRecipes(folder)).toEqual([
    { name: 'agent', kind: 'tool', filesystem: null },
    { name: 'broken', kind: null, filesystem: null },
    { name: 'web', kind: 'os', filesystem: { type: 'xfs', bytes: 2 * 1024 ** 3 } },
  ]);
  rmSync(folder, { recursive: true });
  expect(await knownRecipes(folder)).toEqual([]);
});

test('those of this repository', async () => {
  const names = (await knownRecipes('images')).map(({ name }) => name);
  expect(names).toEqual(expect.arrayContaining(['agent', 'debian-13', 'installer']));
  expect(names).not.toContain('disks');
});
