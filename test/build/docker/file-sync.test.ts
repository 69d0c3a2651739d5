import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { fileSync, inOrder } from '../../../server/build/docker/file-sync.ts';
import { bytesField, fields, numberField } from '../../../server/build/docker/protobuf.ts';
import { defaultDirectory, emptyFile, FileTree } from '../../../server/filesystems/file-tree.ts';
import type { Inode } from '../../../server/filesystems/node.ts';

const folder = mkdtempSync(join(tmpdir(), 'warmboot-sync-'));
afterAll(() => rmSync(folder, { recursive: true }));
const stored = join(folder, 'stored');
writeFileSync(stored, 'xxHELLOxxWORLD');

/** A file of 200,000 bytes with HELLO at its start, WORLD at 100,000, and holes. */
const sparse: Inode = {
  meta: { ...emptyFile(0o755).meta, size: 200_000 },
  content: [
    { at: 0, bytes: 5, file: stored, offset: 2 },
    { at: 100_000, bytes: 5, file: stored, offset: 9 },
  ],
};
const link: Inode = { meta: { ...emptyFile(0o777).meta, type: 'symlink', link: 'a/b' }, content: [] };

function tree(files: Readonly<Record<string, Inode>>): FileTree {
  const made = new FileTree();
  for (const [path, inode] of Object.entries(files)) made.put(path, 0, inode);
  return made;
}

const request = (id: number) => Buffer.concat([numberField(1, 1), numberField(3, id)]);
const FIN = numberField(1, 3);

/** What BuildKit would see: packets by kind. */
async function talk(files: FileTree, messages: readonly Buffer[]) {
  const told: { path: string; mode: number; size: number; link: string }[] = [];
  const contents = new Map<number, Buffer[]>();
  let fins = 0;
  const asked = (async function* () {
    yield* messages;
  })();
  await fileSync(() => inOrder(files, () => 'no'))({
    headers: {},
    messages: asked,
    send: async (message) => {
      const packet = new Map(fields(message));
      const stat = packet.get(2);
      const id = Number(packet.get(3) ?? 0);
      if (packet.get(1) === 3) fins += 1;
      else if (packet.get(1) === 2)
        contents.set(id, [...(contents.get(id) ?? []), (packet.get(4) as Buffer) ?? Buffer.alloc(0)]);
      else if (Buffer.isBuffer(stat)) {
        const fact = new Map(fields(stat));
        told.push({
          path: String(fact.get(1)),
          mode: Number(fact.get(2)),
          size: Number(fact.get(5)),
          link: String(fact.get(7) ?? ''),
        });
      }
    },
  });
  return { told, contents, fins };
}

const FILES = { b: sparse, 'a/x': emptyFile(0o644), 'a.x': link, a: defaultDirectory() };

test('names are told first, folders before what lies in them, with the modes of Go', async () => {
  const { told, fins } = await talk(tree(FILES), [FIN]);
  expect(told).toEqual([
    { path: 'a', mode: 2 ** 31 + 0o755, size: 0, link: '' },
    { path: 'a/x', mode: 0o644, size: 0, link: '' },
    { path: 'a.x', mode: 2 ** 27 + 0o777, size: 0, link: 'a/b' },
    { path: 'b', mode: 0o755, size: 200_000, link: '' },
  ]);
  expect(fins).toBe(1);
});

test('contents come whole, holes as zeros, each with an empty part at its end', async () => {
  const { contents } = await talk(tree(FILES), [request(3), request(1), FIN]);
  const whole = Buffer.concat(contents.get(3) ?? []);
  const expected = Buffer.alloc(200_000);
  expected.write('HELLO');
  expected.write('WORLD', 100_000);
  expect(whole.equals(expected)).toBe(true);
  expect(contents.get(3)?.at(-1)?.length).toBe(0);
  expect(contents.get(1)).toEqual([Buffer.alloc(0)]);
});

test('a file that cannot be read ends the call', async () => {
  const lost = { ...sparse, content: [{ at: 0, bytes: 5, file: join(folder, 'none'), offset: 0 }] };
  await expect(talk(tree({ lost }), [request(0), FIN])).rejects.toThrow('ENOENT');
});

test('a folder that is there only for what is kept in it goes when nothing is', () => {
  const files = tree({ 'a/b/c': emptyFile(0o644), 'd/e/f': emptyFile(0o644) });
  const kept = inOrder(files, (path, isFolder) => (path === 'd/e/f' ? 'no' : isFolder ? 'if-empty' : 'yes'));
  expect(kept.map(({ path }) => path)).toEqual(['d', 'd/e', 'd/e/f']);
});

test('bytes of any field length', () => {
  expect([...fields(bytesField(4, Buffer.alloc(40_000, 7)))]).toEqual([[4, Buffer.alloc(40_000, 7)]]);
});
