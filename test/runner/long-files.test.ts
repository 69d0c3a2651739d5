import { readdirSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { inCheckout } from '../../lab/paths.ts';
import { fitInto, LONG_FILES, longFilesFor } from './long-files.ts';

const textOf = (file: string) =>
  readFileSync(inCheckout(file.endsWith('/') ? `${file}shell.ts` : file), 'utf8');
const names = (files: readonly { readonly file: string }[]) =>
  files.map(({ file }) => file.replace(/^test\/|\.test\.ts$/g, ''));

test('each long file is there once, and has small counts where the default tier runs it', () => {
  expect(new Set(LONG_FILES.map(({ file }) => file)).size).toBe(LONG_FILES.length);
  for (const { file, what } of LONG_FILES)
    if (what === 'counts') expect(textOf(file), file).toMatch(/runsAll/);
    else expect(textOf(file), file).toContain('test');
});

test('each file with full counts is in the table, so that a change can ask for them', () => {
  const listed = LONG_FILES.map(({ file }) => file);
  const files = readdirSync(inCheckout('test'), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.test.ts') && !name.startsWith('runner/'))
    .map((name) => `test/${name}`)
    .filter((file) => textOf(file).includes('runsAll('));
  expect(files.filter((file) => !listed.includes(file))).toEqual([]);
});

test('each area that may be touched is a path of the checkout', () => {
  const areas = new Set(LONG_FILES.flatMap(({ touchedBy }) => touchedBy));
  for (const area of areas) {
    const folder = area.slice(0, area.lastIndexOf('/') + 1);
    const found = readdirSync(inCheckout(folder || '.')).some((name) => `${folder}${name}/`.startsWith(area));
    expect(found, area).toBe(true);
  }
});

test.each([
  ['images/agent/rootfs/usr/lib/warmboot/stage.sh', 'e2e/broken-disk', 'interop/server-container'],
  ['lab/guest.ts', 'e2e/way-back', 'interop/build-killed'],
  ['server/tftp/transfer.ts', 'e2e/boot-paths', 'e2e/many-switches'],
  ['server/store/database.ts', 'interop/rollout-killed', 'interop/hard-tar'],
  ['migrations/0001_first.sql', 'interop/restore-killed', 'interop/web/fleet'],
  ['server/blobs/pack.ts', 'interop/store-killed', 'interop/once-killed'],
  ['packaging/Containerfile', 'interop/server-container', 'e2e/identity'],
  ['test/interop/hard-tar.test.ts', 'interop/hard-tar', 'interop/build-killed'],
])('a change of %s asks for %s, and not for %s', (path, wanted, other) => {
  const found = names(longFilesFor([path]));
  expect(found).toContain(wanted);
  expect(found).not.toContain(other);
});

test('documentation asks for none', () => {
  expect(longFilesFor(['docs/cli.md', 'README.md', 'CHANGELOG.md'])).toEqual([]);
});

test('what does not fit is named, and leaves room for what is shorter', () => {
  const files = [300, 500, 200].map((seconds) => ({
    file: `test/${seconds}.test.ts`,
    what: 'whole' as const,
    seconds,
    touchedBy: [],
  }));
  const { run, left } = fitInto(files, 600);
  expect([names(run), names(left)]).toEqual([['300', '200'], ['500']]);
});
