import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { scanTar } from '../../server/build/tree/tar-scan.ts';
import { readStart } from '../../server/build/tree/tree-file.ts';
import { contextTar } from '../../server/docker-context/context-tar.ts';
import { openContext } from '../../server/docker-context/open-context.ts';

const root = mkdtempSync(join(tmpdir(), 'warmboot-context-'));
afterAll(() => rmSync(root, { recursive: true }));
let folders = 0;

function files(content: Readonly<Record<string, string>>): string {
  folders += 1;
  const folder = join(root, `${folders}`);
  for (const [name, text] of Object.entries(content)) {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), text);
  }
  return folder;
}

async function bytes(folder: string, file?: string, skipped: string[] = []): Promise<Buffer> {
  const parts: Buffer[] = [];
  const context = await openContext(folder, file);
  for await (const part of contextTar(context, (path) => skipped.push(path))) parts.push(part as Buffer);
  return Buffer.concat(parts);
}

/** Name → text, or null for what is no file. */
async function sent(folder: string, file?: string): Promise<Record<string, string | null>> {
  const tar = join(root, 'sent.tar');
  const data = await bytes(folder, file);
  writeFileSync(tar, data);
  const entries = [...scanTar({ path: tar, offset: 0, bytes: data.length })];
  return Object.fromEntries(
    entries.map((entry) => {
      if (!('inode' in entry)) throw new Error('a hard link');
      const isFile = entry.inode.meta.type === 'file';
      return [entry.path.replace(/\/$/, ''), isFile ? readStart(entry.inode, 1000).toString() : null];
    }),
  );
}

function folder(name: string, order: readonly string[], time: number, mode: number): string {
  const path = join(root, name);
  mkdirSync(join(path, 'sub'), { recursive: true });
  for (const file of order) {
    writeFileSync(join(path, file), file);
    chmodSync(join(path, file), mode);
    utimesSync(join(path, file), time, time);
  }
  chmodSync(join(path, 'run.sh'), 0o755);
  symlinkSync('run.sh', join(path, 'link'));
  return path;
}

test('the same files give the same tar, whoever made them and when', async () => {
  const names = ['Dockerfile', 'run.sh', 'sub/b', 'sub/a', 'é'];
  const one = await bytes(folder('one', names, 1000, 0o600));
  const two = await bytes(folder('two', [...names].reverse(), 2_000_000, 0o664));
  expect(createHash('sha256').update(one).digest('hex')).toBe(createHash('sha256').update(two).digest('hex'));
  writeFileSync(join(root, 'one.tar'), one);
  const entries = [...scanTar({ path: join(root, 'one.tar'), offset: 0, bytes: one.length })];
  const facts = entries.map((entry) => {
    if (!('inode' in entry)) throw new Error('a hard link');
    const { mode, uid, mtime } = entry.inode.meta;
    return [entry.path.replace(/\/$/, ''), mode, uid, mtime];
  });
  expect(facts).toEqual([
    ['Dockerfile', 0o644, 0, 0],
    ['link', 0o777, 0, 0],
    ['run.sh', 0o755, 0, 0],
    ['sub', 0o755, 0, 0],
    ['sub/a', 0o644, 0, 0],
    ['sub/b', 0o644, 0, 0],
    [Buffer.from('é').toString('latin1'), 0o644, 0, 0],
  ]);
});

test('.dockerignore leaves out; Dockerfile and image.json go along whatever it says', async () => {
  const context = files({
    Dockerfile: 'FROM scratch',
    'image.json': '{}',
    '.dockerignore': '*\n!src\nsrc/*.log\n!deep/down/here\n',
    'src/a': 'a',
    'src/a.log': '',
    'deep/down/here': 'x',
    'deep/down/there': '',
    'deep/other/x': '',
    'node_modules/x/y': '',
  });
  expect(await sent(context)).toEqual({
    '.dockerignore': '*\n!src\nsrc/*.log\n!deep/down/here\n',
    Dockerfile: 'FROM scratch',
    deep: null,
    'deep/down': null,
    'deep/down/here': 'x',
    'image.json': '{}',
    src: null,
    'src/a': 'a',
  });
});

test('the ignore file beside the Dockerfile comes before the one of the context', async () => {
  const context = files({
    'docker/web.Dockerfile': 'FROM web',
    'docker/web.Dockerfile.dockerignore': 'a\ndocker',
    '.dockerignore': 'b',
    a: '',
    b: '',
  });
  const file = join(context, 'docker/web.Dockerfile');
  expect(Object.keys(await sent(context, file))).toEqual([
    '.dockerignore',
    'b',
    'docker',
    'docker/web.Dockerfile',
    'docker/web.Dockerfile.dockerignore',
  ]);
});

test('a Dockerfile from elsewhere goes along under a name of ours, with its image.json', async () => {
  const elsewhere = files({
    Other: 'FROM other',
    'Other.dockerignore': 'b',
    'image.json': '{"kind":"tool"}',
    more: '',
  });
  const context = files({ a: 'a', b: '', 'image.json': 'own' });
  expect((await openContext(context, join(elsewhere, 'Other'))).dockerfile).toBe(
    '.warmboot-build/Dockerfile',
  );
  expect(await sent(context, join(elsewhere, 'Other'))).toEqual({
    a: 'a',
    'image.json': 'own',
    '.warmboot-build/Dockerfile': 'FROM other',
    '.warmboot-build/Dockerfile.dockerignore': 'b',
    '.warmboot-build/image.json': '{"kind":"tool"}',
  });
});

test('what cannot be sent is told, and the rest is sent', async () => {
  const context = files({ Dockerfile: '', 'sub/a': '' });
  execFileSync('mkfifo', [join(context, 'sub/pipe')]);
  const skipped: string[] = [];
  await bytes(context, undefined, skipped);
  expect(skipped).toEqual(['sub/pipe']);
});

test('what is missing is said in a sentence', async () => {
  const context = files({ Dockerfile: '', a: '' });
  await expect(openContext(join(root, 'none'))).rejects.toThrow(/^The context .*none does not exist\.$/);
  await expect(openContext(join(context, 'a'))).rejects.toThrow('is no folder');
  await expect(openContext(context, join(context, 'Nope'))).rejects.toThrow(
    /^The Dockerfile .*Nope does not exist\.$/,
  );
  await expect(openContext(root, context)).rejects.toThrow('is a folder');
  const odd = files({ Dockerfile: '', '.dockerignore': '[' });
  await expect(openContext(odd)).rejects.toThrow('Line 1 of .dockerignore');
});

test('a file that went away in the middle ends the tar with its name', async () => {
  const context = await openContext(files({ Dockerfile: '', z: 'x' }));
  rmSync(join(context.folder, 'Dockerfile'));
  rmSync(context.folder, { recursive: true });
  const reading = async () => {
    for await (const _ of contextTar(context)) {
      // Only read.
    }
  };
  await expect(reading()).rejects.toThrow(/in the context does not exist/);
});
