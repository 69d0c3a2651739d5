import { existsSync, readFileSync } from 'node:fs';
import { afterAll, expect, test } from 'vitest';
import { e2fsckVersion, ext4ProfileFor } from '../../../server/build/accept/filesystem-profile.ts';
import { layerFolder } from '../tree/tree-maker.ts';

const { stack, remove } = layerFolder();
afterAll(remove);

/** As the linker puts strings: one behind the other, each with a zero at its end. */
const e2fsck = (...strings: readonly string[]) =>
  stack([{ path: 'usr/sbin/e2fsck', content: `\x7fELF\0${strings.join('\0')}\0rest` }]);

test.each([
  ['CentOS 7', '3.10.0-1160.el7.x86_64', '1.42.9', 'classic'],
  ['Debian 8', '3.16.0-11-amd64', '1.42.12', 'classic'],
  ['a new kernel over old programs', '5.4.0', '1.42.9', 'classic'],
  ['an old kernel under new programs', '3.10.0', '1.47.2', 'classic'],
  ['CentOS 8', '4.18.0-348.el8.x86_64', '1.45.6', 'modern'],
  ['Debian 9', '4.9.0-19-amd64', '1.43.4', 'modern'],
  ['Debian 13', '6.12.48+deb13-amd64', '1.47.2', 'modern'],
])('%s: kernel %s and e2fsck %s get the %s profile', (_, release, version, profile) => {
  expect(ext4ProfileFor(e2fsck('Usage: %s', version, '28-Dec-2013'), release)).toBe(profile);
});

test('the version is a whole string, with or without a word behind it', () => {
  expect(e2fsckVersion(e2fsck('needs 1.41.0 or', 'v1.40', '1.43-WIP', 'EXT2FS Library version 1.41.1'))).toBe(
    '1.43',
  );
  expect(e2fsckVersion(e2fsck('1.47.2', '1-Jan-2025'))).toBe('1.47.2');
});

test('without an e2fsck, or one that does not tell, what every kernel mounts', () => {
  expect(ext4ProfileFor(stack(['etc/']), '6.12.0')).toBe('classic');
  expect(ext4ProfileFor(e2fsck('no version'), '6.12.0')).toBe('classic');
  expect(ext4ProfileFor(e2fsck('1.47.2'), '')).toBe('classic');
});

test.skipIf(!existsSync('/sbin/e2fsck'))('a real e2fsck tells its version', () => {
  const tree = stack([{ path: 'sbin/e2fsck', content: readFileSync('/sbin/e2fsck', 'latin1') }]);
  expect(e2fsckVersion(tree)).toMatch(/^1\.\d\d/);
});
