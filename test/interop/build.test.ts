import { execFileSync, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { dataExtents } from '../../server/blobs/data-extents.ts';
import { discardDraft } from '../../server/blobs/image-draft.ts';
import { imageFiles } from '../../server/blobs/image-files.ts';
import { packReaders } from '../../server/blobs/pack-readers.ts';
import { imageFolder, packPath } from '../../server/blobs/places.ts';
import { readData } from '../../server/blobs/read-data.ts';
import { readRaw } from '../../server/blobs/read-raw.ts';
import { runBuild } from '../../server/build/builder.ts';
import type { BuildProgress, BuildResult, BuiltImage } from '../../server/build/messages.ts';
import type { Digest } from '../../server/core/digest.ts';
import { layOutFrames, parseIndex } from '../../server/core/image-index.ts';
import type { ChunkPlace } from '../../server/core/ports.ts';
import { listExt4 } from '../build/ext4-listing.ts';
import { listTar } from '../build/tree/tar-listing.ts';
import { LABEL } from '../fixtures/container-label.ts';
import { READY, standInInitrd } from './stand-in.ts';

const root = mkdtempSync(join(tmpdir(), 'warmboot-build-'));
const dataDir = join(root, 'data');
const imagesDir = join(root, 'images');
afterAll(() => rmSync(root, { recursive: true, force: true }));

/** What rows would say. */
const places = new Map<string, ChunkPlace>();
let progress: BuildProgress[] = [];
let builds = 0;

function folder(name: string, files: Readonly<Record<string, string>>): void {
  mkdirSync(join(imagesDir, name), { recursive: true });
  for (const [file, text] of Object.entries(files)) writeFileSync(join(imagesDir, name, file), text);
}

async function build(
  name: string,
  signal = new AbortController().signal,
  { into = dataDir, onProgress = (_: BuildProgress): void => {} } = {},
): Promise<BuildResult> {
  builds += 1;
  progress = [];
  const result = await runBuild(
    { id: `build-${builds}`, name },
    {
      dataDir: into,
      imagesDir,
      lookup: async (sha256s) =>
        new Map(
          sha256s
            .flatMap((each) => [[each, places.get(each)] as const])
            .filter((pair): pair is [string, ChunkPlace] => pair[1] !== undefined),
        ),
      onProgress: (each) => {
        progress.push(each);
        onProgress(each);
      },
      discard: (id) => discardDraft(into, id),
      signal,
    },
  );
  if (result.kind === 'tool') return result;
  const id = `build-${builds}`;
  await imageFiles(into, packReaders()).publish(id, result.digest as Digest);
  for (const { sha256, ...place } of result.chunks) places.set(sha256, { packId: id, ...place });
  return result;
}

const DOCKERFILE = `FROM debian:trixie
COPY --from=warmboot/test-tool /tool /usr/bin/tool
RUN mkdir -p /t/sub /t/dir && cd /t && echo base > keep && echo gone > gone && echo x > sub/x && ln keep hard \\
 && echo two > twin && ln twin twin2 && echo f > file-then-dir && touch dir/in && ln -s keep link && mkfifo fifo && mknod node c 5 1 && chown 1234:5678 fifo && chmod 2750 dir \\
 && printf x > "$(printf 'new\\nline')" && printf x > "$(printf 'bytes\\377\\376')" && truncate -s 3M sparse && touch -d @86400 keep
RUN cd /t && rm gone && rm -rf sub && mkdir sub && echo y > sub/y && rm file-then-dir && mkdir file-then-dir && touch file-then-dir/z \\
 && rm -rf dir && echo now > dir && echo more >> hard && rm link && ln -s elsewhere link && setcap cap_net_raw+ep keep 2>/dev/null || true
`;
const IMAGE = { kind: 'os', filesystem: { type: 'ext4', size: '512MiB' }, append: 'console=tty0' };

beforeAll(() => {
  folder('test-tool', {
    Dockerfile: 'FROM scratch\nCOPY tool /tool\n',
    'image.json': '{"kind":"tool"}',
    tool: 'tool',
  });
  folder('test-os', {
    Dockerfile: DOCKERFILE + READY,
    'image.json': JSON.stringify(IMAGE),
    'initrd.img': standInInitrd().toString('latin1'),
  });
});

/** The image as it is stored, as a file. */
async function rawImage(result: BuiltImage): Promise<string> {
  const text = readFileSync(join(imageFolder(dataDir, result.digest), 'index.json'), 'utf8');
  const index = parseIndex(text);
  if (!index.ok || !index.value.filesystem) throw new Error('index');
  expect(`sha256:${createHash('sha256').update(text).digest('hex')}`).toBe(result.digest);
  const file = join(root, `${builds}.raw`);
  writeFileSync(file, '');
  const range = { start: 0, end: index.value.filesystem.bytes };
  for await (const part of readRaw(dataDir, index.value.chunks, (each) => places.get(each), range))
    writeFileSync(file, part, { flag: 'a' });
  return file;
}

let first: BuiltImage;

test('a Dockerfile becomes an image whose filesystem is what docker export shows', async () => {
  first = (await build('test-os')) as BuiltImage;
  expect(first.kind).toBe('os');
  expect(progress.map(({ phase }) => phase)).toEqual(expect.arrayContaining(['docker', 'layers', 'pack']));
  const raw = await rawImage(first);
  execFileSync('/sbin/e2fsck', ['-fn', raw], { stdio: 'ignore' });

  const tar = join(root, 'export.tar');
  const container = execFileSync('docker', ['create', ...LABEL, 'warmboot/test-os', 'x'], {
    encoding: 'utf8',
  }).trim();
  execFileSync('docker', ['export', '-o', tar, container]);
  execFileSync('docker', ['rm', container]);
  const onDisk = listExt4(raw);
  const expected = exported(tar);
  expect([...onDisk.keys()].filter((path) => !isDockers(path)).sort()).toEqual([...expected.keys()].sort());
  for (const [path, wanted] of expected)
    expect({ path, ...onDisk.get(path) }).toMatchObject({ path, ...wanted });
  for (const [name, target] of hardLinks(tar))
    expect([name, onDisk.get(name)?.ino]).toEqual([name, onDisk.get(target)?.ino]);
});

test('data is what the frames of its chunks make, in the order of the index', async () => {
  const folder = imageFolder(dataDir, first.digest);
  const index = parseIndex(readFileSync(join(folder, 'index.json'), 'utf8'));
  if (!index.ok) throw new Error('index');
  expect(index.value).toMatchObject({
    kind: 'os',
    os: { id: 'debian', version: '13' },
    kernel: { release: '6.1.0-test', bytes: 7 },
  });
  const laid = layOutFrames(first.digest as Digest, index.value.chunks, (each) => places.get(each)?.bytes);
  if (!laid.ok) throw new Error(laid.reason);
  const extents = dataExtents(laid.value, places);
  expect(extents).toHaveLength(1);
  let bytes = 0;
  for await (const part of readData(dataDir, extents, { start: 0, end: laid.value.bytes }))
    bytes += part.length;
  expect([bytes, statSync(packPath(dataDir, 'build-1')).size]).toEqual([first.dataBytes, first.packBytes]);
});

test('the same again: same digest, nothing stored twice', async () => {
  const again = (await build('test-os')) as BuiltImage;
  expect(again).toMatchObject({
    digest: first.digest,
    packBytes: 0,
    chunks: [],
    reusedChunks: first.chunkCount,
  });
  expect(again.reusedChunks).toBeGreaterThan(0);
  expect(readdirSync(join(dataDir, 'packs'))).toEqual(['build-1.pack']);
});

test('one more layer costs little more than what is in it', async () => {
  const more = 'RUN head -c 500000 /dev/urandom > /t/random\n';
  folder('test-os', { Dockerfile: DOCKERFILE + READY + more });
  const next = (await build('test-os')) as BuiltImage;
  expect(next.digest).not.toBe(first.digest);
  expect(next.packBytes).toBeGreaterThan(500_000);
  expect(next.packBytes).toBeLessThan(1_000_000);
  const raw = await rawImage(next);
  expect(listExt4(raw).get('t/random')).toMatchObject({ size: 500_000 });
});

test('a tool is only built in Docker', async () => {
  expect(await build('test-tool')).toMatchObject({ kind: 'tool', reference: 'warmboot/test-tool:latest' });
});

test('a step that fails is named, with its exit code and what it said', async () => {
  folder('test-fails', {
    Dockerfile: 'FROM debian:trixie\nRUN echo about to fail; echo really >&2; exit 7\n',
    'image.json': JSON.stringify(IMAGE),
  });
  const failure = build('test-fails');
  await expect(failure).rejects.toMatchObject({ code: 'dockerfile' });
  const message = await failure.catch((error: Error) => error.message);
  expect(message).toMatch(/RUN echo about to fail.*exit code 7/);
  // stdout and stderr come through pipes of their own: their order is not kept.
  expect(message).toContain('  | about to fail');
  expect(message).toContain('  | really');
  expect(message).not.toContain('at Object.');
});

test('an image that could not boot is refused with the lines to add', async () => {
  folder('test-bare', { Dockerfile: 'FROM debian:trixie\n', 'image.json': JSON.stringify(IMAGE) });
  const message = await build('test-bare').catch((error: Error) => error.message);
  expect(message).toContain('there is no kernel');
  expect(message).toContain('add: COPY --from=warmboot/agent / /');
  expect(existsSync(join(dataDir, 'builds', `build-${builds}`, 'work'))).toBe(false);
  expect(readFileSync(join(dataDir, 'builds', `build-${builds}`, 'log'), 'utf8')).toContain(
    'there is no kernel',
  );
});

test('faults of the recipe are told before anything is built', async () => {
  folder('test-odd', {
    Dockerfile: 'FROM scratch\n',
    'image.json': '{"kind":"os","filesystem":{"type":"ext4","size":"2GB"},"colour":1}',
  });
  await expect(build('test-odd')).rejects.toMatchObject({
    code: 'recipe',
    message: expect.stringContaining('filesystem.size'),
  });
  await expect(build('test-none')).rejects.toMatchObject({ code: 'recipe' });
  folder('test-loop', { Dockerfile: 'FROM warmboot/test-loop\n', 'image.json': '{"kind":"tool"}' });
  await expect(build('test-loop')).rejects.toMatchObject({
    code: 'recipe',
    message: expect.stringContaining('need each other'),
  });
});

test('stopped in the middle: nothing remains but the log', async () => {
  folder('test-slow', {
    Dockerfile: 'FROM debian:trixie\nRUN sleep 900\n',
    'image.json': JSON.stringify(IMAGE),
  });
  const stop = new AbortController();
  const running = build('test-slow', stop.signal);
  await expect.poll(() => progress.some(({ message }) => message.includes('sleep 900'))).toBe(true);
  stop.abort();
  // Long before it would have ended by itself.
  await expect(running).rejects.toMatchObject({ code: 'interrupted' });
  expect(readdirSync(join(dataDir, 'images')).filter((name) => name.startsWith('.'))).toEqual([]);
});

describe('a data folder on a disk that is full', () => {
  const small = join(root, 'small');
  afterEach(() => execFileSync('umount', [small]));

  function mount(size: string): void {
    mkdirSync(small, { recursive: true });
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${size}`, 'tmpfs', small]);
  }
  const left = () =>
    readdirSync(small, { recursive: true, encoding: 'utf8' }).filter(
      (name) => /pack|images\/./.test(name) && name !== 'packs',
    );

  test('is refused before the work, with what is needed and what is free', async () => {
    mount('16m');
    await expect(build('test-os', undefined, { into: small })).rejects.toMatchObject({
      code: 'no-space',
      message: expect.stringMatching(/needs about \d+ MiB, \d+ MiB are free/),
    });
    expect(left()).toEqual([]);
  });

  test('that fills up in the middle fails the build, and nothing of it can be seen', async () => {
    mount('1g');
    let isFull = false;
    const fill = ({ message }: BuildProgress): void => {
      if (isFull || !message.startsWith('merging')) return;
      isFull = true;
      try {
        for (;;) writeFileSync(join(small, 'others'), Buffer.alloc(1024 * 1024), { flag: 'a' });
      } catch {
        // Full, as wanted.
      }
    };
    await expect(build('test-os', undefined, { into: small, onProgress: fill })).rejects.toMatchObject({
      code: 'no-space',
    });
    expect(isFull).toBe(true);
    expect(left()).toEqual([]);
  });
});

test('the build’s process ends when its parent is killed', async () => {
  const script = join(root, 'parent.mts');
  const builder = new URL('../../server/build/builder.ts', import.meta.url).href;
  writeFileSync(
    script,
    `import { runBuild } from ${JSON.stringify(builder)};
     await runBuild({ id: 'orphan', name: 'test-slow' }, { dataDir: ${JSON.stringify(dataDir)}, imagesDir: ${JSON.stringify(imagesDir)},
       lookup: async () => new Map(), discard: async () => {}, onProgress: ({ message }) => console.log(message), signal: new AbortController().signal });`,
  );
  const parent = spawn(process.execPath, [script], {
    cwd: new URL('../..', import.meta.url),
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  // Leaving a loop over stdout would close it, and the parent would die of that instead.
  await new Promise<void>((resolve) => {
    parent.stdout.on('data', (data) => String(data).includes('sleep 900') && resolve());
  });
  const children = () =>
    execFileSync('sh', ['-c', `pgrep -P ${parent.pid} || true`], { encoding: 'utf8' })
      .trim()
      .split('\n');
  const child = Number(children().pop());
  expect(child).toBeGreaterThan(0);
  parent.kill('SIGKILL');
  const alive = () =>
    existsSync(`/proc/${child}/environ`) &&
    readFileSync(`/proc/${child}/cmdline`, 'utf8').includes('build-child');
  await expect.poll(alive).toBe(false);
});

/** Paths where Docker puts something into a container, or Warmboot something into an image. */
function isDockers(path: string): boolean {
  return /^(dev|proc|sys|run|tmp)\/|^\.dockerenv$|^etc\/(hostname|hosts|resolv\.conf|mtab|machine-id)$/.test(
    path,
  );
}

/** Second names and the first ones. */
function hardLinks(tar: string): [string, string][] {
  const entries = listTar({ path: tar, offset: 0, bytes: statSync(tar).size });
  return entries.flatMap(({ path, type, link }) => (type === 'hardlink' ? [[path, link]] : []));
}

/** The same facts from a tar; hard links have what their target has. */
function exported(tar: string) {
  const kinds = {
    file: 0o100000,
    directory: 0o040000,
    symlink: 0o120000,
    character: 0o020000,
    block: 0o060000,
    fifo: 0o010000,
  };
  const found = new Map<string, object>();
  for (const entry of listTar({ path: tar, offset: 0, bytes: statSync(tar).size })) {
    const path = entry.path.replace(/\/$/, '');
    if (path === '' || isDockers(path)) continue;
    if (entry.type === 'hardlink') {
      found.set(path, found.get(entry.link) ?? {});
      continue;
    }
    const { uid, gid, mtime } = entry;
    const target =
      entry.type === 'symlink'
        ? entry.link
        : entry.type === 'character'
          ? `${entry.major}:${entry.minor}`
          : '';
    const facts = { mode: kinds[entry.type] | entry.mode, uid, gid, target };
    // Docker itself touches these when it makes the container.
    const touched = ['dev', 'etc', 'proc', 'sys', 'run', 'tmp'].includes(path);
    found.set(path, {
      ...facts,
      ...(touched ? {} : { mtime }),
      ...(entry.type === 'file' ? { size: entry.size } : {}),
    });
  }
  return found;
}
