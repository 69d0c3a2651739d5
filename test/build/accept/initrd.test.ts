import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, afterEach, expect, test } from 'vitest';
import { byteReader, InitrdError } from '../../../server/build/accept/initrd/byte-reader.ts';
import { MissingProgramError } from '../../../server/build/accept/initrd/compression.ts';
import { readCpio } from '../../../server/build/accept/initrd/cpio.ts';
import { readInitrd } from '../../../server/build/accept/initrd/read-initrd.ts';
import { emptyFile } from '../../../server/filesystems/file-tree.ts';
import type { Inode } from '../../../server/filesystems/node.ts';
import { cpioArchive } from './initrd-maker.ts';

const folder = mkdtempSync(join(tmpdir(), 'warmboot-initrd-'));
afterAll(() => rmSync(folder, { recursive: true }));
const PATH = process.env.PATH;
afterEach(() => {
  process.env.PATH = PATH;
});

/** A file of an image that holds these bytes. */
function inodeOf(data: Buffer): Inode {
  const file = join(folder, 'initrd');
  writeFileSync(file, data);
  const { meta } = emptyFile(0o644);
  return {
    meta: { ...meta, size: data.length },
    content: [{ at: 0, bytes: data.length, file, offset: 0 }],
  };
}

async function paths(data: Buffer): Promise<string[]> {
  return (await readInitrd(inodeOf(data))).inLayerOrder().map(({ path }) => path);
}

const MICROCODE = cpioArchive(['kernel/x86/microcode/GenuineIntel.bin']);
const SYSTEM = cpioArchive([
  './',
  'usr/lib/',
  { path: 'lib', link: 'usr/lib' },
  { path: 'init', link: 'usr/lib/systemd/systemd' },
  { path: 'usr/lib/systemd/systemd', content: 'x'.repeat(300_001) },
]);
const SYSTEM_PATHS = ['init', 'lib', 'usr', 'usr/lib', 'usr/lib/systemd', 'usr/lib/systemd/systemd'];

test.each([
  ['gzip', ['-c']],
  ['zstd', ['-c']],
  ['xz', ['-c', '--check=crc32']],
  ['xz', ['-c', '--format=lzma']],
  ['bzip2', ['-c']],
  ['lz4', ['-c', '-l']],
])('microcode, then %s %j', async (program, options) => {
  const packed = execFileSync(program, options, { input: SYSTEM });
  const all = await paths(Buffer.concat([MICROCODE, packed]));
  expect(all.filter((path) => !path.startsWith('kernel'))).toEqual(SYSTEM_PATHS);
  expect(all).toContain('kernel/x86/microcode/GenuineIntel.bin');
});

test('archives without compression, zeros between and behind', async () => {
  const data = Buffer.concat([SYSTEM, Buffer.alloc(10_000), cpioArchive(['more']), Buffer.alloc(4)]);
  expect(await paths(data)).toEqual(['init', 'lib', 'more', ...SYSTEM_PATHS.slice(2)]);
});

test('two members of one kind behind each other', async () => {
  const packed = [SYSTEM, cpioArchive(['more'])].map((input) => execFileSync('gzip', ['-c'], { input }));
  expect(await paths(Buffer.concat(packed))).toContain('more');
});

test('links lead where they would on the machine, also for what a later archive adds below them', async () => {
  const tree = await readInitrd(inodeOf(Buffer.concat([SYSTEM, cpioArchive(['lib/modules/6/a.ko'])])));
  expect(tree.resolve('init')).toMatchObject({ path: 'usr/lib/systemd/systemd' });
  expect(tree.find('usr/lib/modules/6/a.ko')?.inode.meta.size).toBe('lib/modules/6/a.ko'.length);
});

test.each([
  ['neither', Buffer.from('initrd\n')],
  ['cut off', SYSTEM.subarray(0, 1000)],
  ['cut off', SYSTEM.subarray(0, 50)],
  ['damaged', Buffer.from(SYSTEM.toString('latin1').replace(/^070701.{8}./, '070701zzzzzzzzz'), 'latin1')],
  ['no name', Buffer.from(`070701${'0'.repeat(104)}`)],
  ['unpacked', execFileSync('gzip', ['-c'], { input: SYSTEM }).subarray(0, 200)],
  ['unpacked', execFileSync('xz', ['-c'], { input: SYSTEM }).subarray(0, 200)],
  ['unpacked', Buffer.concat([Buffer.from('BZh9'), Buffer.alloc(3000, 7)])],
  ['neither', execFileSync('gzip', ['-c'], { input: 'no archive' })],
])('%s: refused', async (why, data) => {
  const error = await paths(data).catch((reason: Error) => reason);
  expect(error).toBeInstanceOf(InitrdError);
  expect((error as Error).message).toContain(why);
});

test('a program that is not installed is named, with its package', async () => {
  const packed = execFileSync('xz', ['-c'], { input: SYSTEM });
  process.env.PATH = folder;
  const error = await paths(packed).catch((reason: Error) => reason);
  expect(error).toBeInstanceOf(MissingProgramError);
  expect(error).toMatchObject({ program: 'xz', debianPackage: 'xz-utils' });
});

test('however the stream is cut into pieces, the entries are the same', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.integer({ min: 1, max: 700 }), { minLength: 1 }), async (lengths) => {
      const data = cpioArchive(['a/', { path: 'a/b', content: 'z'.repeat(777) }, { path: 'c', link: 'a/b' }]);
      const seen: string[] = [];
      for await (const entry of readCpio(byteReader(pieces(data, lengths))))
        seen.push(`${entry.type} ${entry.path} ${entry.bytes} ${entry.link}`);
      expect(seen).toEqual(['directory a 0 ', 'file a/b 777 ', 'symlink c 3 a/b']);
    }),
    { numRuns: 50 },
  );
});

async function* pieces(data: Buffer, lengths: readonly number[]): AsyncGenerator<Buffer> {
  for (let at = 0, i = 0; at < data.length; i += 1) {
    const length = lengths[i % lengths.length] ?? 1;
    yield data.subarray(at, at + length);
    at += length;
  }
}
