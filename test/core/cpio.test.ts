import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { cpioArchive } from '../../server/core/cpio.ts';

const encode = (text: string) => new TextEncoder().encode(text);
const UNPACKERS = [
  ['/usr/bin/cpio', '-id', '--quiet', '--no-absolute-filenames'],
  ['/usr/bin/bsdcpio', '-id', '--quiet'],
  ['/bin/busybox', 'cpio', '-id'],
].filter(([program = '']) => existsSync(program));

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'warmboot-cpio-'));
});
afterEach(() => rmSync(dir, { recursive: true }));

test.each(UNPACKERS)('%s unpacks it', (program = '', ...args) => {
  const files = [
    { path: 'etc/warmboot/server.pem', mode: 0o600, content: '-----BEGIN PUBLIC KEY-----\n' },
    { path: 'etc/warmboot/server.url', mode: 0o644, content: 'http://10.0.0.1:8080\n' },
    { path: 'etc/empty', mode: 0o644, content: '' },
    { path: 'etc/name', mode: 0o644, content: 'ü…\n' },
  ];
  execFileSync(program, args, { cwd: dir, input: cpioArchive(files, encode) });
  for (const { path, mode, content } of files) {
    expect(readFileSync(join(dir, path), 'utf8')).toBe(content);
    expect(statSync(join(dir, path)).mode & 0o777).toBe(mode);
  }
  expect(statSync(join(dir, 'etc/warmboot')).mode & 0o777).toBe(0o755);
});

test('every entry is aligned as the kernel wants it, whatever the lengths', () => {
  const name = fc.stringMatching(/^[a-z]{1,9}$/);
  fc.assert(
    fc.property(name, fc.string({ maxLength: 40 }), (path, content) => {
      const archive = Buffer.from(cpioArchive([{ path, mode: 0o644, content }], encode));
      expect(archive.length % 4).toBe(0);
      const trailer = archive.lastIndexOf('070701');
      expect(trailer % 4).toBe(0);
      expect(archive.subarray(trailer + 110).toString()).toMatch(/^TRAILER!!!\0+$/);
    }),
  );
});
