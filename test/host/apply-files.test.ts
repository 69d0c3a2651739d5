import {
  chmodSync,
  existsSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { execa } from 'execa';
import fc from 'fast-check';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { hasStarted } from '../../lab/child.ts';
import { makeHelper } from '../fixtures/helper.ts';
import { fileSet, SET_END, type SetFile } from './file-set.ts';

/** `warmboot-helper apply-files` under sanitizers: a host's files into the root of its system. */

let folder: string;
let helper: string;
let root: string;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'warmboot-apply-'));
  helper = await makeHelper('sanitized');
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));
beforeEach(() => {
  root = mkdtempSync(join(folder, 'root-'));
  write('etc/passwd', 'root:x:0:0::/root:/bin/sh\nadmin:x:1000:1001::/home/admin:/bin/sh\nodd:x:no:1::/:\n');
  write('etc/group', 'root:x:0:\nadmin:x:1001:\n');
});

const at = (path: string) => join(root, path);
const read = (path: string) => readFileSync(at(path), 'utf8');
function write(path: string, content: string, mode = 0o644): void {
  mkdirSync(dirname(at(path)), { recursive: true });
  writeFileSync(at(path), content);
  chmodSync(at(path), mode);
}
const mode = (path: string) => statSync(at(path)).mode & 0o7777;

async function applyTar(tar: Buffer, before: readonly string[] = []) {
  const [program = helper, ...args] = [...before, helper, 'apply-files', `${root}/`, 'warmboot-1'];
  const env = { ASAN_OPTIONS: 'exitcode=99', UBSAN_OPTIONS: 'exitcode=99' };
  const done = hasStarted(program, await execa(program, args, { input: tar, reject: false, env }));
  return { code: done.exitCode, out: done.stdout, err: done.stderr };
}
const apply = (files: readonly SetFile[]) => applyTar(fileSet(files));

/** Every file below the root, but the lists that are not about the set. */
const everything = () =>
  readdirSync(root, { recursive: true, withFileTypes: true })
    .filter((entry) => !entry.isDirectory())
    .map((entry) => join(entry.parentPath, entry.name).slice(root.length + 1))
    .sort();

describe('a set', () => {
  test('comes with its folders, modes and owners, and again for nothing', async () => {
    const files = [
      { path: 'etc/systemd/network/10-lan.network', content: '[Match]\nName=en*\n' },
      {
        path: 'home/admin/.ssh/authorized_keys',
        content: 'ssh-ed25519 AAAA me\n',
        mode: 0o600,
        owner: 'admin',
      },
      { path: 'usr/local/bin/tool', content: '#!/bin/sh\n', mode: 0o755 },
      { path: 'etc/empty' },
    ];
    const first = await apply(files);
    expect(first).toMatchObject({ code: 0, err: '' });
    expect(first.out.split('\n')).toContain('new etc/systemd/network/10-lan.network');
    expect(first.out.split('\n')).toContain('new etc/systemd');
    expect(read('etc/systemd/network/10-lan.network')).toBe('[Match]\nName=en*\n');
    expect([
      mode('usr/local/bin/tool'),
      mode('usr/local/bin'),
      mode('home/admin/.ssh/authorized_keys'),
    ]).toEqual([0o755, 0o755, 0o600]);
    const { uid, gid } = statSync(at('home/admin/.ssh/authorized_keys'));
    expect([uid, gid]).toEqual([1000, 1001]);
    const before = statSync(at('etc/empty'), { bigint: true }).ctimeNs;
    expect(await apply(files)).toEqual({ code: 0, out: '', err: '' });
    expect(statSync(at('etc/empty'), { bigint: true }).ctimeNs).toBe(before);
    expect(mode('var/lib/warmboot/applied')).toBe(0o600);
  });

  test('overwrites a plain file in place, and closes it before a secret is in it', async () => {
    write('etc/app.conf', 'a long old content\n');
    const inode = statSync(at('etc/app.conf')).ino;
    const { out } = await apply([{ path: 'etc/app.conf', content: 'secret\n', mode: 0o600 }]);
    expect(out.split('\n')).toContain('changed etc/app.conf');
    expect(read('etc/app.conf')).toBe('secret\n');
    expect(statSync(at('etc/app.conf')).ino).toBe(inode);
    expect(mode('etc/app.conf')).toBe(0o600);
  });

  test('a wrong mode or owner alone is put right', async () => {
    await apply([{ path: 'etc/x', content: 'x', mode: 0o640 }]);
    chmodSync(at('etc/x'), 0o666);
    expect((await apply([{ path: 'etc/x', content: 'x', mode: 0o640 }])).out).toBe('changed etc/x');
    expect(mode('etc/x')).toBe(0o640);
  });

  test('replaces links and second names without touching what they lead to', async () => {
    write('etc/shadow', 'root:*:\n', 0o600);
    symlinkSync('shadow', at('etc/link'));
    linkSync(at('etc/shadow'), at('etc/second'));
    symlinkSync('/nowhere', at('etc/dangling'));
    const names = ['etc/link', 'etc/second', 'etc/dangling'];
    const { code } = await apply(names.map((path) => ({ path, content: 'mine\n' })));
    expect(code).toBe(0);
    expect(names.map(read)).toEqual(['mine\n', 'mine\n', 'mine\n']);
    expect(read('etc/shadow')).toBe('root:*:\n');
    expect(everything()).not.toContain('etc/.warmboot.new');
  });

  test('a pipe or a socket in the way does not hold the boot', async () => {
    await execa('mkfifo', [at('etc/pipe')]);
    expect((await apply([{ path: 'etc/pipe', content: 'file' }])).code).toBe(0);
    expect(read('etc/pipe')).toBe('file');
  });

  test('what an earlier set had and this one has not is removed, and nothing else', async () => {
    write('etc/own', 'of the image');
    await apply([
      { path: 'etc/a/one', content: '1' },
      { path: 'etc/two', content: '2' },
    ]);
    write(
      'var/lib/warmboot/applied',
      `${read('var/lib/warmboot/applied')}../../etc/own\netc/machine-id\nproc/x\n`,
    );
    write('etc/machine-id', 'id');
    const { out, code } = await apply([{ path: 'etc/two', content: '2' }]);
    expect({ out, code }).toEqual({ out: 'removed etc/a/one', code: 0 });
    expect(existsSync(at('etc/a/one'))).toBe(false);
    expect(read('etc/own') + read('etc/machine-id')).toBe('of the imageid');
    expect(read('var/lib/warmboot/applied')).toBe('etc/two\n');
    await applyTar(SET_END);
    expect(existsSync(at('etc/two'))).toBe(false);
  });

  test('a removal does not follow a folder that became a link', async () => {
    await apply([{ path: 'etc/a/one', content: '1' }]);
    rmSync(at('etc/a'), { recursive: true });
    write('other/one', 'not ours');
    symlinkSync('../other', at('etc/a'));
    expect((await applyTar(SET_END)).code).toBe(0);
    expect(read('other/one')).toBe('not ours');
  });

  test('an owner that this system does not know is root, and said', async () => {
    const { out } = await apply([
      { path: 'etc/a', content: 'x', owner: 'nobody-here' },
      { path: 'etc/b', content: 'x', owner: 'odd', group: 'root' },
    ]);
    expect(out).toContain("note etc/a: no user 'nobody-here' here, root owns it");
    expect(out).toContain("note etc/b: no user 'odd' here");
    expect(statSync(at('etc/a')).uid).toBe(0);
  });

  test('a seed gets what it lacks, and loses it with the rest', async () => {
    await apply([{ path: 'seed/user-data', content: '#cloud-config\npackages: []\n', mode: 0o600 }]);
    expect(read('var/lib/cloud/seed/nocloud/user-data')).toContain('packages');
    expect(read('var/lib/cloud/seed/nocloud/meta-data')).toBe('instance-id: warmboot-1\n');
    await apply([{ path: 'seed/meta-data', content: 'instance-id: mine\n' }]);
    expect(read('var/lib/cloud/seed/nocloud/meta-data')).toBe('instance-id: mine\n');
    expect(read('var/lib/cloud/seed/nocloud/user-data')).toBe('#cloud-config\n');
    await applyTar(SET_END);
    expect(readdirSync(at('var/lib/cloud/seed/nocloud'))).toEqual([]);
  });

  test('as large as it may be: 64 files, 256 KiB, names of 100 bytes', async () => {
    const long = 'd'.repeat(92);
    const files = Array.from({ length: 64 }, (_, i) => ({
      path: `etc/${long}/f${i}`.slice(0, 100),
      content: Buffer.alloc(4096, i),
    }));
    expect((await applyTar(fileSet(files, Buffer.alloc(10_240)))).code).toBe(0);
    expect(readFileSync(at(`etc/${long}/f63`.slice(0, 100))).equals(Buffer.alloc(4096, 63))).toBe(true);
  });
});

const ok: SetFile = { path: 'etc/first', content: 'not to be written' };
/** The server's rules, as its own tests read them: `taken PATH` or `refused PATH`. */
const PATHS = readFileSync('test/fixtures/host-file-paths.txt', 'utf8')
  .split('\n')
  .filter((line) => line !== '' && !line.startsWith('#'))
  .map((line) => [line.slice(0, line.indexOf(' ')), line.slice(line.indexOf(' ') + 1)] as const);
const CONTROL = [
  'etc/\nx',
  'etc/\x7f',
  'etc/\tx',
  'seed/../../../../../x',
  'seed',
  'seed/',
  'seed/x',
  'etc/machine-id/x',
];
const REFUSED = PATHS.filter(([what]) => what === 'refused').map(([, path]) => path);
/** Longer than a header's name: the rest in its prefix, which the server never uses. */
const member = (path: string): SetFile =>
  path.length <= 100 ? { path } : { path: path.slice(-50), prefix: path.slice(0, -50) };

test('every path that the server takes is written', async () => {
  const paths = PATHS.filter(([what]) => what === 'taken').map(([, path]) => path);
  expect(paths.length).toBeGreaterThan(20);
  expect(await apply(paths.map((path) => ({ path, content: path })))).toMatchObject({ code: 0, err: '' });
  for (const path of paths) expect(read(path.replace(/^seed/, 'var/lib/cloud/seed/nocloud'))).toBe(path);
});

describe('is refused whole, with nothing written', () => {
  const refusals: readonly (readonly [string, Buffer])[] = [
    ...[...REFUSED, ...CONTROL].map((path): [string, Buffer] => [
      `the path ${JSON.stringify(path)}`,
      fileSet([ok, member(path)]),
    ]),
    ['setuid', fileSet([ok, { path: 'etc/x', mode: 0o4755 }])],
    ['setgid', fileSet([ok, { path: 'etc/x', mode: 0o2755 }])],
    ['a mode that is no number', fileSet([ok, { path: 'etc/x', mode: '0000rw-' }])],
    ['a mode with digits behind a NUL', fileSet([ok, { path: 'etc/x', mode: '0644\x007' }])],
    ...['1', '2', '3', '4', '5', '6', '7', 'x', 'g', 'L', 'K', 'S', '\xff'].map(
      (type) =>
        [
          `type ${JSON.stringify(type)}`,
          fileSet([ok, { path: 'etc/x', type, link: '/etc/shadow' }]),
        ] as const,
    ),
    ['a file with a link', fileSet([ok, { path: 'etc/x', link: '/etc/shadow' }])],
    ['the same twice', fileSet([ok, ok])],
    ['a file that is a folder of another', fileSet([ok, { path: 'etc/first/second' }])],
    ['a seed twice', fileSet([{ path: 'seed/user-data' }, { path: 'var/lib/cloud/seed/nocloud/user-data' }])],
    ['65 files', fileSet(Array.from({ length: 65 }, (_, i) => ({ path: `etc/${i}` })))],
    ['one file too large', fileSet([ok, { path: 'etc/x', content: Buffer.alloc(256 * 1024 + 1) }])],
    ['all files too large', fileSet([ok, { path: 'etc/x', content: Buffer.alloc(256 * 1024) }])],
    ['far too much', Buffer.alloc(4 * 1024 * 1024, 1)],
    ['a size beyond the end', fileSet([ok, { path: 'etc/x', content: 'x', size: '00000400000' }])],
    ['a size that is no number', fileSet([ok, { path: 'etc/x', size: '-1' }])],
    ['a size in base 256', fileSet([ok, { path: 'etc/x', size: '\x80\0\0\0\0\0\0\0\0\0\0\x01' }])],
    ['an owner that is no name', fileSet([ok, { path: 'etc/x', owner: 'a:b' }])],
    ['no ustar', fileSet([ok, { path: 'etc/x', magic: 'ustar  \0' }])],
    ['a wrong checksum', fileSet([ok, { path: 'etc/x', checksum: 1 }])],
    ['nothing at all', Buffer.alloc(0)],
    ['no end', fileSet([ok], Buffer.alloc(0))],
    ['half an end', fileSet([ok], Buffer.alloc(512))],
    ['something behind the end', fileSet([ok], Buffer.concat([SET_END, fileSet([{ path: 'etc/x' }])]))],
    ['a piece of a block', fileSet([ok], Buffer.concat([SET_END, Buffer.alloc(7)]))],
    ['a cut file', fileSet([{ path: 'etc/x', content: Buffer.alloc(5000) }]).subarray(0, 3000)],
  ];
  test.each(refusals)('%s', async (_, tar) => {
    const before = everything();
    const { code, err } = await applyTar(tar);
    expect({ code, err }).toMatchObject({ code: 2, err: expect.stringContaining('nothing of it was put') });
    expect(everything()).toEqual(before);
  });

  test('bytes changed anywhere are refused or harmless, and nothing leaves the root', async () => {
    const good = fileSet([ok, { path: 'etc/second', content: 'x'.repeat(600) }]);
    const outside = readdirSync(folder).sort();
    await fc.assert(
      fc.asyncProperty(
        fc.nat(good.length - 1),
        fc.nat(255),
        fc.nat(good.length),
        async (place, byte, length) => {
          const bent = Buffer.from(good.subarray(0, length));
          if (place < bent.length) bent[place] = byte;
          expect([0, 2]).toContain((await applyTar(bent)).code);
        },
      ),
      { numRuns: 60 },
    );
    expect(readdirSync(folder).sort()).toEqual(outside);
  });
});

describe('what cannot be put is said, and the rest is put', () => {
  test('a folder that is a link, or a file', async () => {
    mkdirSync(at('usr'));
    mkdirSync(join(folder, 'elsewhere'), { recursive: true });
    symlinkSync(join(folder, 'elsewhere'), at('usr/lib'));
    write('etc/file', '');
    const { code, out } = await apply([
      { path: 'usr/lib/x', content: 'x' },
      { path: 'etc/file/x', content: 'x' },
      { path: 'etc/good', content: 'x' },
    ]);
    expect(code).toBe(0);
    for (const path of ['usr/lib/x', 'etc/file/x'])
      expect(out).toContain(`note ${path}: left out, for a folder on its way is a link or a file here`);
    expect(read('etc/good')).toBe('x');
    expect(readdirSync(join(folder, 'elsewhere'))).toEqual([]);
  });

  test('a folder where the file shall be', async () => {
    mkdirSync(at('etc/x'));
    const { code, out } = await apply([
      { path: 'etc/x', content: 'x' },
      { path: 'etc/y', content: 'y' },
    ]);
    expect(code).toBe(0);
    expect(out).toContain('note etc/x: left out, for it is a folder here');
    expect(read('etc/y')).toBe('y');
    expect(readdirSync(at('etc/x'))).toEqual([]);
  });

  /** In a namespace of its own, where the root is a small tmpfs. */
  const mounted = (script: string): string[] => ['unshare', '-m', 'sh', '-c', `${script}; exec "$@"`, 'sh'];

  test('a root that is read-only', async () => {
    const { code, err } = await applyTar(
      fileSet([{ path: 'etc/x', content: 'x' }]),
      mounted(`mount --bind '${root}' '${root}' && mount -o remount,ro,bind '${root}'`),
    );
    expect({ code, err }).toMatchObject({ code: 1, err: expect.stringContaining('Read-only file system') });
  });

  test('a full disk leaves what is there whole; what did not change needs no room', async () => {
    const fill = `mount -t tmpfs -o size=64k none '${root}' && mkdir -p '${root}/etc' '${root}/var/lib/warmboot' && printf old > '${root}/etc/x' \
      && printf 'etc/x\\n' > '${root}/var/lib/warmboot/applied' && dd if=/dev/zero of='${root}/fill' 2> /dev/null`;
    const tell = `sh -c '"$@"; echo "$?: $(cat "${root}/etc/x")"' sh`;
    const run = (content: string | Buffer) =>
      applyTar(fileSet([{ path: 'etc/x', content }]), mounted(`${fill}; set -- ${tell} "$@"`));
    expect((await run('old')).out).toBe('0: old');
    const { out, err } = await run(Buffer.alloc(20_000, 'n'));
    expect(err).toContain('No space left');
    expect(out).toBe('1: old');
  });
});
