import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { needPrograms } from '../../lab/child.ts';
import {
  type FileSet,
  filesTold,
  MOST_FILE_BYTES,
  MOST_FILES,
  MOST_SET_BYTES,
  modeText,
  ownerText,
  packed,
  type SaidFile,
  unpacked,
  withFile,
  withoutFile,
} from '../../server/core/file-set.ts';
import { unusablePath } from '../../server/core/host-file-path.ts';
import { attempt, claimWith, hostWith } from '../fixtures/hosts.ts';

const sha256Hex = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');
const bytes = (text: string) => new TextEncoder().encode(text);
const put = (files: FileSet, path: string, more: Partial<SaidFile> = {}) =>
  withFile(files, { path, content: bytes(path), ...more });

const part = fc.stringMatching(/^[A-Za-z0-9._@+:,=~-]{1,12}$/);
const path = fc
  .array(part, { minLength: 1, maxLength: 7 })
  .map((parts) => parts.join('/'))
  .filter((text) => unusablePath(text) === null);
const name = fc.stringMatching(/^[a-z_][a-z0-9_-]{0,30}$/);
const said: fc.Arbitrary<SaidFile> = fc.record({
  path,
  mode: fc.integer({ min: 0, max: 0o777 }).map(modeText),
  owner: fc.oneof(
    name,
    fc.tuple(name, name).map((both) => both.join(':')),
  ),
  content: fc.uint8Array({ maxLength: 3000 }),
});
/** What fits together: no path is another's folder. */
const sets = fc.uniqueArray(said, { minLength: 1, maxLength: 12, selector: (file) => file.path }).map((all) =>
  all.reduce<FileSet>((files, file) => {
    try {
      return withFile(files, file);
    } catch {
      return files;
    }
  }, []),
);
const byPath = (files: FileSet) => files.toSorted((one, other) => (one.path < other.path ? -1 : 1));
const packedOf = (files: FileSet) => {
  const set = packed(files, sha256Hex);
  if (!set) throw new Error('no files');
  return set;
};

describe('the tar of a set', () => {
  test('gives back what was put in, and is the same bytes in whatever order that came', () => {
    fc.assert(
      fc.property(sets, (files) => {
        const set = packedOf(files);
        expect(unpacked(set.tar)).toEqual(byPath(files));
        expect(packedOf(files.toReversed())).toEqual(set);
        expect([set.bytes, set.sha256]).toEqual([set.tar.length, sha256Hex(set.tar)]);
        expect(set.tar.length % 512).toBe(0);
      }),
    );
  });

  test('is these very bytes: hosts keep it by its sha256', () => {
    const files = put(put([], 'root/.ssh/authorized_keys', { mode: '600' }), 'etc/motd', {
      owner: 'www-data:adm',
    });
    expect(packedOf(files).sha256).toMatchInlineSnapshot(
      `"46b29dccf001856c6c8be506ed69f854d40266e3872a8a9ec3b062b785a01e46"`,
    );
  });

  test('is read by GNU tar and by busybox as what it is', () => {
    // Else fast-check would try to find a smaller set that does not start it either.
    needPrograms('tar', 'busybox');
    fc.assert(
      fc.property(sets, (files) => {
        const dir = mkdtempSync(join(tmpdir(), 'warmboot-file-set-'));
        try {
          const tar = join(dir, 'set.tar');
          writeFileSync(tar, packedOf(files).tar);
          const listed = execFileSync('tar', ['--utc', '-tvf', tar], { encoding: 'utf8' });
          expect(listed.trimEnd().split('\n').map(member)).toEqual(
            byPath(files).map((file) => ({
              mode: letters(file.mode),
              owner: `${file.owner}/${file.group}`,
              bytes: String(file.content.length),
              path: file.path,
            })),
          );
          const names = execFileSync('busybox', ['tar', '-tf', tar], { encoding: 'utf8' });
          expect(names.trimEnd().split('\n')).toEqual(byPath(files).map((file) => file.path));
          for (const [folder, ...command] of [
            ['gnu', 'tar', '--same-permissions', '--no-same-owner'],
            ['busybox', 'busybox', 'tar', '-o', '-p'],
          ] as const) {
            const to = join(dir, folder);
            execFileSync('mkdir', [to]);
            const [program = '', ...options] = command;
            execFileSync(program, [...options, '-xf', tar, '-C', to]);
            for (const { path: at, content, mode } of files) {
              execFileSync('chmod', ['u+r', join(to, at)]);
              expect(readFileSync(join(to, at)).equals(content)).toBe(true);
              expect(statSync(join(to, at)).mode & 0o377).toBe(mode & 0o377);
            }
          }
        } finally {
          rmSync(dir, { recursive: true, force: true });
        }
      }),
      { numRuns: 25 },
    );
  });

  test('is read strictly: anything else is a mistake in the database', () => {
    const { tar } = packedOf(put([], 'etc/motd'));
    const cut = tar.subarray(0, 600);
    const foreign = Uint8Array.from(tar);
    foreign[156] = '2'.charCodeAt(0);
    const flipped = Uint8Array.from(tar);
    flipped[0] = 'x'.charCodeAt(0);
    for (const wrong of [cut, foreign, flipped, tar.subarray(0, 512)])
      expect(() => unpacked(wrong)).toThrow(/tar/);
    expect(unpacked(null)).toEqual([]);
    expect(packed([], sha256Hex)).toBeNull();
  });
});

describe('a file', () => {
  test('is 0644 and of root where nobody says otherwise, and stays as it is when only its content is new', () => {
    const first = put([], 'etc/motd');
    expect(first.map((file) => [modeText(file.mode), ownerText(file)])).toEqual([['0644', 'root']]);
    const closed = put(first, 'etc/motd', { mode: '0600', owner: 'mail' });
    expect(
      put(closed, 'etc/motd', { content: bytes('new') }).map((file) => [
        modeText(file.mode),
        ownerText(file),
      ]),
    ).toEqual([['0600', 'mail']]);
    expect(put(closed, 'etc/motd', { owner: 'mail:adm' }).map(ownerText)).toEqual(['mail:adm']);
  });

  test.each(['4755', '2755', '1777', '04755', '00644', '8', '64', '0o644', '-644', 'u+x', ''])(
    'has no mode %j',
    (mode) => {
      expect(() => put([], 'etc/motd', { mode })).toThrow(/three octal digits/);
    },
  );

  test.each([
    '',
    'Root',
    '0',
    '0:0',
    'a b',
    'root:',
    ':root',
    'a:b:c',
    'x'.repeat(32),
    '../x',
    "a'b",
    'root\n',
  ])('has no owner %j', (owner) => {
    expect(() => put([], 'etc/motd', { owner })).toThrow(/name of a user/);
  });

  test('is no folder of another', () => {
    const files = put([], 'etc/site.d/one');
    expect(() => put(files, 'etc/site.d')).toThrow(/file and a folder/);
    expect(() => put(files, 'etc/site.d/one/two')).toThrow(/file and a folder/);
    expect(put(files, 'etc/site.d/two').length).toBe(2);
    expect(put(files, 'etc/site.d-x').length).toBe(2);
  });

  test('can be taken away, once', () => {
    const files = put(put([], 'etc/motd'), 'etc/issue');
    expect(withoutFile(files, 'etc/motd')?.map((file) => file.path)).toEqual(['etc/issue']);
    expect(withoutFile(files, 'etc/mot')).toBeNull();
  });
});

describe('limits', () => {
  const many = Array.from({ length: MOST_FILES }, (_, at) => `etc/f${at}`);

  test('as many as there may be, and one more', () => {
    const full = many.reduce<FileSet>((files, at) => put(files, at), []);
    expect(full.length).toBe(MOST_FILES);
    expect(() => put(full, 'etc/more')).toThrow(/at most 64 files/);
    expect(put(full, 'etc/f0', { content: bytes('replaced') }).length).toBe(MOST_FILES);
  });

  test('as large as they may be, and a byte more', () => {
    const half = put([], 'etc/a', { content: new Uint8Array(MOST_FILE_BYTES / 2) });
    const full = put(half, 'etc/b', { content: new Uint8Array(MOST_FILE_BYTES / 2) });
    expect(() => put(full, 'etc/c', { content: bytes('x') })).toThrow(/262144 bytes at most.*262145/);
    expect(() => put(full, 'etc/c', { content: new Uint8Array() })).not.toThrow();
    expect(() => put(half, 'etc/b', { content: new Uint8Array(MOST_FILE_BYTES / 2 + 1) })).toThrow(/at most/);
  });

  test('the largest tar there can be', () => {
    const each = MOST_FILE_BYTES / MOST_FILES;
    const odd = many.map((at, index) => ({ at, size: each + (index % 2 === 0 ? 1 : -1) }));
    const files = odd.reduce<FileSet>(
      (all, { at, size }) => put(all, at, { content: new Uint8Array(size) }),
      [],
    );
    expect(packedOf(files).bytes).toBeLessThanOrEqual(MOST_SET_BYTES);
  });
});

describe('a host is told of its files', () => {
  const files = { sha256: 'f'.repeat(64), bytes: 2048 };
  const told = (facts: Parameters<typeof hostWith>[0]) =>
    filesTold(hostWith({ ...facts, enrolment: { files, ...facts?.enrolment } }));

  test('where it has a token, or is about to make one', () => {
    expect(told({ enrolment: { claim: claimWith() } })).toEqual(files);
    expect(told({ attempt: { kind: 'install' } })).toEqual(files);
    expect(told({})).toBeNull();
    expect(told({ attempt: { kind: 'switch' } })).toBeNull();
    expect(told({ attempt: { ...attempt({ kind: 'install' }), outcome: 'failed' } })).toBeNull();
  });

  test('while it takes part', () => {
    for (const status of ['retired', 'discovered', 'ignored'] as const)
      expect(told({ enrolment: { status, claim: claimWith() } })).toBeNull();
  });
});

/** A line of `tar -tv`. */
function member(line: string) {
  const [mode, owner, size, , , ...rest] = line.split(/ +/);
  return { mode, owner, bytes: size, path: rest.join(' ') };
}

function letters(mode: number): string {
  const three = (bits: number) => `${bits & 4 ? 'r' : '-'}${bits & 2 ? 'w' : '-'}${bits & 1 ? 'x' : '-'}`;
  return `-${three(mode >> 6)}${three(mode >> 3)}${three(mode)}`;
}
