import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, openSync, readSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { connectDocker, findImage } from '../../server/build/docker/docker.ts';
import { planFilesystem } from '../../server/build/plan-filesystem.ts';
import { mergeLayers, saveLayers } from '../../server/build/tree/layers.ts';
import type { FileTree } from '../../server/filesystems/file-tree.ts';
import { type Listed, listTar } from '../build/tree/tar-listing.ts';
import { type Member, writeTar } from '../build/tree/tar-maker.ts';
import { inMounted } from '../filesystems/mounted.ts';
import { writePlan } from '../filesystems/write-plan.ts';
import { LABEL } from '../fixtures/container-label.ts';

/**
 * A tar of everything that a Linux disk can hold goes into Docker; what a kernel shows of the filesystem that is made from it
 * equals what `docker export` shows of the container, and in xattrs, which `docker export` leaves out, the tar itself. Sparse
 * members are tested with GNU tar's own (tar-format.test.ts): Docker cannot save an image that was imported from such a tar.
 */
const IMAGE = 'warmboot/test-hard';
const root = mkdtempSync(join(tmpdir(), 'warmboot-hard-'));
afterAll(() => {
  execFileSync('docker', ['rmi', '-f', IMAGE], { stdio: 'ignore' });
  rmSync(root, { recursive: true, force: true });
});

const LONG = 'l'.repeat(255);
const CAPABILITY = '\x01\x00\x00\x02\x00\x20\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00';
/** user::rw-, user:1000:r--, group::r--, mask::r--, other::--- as the kernel and tars carry it (version 2). */
const ACL = Buffer.from(
  '02000000' +
    '01000600ffffffff' +
    '02000400e8030000' +
    '04000400ffffffff' +
    '10000400ffffffff' +
    '20000000ffffffff',
  'hex',
).toString('latin1');

const HARD: readonly (Member | string)[] = [
  { path: 'd/', mode: 0o1777, uid: 5, mtime: 5000 },
  { path: 'd/file', content: 'hello', mtime: 6000 },
  // A second name states owner, mode and time once more; Docker takes the last that was said.
  { path: 'd/second', type: 'hardlink', link: 'd/file', mode: 0o600, uid: 9, mtime: 6500 },
  { path: 'd/setuid', mode: 0o6755, content: 'x' },
  { path: 'd/big-ids', uid: 3_000_000_000 },
  { path: 'd/empty', content: '' },
  { path: 'd/in-2037', mtime: 2_140_000_000 },
  { path: 'd/zeros', content: `${'\0'.repeat(3 << 20)}end` },
  { path: 'd/fifo', type: 'fifo' },
  { path: 'd/character', type: 'character' },
  { path: 'd/block', type: 'block' },
  { path: 'd/short-link', type: 'symlink', link: 'file' },
  { path: 'd/long-link', type: 'symlink', link: `${'x/'.repeat(400)}\xff` },
  { path: 'd/second-link', type: 'hardlink', link: 'd/short-link' },
  { path: 'd/\xc3\xbcml\xff\xfe', content: 'bytes' },
  { path: 'd/new\nline', content: 'two lines' },
  { path: 'd/"quotes" and\ttabs', xattrs: { 'user.with "quotes"': 'a"b\nc' } },
  { path: `d/${LONG}`, content: 'capable', xattrs: { 'security.capability': CAPABILITY } },
  { path: 'd/selinux', xattrs: { 'security.selinux': 'system_u:object_r:bin_t:s0\0' } },
  { path: 'd/labelled', xattrs: { 'user.note': 'some\0bytes', 'user.long': 'v'.repeat(1500) } },
  { path: 'd/trusted', xattrs: { 'trusted.overlay-like': 'y' } },
  { path: 'd/acl', mode: 0o640, xattrs: { 'system.posix_acl_access': ACL } },
  // What lies behind a symlink of the same tar goes where the symlink leads.
  'usr/',
  'usr/lib/',
  { path: 'lib', type: 'symlink', link: 'usr/lib' },
  { path: 'lib/behind-the-link', content: 'found' },
  'many/',
  ...Array.from({ length: 100_000 }, (_, i): Member => ({ path: `many/file-${i}`, content: '' })),
];

let tree: FileTree;
let exported: Map<string, object>;
let written: Map<string, Listed>;

beforeAll(async () => {
  const tar = join(root, 'hard.tar');
  written = byPath(listTar(writeTar(tar, HARD)));
  execFileSync('docker', ['import', tar, IMAGE], { stdio: 'ignore' });
  const container = execFileSync('docker', ['create', ...LABEL, IMAGE, 'x'], { encoding: 'utf8' }).trim();
  execFileSync('docker', ['export', '-o', join(root, 'export.tar'), container]);
  execFileSync('docker', ['rm', container], { stdio: 'ignore' });
  exported = factsOf(join(root, 'export.tar'));
  const docker = connectDocker();
  const image = await findImage(docker, IMAGE);
  if (!image) throw new Error('docker import left no image');
  mkdirSync(join(root, 'work'));
  tree = mergeLayers(
    await saveLayers(docker, image, join(root, 'work'), () => {}, new AbortController().signal),
  );
});

describe.each(['ext4', 'xfs'] as const)('%s', (type) => {
  const partition = join(root, `partition.${type}`);

  beforeAll(() => {
    writePlan(planFilesystem(tree, { type, size: 512 * 2 ** 20 }, 'modern'), partition);
  });

  test('its own checker finds nothing to mend', () => {
    if (type === 'ext4') execFileSync('/sbin/e2fsck', ['-fn', partition], { stdio: 'ignore' });
    else execFileSync('/sbin/xfs_repair', ['-n', partition], { stdio: 'ignore' });
  });

  test('a kernel shows the files that docker export shows', () => {
    const tar = join(root, `${type}.tar`);
    writeFileSync(tar, inMounted(partition, 'ro', 'tar --format=pax --numeric-owner -cf - .'));
    const found = factsOf(tar);
    expect([...found.keys()].sort()).toEqual([...exported.keys()].sort());
    for (const [path, facts] of exported) expect({ path, ...found.get(path) }).toEqual({ path, ...facts });
  });

  test('every xattr of the tar is there', () => {
    const names = [...written].filter(([, { xattrs }]) => xattrs.size > 0);
    expect(names.length).toBeGreaterThan(4);
    for (const [path, { xattrs }] of names)
      for (const [name, value] of xattrs) {
        // One value a call, and nothing between its bytes: names and values may hold anything.
        const script = 'getfattr --absolute-names --only-values -n "$(cat)" -- "$(cat "$3.path")"';
        writeFileSync(`${partition}.mnt.path`, Buffer.from(path, 'latin1'));
        const seen = inMounted(partition, 'ro', script, Buffer.from(name, 'latin1')).toString('latin1');
        expect([path, name, seen]).toEqual([path, name, value]);
      }
  });
});

function byPath(entries: readonly Listed[]): Map<string, Listed> {
  return new Map(entries.map((entry) => [entry.path.replace(/^\.\//, '').replace(/\/$/, ''), entry]));
}

/** What a tar says of each path, content by its hash; a hard link has what its first name has. */
function factsOf(tar: string): Map<string, object> {
  const found = new Map<string, object>();
  for (const [path, entry] of byPath(listTar({ path: tar, offset: 0, bytes: statSync(tar).size }))) {
    // Docker and the builder put mount points there, the filesystem its own folder.
    if (/^($|lost\+found|\.dockerenv|(dev|proc|sys|run|tmp|etc)($|\/))/.test(path)) continue;
    const { type, mode, uid, gid, size, mtime, link, major, minor } = entry;
    if (type === 'hardlink') {
      const first = found.get(link.replace(/^\.\//, ''));
      expect(first, `${path} → ${link}`).toBeDefined();
      found.set(path, first ?? {});
      continue;
    }
    found.set(path, { type, mode, uid, gid, size, mtime, link, major, minor, content: contentHash(entry) });
  }
  return found;
}

function contentHash({ content }: Listed): string {
  const digest = createHash('sha256');
  for (const { file, offset, bytes } of content) {
    const data = Buffer.alloc(bytes);
    readSync(openFile(file), data, 0, bytes, offset);
    digest.update(data);
  }
  return digest.digest('hex');
}

const open = new Map<string, number>();
function openFile(path: string): number {
  const file = open.get(path) ?? openSync(path, 'r');
  open.set(path, file);
  return file;
}
