import { execFileSync } from 'node:child_process';
import {
  closeSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, expect, test } from 'vitest';
import { decodePax, TarError } from '../../../server/build/tree/tar-format.ts';
import { scanTar } from '../../../server/build/tree/tar-scan.ts';
import { type Listed, listTar } from './tar-listing.ts';
import { type Member, writeTar } from './tar-maker.ts';

const folder = mkdtempSync(join(tmpdir(), 'warmboot-tar-'));
afterAll(() => rmSync(folder, { recursive: true }));

const whole = (path: string) => ({ path, offset: 0, bytes: statSync(path).size });

test('what GNU tar writes, in each of its formats, is read right', () => {
  const source = join(folder, 'source');
  mkdirSync(join(source, 'd'), { recursive: true });
  const names = ['plain', 'ünïcode', 'new\nline', 'y'.repeat(255)];
  for (const name of names) writeFileSync(join(source, 'd', name), name);
  writeFileSync(Buffer.concat([Buffer.from(`${source}/d/bad`), Buffer.from([0xff, 0xfe])]), 'bytes');
  linkSync(join(source, 'd/plain'), join(source, 'd/second'));
  symlinkSync(`${'t/'.repeat(120)}x`, join(source, 'd/long-link'));
  for (const format of ['gnu', 'pax', 'posix']) {
    const file = join(folder, `${format}.tar`);
    execFileSync('tar', [
      `--format=${format}`,
      '--sort=name',
      '--owner=:4000000',
      '--mtime=@123',
      '-C',
      source,
      '-cf',
      file,
      'd',
    ]);
    const entries = new Map(listTar(whole(file)).map((entry) => [entry.path.replace(/\/$/, ''), entry]));
    const expected = [...names, 'second', 'long-link'].map(
      (name) => `d/${Buffer.from(name).toString('latin1')}`,
    );
    expect([...entries.keys()].sort()).toEqual(['d', 'd/bad\xff\xfe', ...expected].sort());
    expect(entries.get('d/second')).toMatchObject({ type: 'hardlink', link: 'd/plain' });
    expect(entries.get('d/long-link')).toMatchObject({ type: 'symlink', link: `${'t/'.repeat(120)}x` });
    expect(entries.get('d/bad\xff\xfe')).toMatchObject({ type: 'file', size: 5, uid: 4000000, mtime: 123 });
  }
});

test('what is written is what GNU tar lists', () => {
  const file = join(folder, 'written.tar');
  writeTar(file, [
    { path: 'd/', mode: 0o1755 },
    { path: 'd/\xff', content: 'x', uid: 3_000_000_000 },
    { path: `d/${'n'.repeat(255)}`, content: 'long', mtime: -5 },
    { path: 'd/again', type: 'hardlink', link: `d/${'n'.repeat(255)}` },
    { path: 'd/fifo', type: 'fifo' },
    { path: 'd/console', type: 'character' },
  ]);
  const lines = execFileSync(
    'tar',
    ['--numeric-owner', '--quoting-style=escape', '--utc', '--full-time', '-tvf', file],
    {
      encoding: 'utf8',
      env: { ...process.env, LC_ALL: 'C' },
    },
  );
  expect(
    lines
      .trimEnd()
      .split('\n')
      .map((line) => line.replace(/ +/g, ' ')),
  ).toEqual([
    'drwxr-xr-t 0/0 0 1970-01-01 00:16:40 d/',
    '-rw-r--r-- 3000000000/0 1 1970-01-01 00:16:40 d/\\377',
    `-rw-r--r-- 0/0 4 1969-12-31 23:59:55 d/${'n'.repeat(255)}`,
    `hrw-r--r-- 0/0 0 1970-01-01 00:16:40 d/again link to d/${'n'.repeat(255)}`,
    'prw-r--r-- 0/0 0 1970-01-01 00:16:40 d/fifo',
    'crw-r--r-- 0/0 5,1 1970-01-01 00:16:40 d/console',
  ]);
});

test('reads back what it writes, whatever the bytes', () => {
  const bytes = fc.string({
    unit: fc.integer({ min: 1, max: 255 }).map((code) => String.fromCharCode(code)),
    minLength: 1,
    maxLength: 300,
  });
  const number = fc.oneof(fc.integer({ min: 0, max: 0o7777777 }), fc.integer({ min: 0, max: 2 ** 32 - 1 }));
  fc.assert(
    fc.property(
      bytes,
      bytes,
      number,
      fc.integer({ min: -(2 ** 40), max: 2 ** 40 }),
      (path, value, uid, mtime) => {
        fc.pre(!path.endsWith('/'));
        const file = join(folder, 'any.tar');
        const region = writeTar(file, [
          { path, uid, mtime, content: value, xattrs: { 'security.capability': value } },
        ]);
        const [entry] = listTar(region);
        expect(entry).toMatchObject({ path, uid, mtime, size: value.length });
        expect(entry?.xattrs.get('security.capability')).toBe(value);
      },
    ),
    { numRuns: 100 },
  );
});

test('sizes beyond 8 GiB, in base-256 and in pax records', () => {
  for (const format of ['gnu', 'pax']) {
    const source = join(folder, 'huge');
    writeFileSync(source, '');
    truncateSync(source, 9 * 2 ** 30);
    const start = execFileSync(
      'sh',
      ['-c', `tar --format=${format} -C "$1" -cf - huge | head -c 4096`, 'sh', folder],
      { stdio: ['ignore', 'pipe', 'ignore'] },
    );
    const file = join(folder, 'start');
    writeFileSync(file, start);
    const first = scanTar({ path: file, offset: 0, bytes: 10 * 2 ** 30 }).next();
    expect(first.value).toMatchObject({ path: 'huge', inode: { meta: { size: 9 * 2 ** 30 } } });
  }
});

writeFileSync(join(folder, 'after'), 'after it');

test('damage is refused, never guessed around', () => {
  const file = join(folder, 'damaged.tar');
  const region = writeTar(file, [{ path: 'a', content: 'x'.repeat(2000) }]);
  expect(() => [...scanTar({ ...region, bytes: 1024 })]).toThrow('ends within');
  expect(() => [...scanTar({ ...region, bytes: 100 })]).toThrow(TarError);
  writeFileSync(file, Buffer.alloc(1024, 'x'));
  expect(() => [...scanTar({ ...region, bytes: 1024 })]).toThrow('checksum');
  expect(() => decodePax(Buffer.from('99 path=x\n'))).toThrow(TarError);
  expect(() => decodePax(Buffer.from('x path=x\n'))).toThrow(TarError);
});

/** The members of a tar with one of them, its header changed as no tool writes it. */
function forged(member: Member, change: (header: Buffer) => void = () => {}): () => unknown {
  const region = writeTar(join(folder, 'forged.tar'), [member]);
  const data = readFileSync(region.path);
  const header = data.subarray(data.length - 1024 - 512 - 512, data.length - 1024 - 512);
  change(header);
  header.fill(' ', 148, 156);
  const sum = header.reduce((total, byte) => total + byte, 0);
  header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
  writeFileSync(region.path, data);
  return () => listTar(region);
}

const f = (pax: Record<string, string>): Member => ({ path: 'f', content: 'x', pax });
test.each<[string, Member, ((header: Buffer) => void) | undefined]>([
  ['a negative size in pax', f({ size: '-1536' }), undefined],
  ['a size in another notation', f({ size: '1e3' }), undefined],
  ['a negative size', f({}), (header) => header.fill(0xff, 124, 135)],
  ['a negative length with holes', f({ 'GNU.sparse.realsize': '-5', 'GNU.sparse.map': '' }), undefined],
  ['an owner beyond 32 bits', f({ uid: '4294967296' }), undefined],
  ['a zero byte in a path', f({ path: 'a\0b' }), undefined],
  ['a zero byte in a link', { path: 's', type: 'symlink', link: 'x', pax: { linkpath: 'x\0y' } }, undefined],
  ['a zero byte in the name of an xattr', f({ 'SCHILY.xattr.user.a\0b': 'c' }), undefined],
])('%s is refused', (_, member, change) => {
  expect(forged(member, change)).toThrow(TarError);
});

test('a pax record without a value stands for the header’s own field', () => {
  const link: Member = { path: 's', type: 'symlink', link: 'to', pax: { linkpath: '', path: '' } };
  const region = writeTar(join(folder, 'empty-pax.tar'), [
    f({ path: '', uid: '', 'SCHILY.xattr.user.a': '' }),
    link,
  ]);
  expect(listTar(region)).toMatchObject([
    { path: 'f', uid: 0, xattrs: new Map([['user.a', '']]) },
    { path: 's', link: 'to' },
  ]);
});

test('an owner of -1 is the last of 32 bits', () => {
  const [entry] = listTar(writeTar(join(folder, 'minus.tar'), [f({ uid: '-1', gid: '-2' })]));
  expect(entry).toMatchObject({ uid: 4_294_967_295, gid: 4_294_967_294 });
});

/** 3 MiB with data at its start, off the block grid, and at its end, or only a hole. */
function sparseFile(name: string, marks: readonly (readonly [number, string])[]): Buffer {
  const source = join(folder, name);
  writeFileSync(source, '');
  const data = Buffer.alloc(3 << 20);
  for (const [at, text] of marks) data.write(text, at);
  truncateSync(source, data.length);
  const file = openSync(source, 'r+');
  for (const [at, text] of marks) writeSync(file, text, at);
  closeSync(file);
  return data;
}

/** The content again, from the runs. */
function assemble(entry: Listed | undefined): Buffer {
  const data = Buffer.alloc(entry?.size ?? 0);
  for (const { at, bytes, file, offset } of entry?.content ?? [])
    readFileSync(file).copy(data, at, offset, offset + bytes);
  return data;
}

const SPARSE_FORMATS = [
  ['--format=gnu'],
  ...['0.0', '0.1', '1.0'].map((version) => ['--format=pax', `--sparse-version=${version}`]),
];

test.each(SPARSE_FORMATS)('sparse members of %s %s: runs and holes', (...format) => {
  const many = Array.from({ length: 60 }, (_, i) => [i * 49152 + 8192, `run ${i}`] as const);
  const files = new Map([
    [
      'few',
      sparseFile('few', [
        [0, 'begin'],
        [70_000, 'middle'],
        [(3 << 20) - 3, 'end'],
      ]),
    ],
    ['many', sparseFile('many', many)],
    ['hole', sparseFile('hole', [])],
  ]);
  const file = join(folder, 'sparse.tar');
  execFileSync('tar', [...format, '--sparse', '-C', folder, '-cf', file, ...files.keys(), 'after']);
  const entries = new Map(listTar(whole(file)).map((entry) => [entry.path, entry]));
  for (const [name, data] of files) {
    expect(entries.get(name)?.size).toBe(data.length);
    expect(assemble(entries.get(name)).equals(data)).toBe(true);
    const stored = entries.get(name)?.content.reduce((sum, { bytes }) => sum + bytes, 0) ?? 0;
    expect(stored).toBeLessThan(data.length / 2);
  }
  expect(assemble(entries.get('after')).toString()).toBe('after it');
});

test('a map of holes that lies is refused', () => {
  const lies = (map: string) => [
    ...scanTar(
      writeTar(join(folder, 'lie.tar'), [
        { path: 'f', content: 'x'.repeat(1000), pax: { 'GNU.sparse.map': map } },
      ]),
    ),
  ];
  expect(lies('0,1000')).toHaveLength(1);
  expect(() => lies('0,1001')).toThrow('does not fit');
  expect(() => lies('10,20,5,20')).toThrow('does not fit');
  expect(() => lies('0,-5')).toThrow('malformed');
  expect(() => lies('7')).toThrow('malformed');
});

test('times with fractions, before 1970 too', () => {
  const time = (mtime: string) =>
    listTar(writeTar(join(folder, 'time.tar'), [{ path: 'f', pax: { mtime } }]))[0];
  expect(time('1700000000.123456789')).toMatchObject({ mtime: 1_700_000_000, mtimeNanos: 123_456_789 });
  expect(time('12.5')).toMatchObject({ mtime: 12, mtimeNanos: 500_000_000 });
  expect(time('-1.25')).toMatchObject({ mtime: -2, mtimeNanos: 750_000_000 });
  expect(time('-3')).toMatchObject({ mtime: -3, mtimeNanos: 0 });
  expect(() => time('tomorrow')).toThrow('as a time');
});
