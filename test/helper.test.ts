import { createHash, generateKeyPairSync, sign } from 'node:crypto';
import {
  existsSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { execa } from 'execa';
import fc from 'fast-check';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { compress } from 'zstd-napi';
import { hasStarted } from '../lab/child.ts';
import { codedWith } from '../server/blobs/dictionary-coding.ts';
import { makeHelper } from './fixtures/helper.ts';

/** warmboot-helper, built from source with sanitizers and run as the installer and the agent run it. */

const SOURCE = 'images/agent/helper';
const BLOCK = 4096;

let root: string;
let helper: string;
/** As hosts have it. */
let released: string;
/** The same under the thread sanitizer. */
let threadChecked: string;
let dir: string;

beforeAll(async () => {
  root = mkdtempSync(join(tmpdir(), 'warmboot-helper-'));
  released = await makeHelper('all');
  helper = await makeHelper('sanitized');
  const threads = [`OUT=${join(root, 'threads')}`, 'SANITIZE=thread', 'sanitized'];
  await execa('make', ['-s', '-j2', '-C', SOURCE, ...threads]);
  threadChecked = join(root, 'threads/warmboot-helper-sanitized');
});
afterAll(() => rmSync(root, { recursive: true, force: true }));
beforeEach(() => {
  dir = mkdtempSync(join(root, 'test-'));
});

const sha256 = (data: Uint8Array | string) => createHash('sha256').update(data).digest('hex');

const SANITIZERS = {
  ASAN_OPTIONS: 'exitcode=99',
  UBSAN_OPTIONS: 'exitcode=99',
  TSAN_OPTIONS: 'exitcode=99',
};

interface Outcome {
  code: number | undefined;
  out: string;
  err: string;
}

async function run(args: string[], input: Uint8Array = new Uint8Array(), program = helper): Promise<Outcome> {
  const ended = await execa(program, args, { input, reject: false, env: SANITIZERS });
  const done = hasStarted(program, ended);
  // A program that stops early closes its stdin; what execa could not send is no failure of the program.
  return { code: done.exitCode, out: done.stdout, err: done.stderr };
}

// ---- images ----

interface Run {
  blocks: number;
  /** 0: zeros in no chunk; else a chunk whose content follows from the number. */
  content: number;
}

interface Image {
  raw: Buffer;
  data: Buffer;
  // biome-ignore lint/suspicious/noExplicitAny: the tests bend these documents in every way
  index: any;
  // biome-ignore lint/suspicious/noExplicitAny: the tests bend these documents in every way
  frames: any;
  /** Where each frame begins in data, and the end of the last. */
  starts: number[];
}

/** Half noise and half text, so that frames are neither empty nor incompressible. */
function content(seed: number, bytes: number): Buffer {
  const noise = createHash('shake256', { outputLength: bytes / 2 })
    .update(`${seed}`)
    .digest();
  return Buffer.concat([noise, Buffer.alloc(bytes / 2, `line ${seed}\n`)]);
}

function image(runs: Run[]): Image {
  const pieces: Buffer[] = [];
  const chunks: { offset: number; bytes: number; sha256: string }[] = [];
  const frames: { offset: number; bytes: number; chunk: string }[] = [];
  const data: Buffer[] = [];
  const seen = new Set<string>();
  let offset = 0;
  let dataOffset = 0;
  for (const { blocks, content: seed } of runs) {
    const bytes = blocks * BLOCK;
    const piece = seed === 0 ? Buffer.alloc(bytes) : content(seed, bytes);
    if (seed !== 0) {
      const digest = sha256(piece);
      chunks.push({ offset, bytes, sha256: digest });
      if (!seen.has(digest)) {
        const frame = compress(piece);
        seen.add(digest);
        frames.push({ offset: dataOffset, bytes: frame.length, chunk: digest });
        data.push(frame);
        dataOffset += frame.length;
      }
    }
    pieces.push(piece);
    offset += bytes;
  }
  const index = {
    version: 1,
    requires: [],
    kind: 'os',
    architecture: 'amd64',
    os: { id: 'debian', version: '13', name: 'Debian GNU/Linux 13 (trixie) "é" \\' },
    filesystem: { type: 'ext4', bytes: offset, uuid: '5f0c' },
    kernel: { release: '6.12', bytes: 1, sha256: sha256('kernel') },
    initrd: null,
    append: 'console=tty0 console=ttyS0,115200n8',
    chunking: { algorithm: 'block-crc32', blockBytes: BLOCK, modulus: 16, minBlocks: 4, maxBlocks: 64 },
    chunks,
  };
  return {
    raw: Buffer.concat(pieces),
    data: Buffer.concat(data),
    index,
    frames: {
      version: 1,
      requires: [],
      index: `sha256:${sha256(`${JSON.stringify(index)}\n`)}`,
      compression: 'zstd',
      bytes: dataOffset,
      frames,
    },
    starts: [...frames.map((frame) => frame.offset), dataOffset],
  };
}

const zeros = (blocks: number): Run => ({ blocks, content: 0 });
const chunk = (blocks: number, seed: number): Run => ({ blocks, content: seed });

/** Zeros at both ends and between, one content at three places, chunks of the smallest and largest size. */
const example = image([
  zeros(3),
  chunk(16, 1),
  chunk(64, 2),
  zeros(700),
  chunk(16, 1),
  chunk(1, 3),
  zeros(1),
  chunk(5, 4),
  chunk(16, 1),
  chunk(40, 5),
  zeros(9),
]);

/** Whether it runs; one that ended may still wait for its parent to look. */
function isAlive(pid: number): boolean {
  try {
    return !/^\d+ \(.*\) Z/.test(readFileSync(`/proc/${pid}/stat`, 'latin1'));
  } catch {
    return false;
  }
}

interface Flash {
  readonly device?: string;
  readonly progress?: string;
  readonly streams?: number;
  /** Further arguments. */
  readonly more?: readonly string[];
  /** What the fetcher does, in shell: $1 is the stream, $2 the ranges; `deliver RANGES` prints them. */
  readonly script?: string;
  /** The fetcher, instead of a script. */
  readonly words?: readonly string[];
  /** A command that runs the helper. */
  readonly before?: readonly string[];
  readonly program?: string;
}

/** Prints ranges of $DATA; 1 when it has not all of them. */
const DELIVER = `
  deliver() {
    for range in $(echo "$1" | tr ',' ' '); do
      tail -c +$((\${range%-*} + 1)) "$DATA" | head -c $((\${range#*-} - \${range%-*} + 1))
      [ "\${range#*-}" -lt "$(wc -c < "$DATA")" ] || return 1
    done
  }
  echo "$1 $2" >> "$ASKED"`;

/** Puts an image's documents and a dirty device, `extra` bytes longer than the filesystem, into the folder. */
function place(wanted: Image, extra = BLOCK) {
  const paths = {
    index: join(dir, 'index.json'),
    frames: join(dir, 'frames.json'),
    device: join(dir, 'device'),
    progress: join(dir, 'progress'),
    data: join(dir, 'data'),
    log: join(dir, 'asked'),
  };
  writeFileSync(paths.index, `${JSON.stringify(wanted.index)}\n`);
  writeFileSync(paths.frames, JSON.stringify(wanted.frames));
  writeFileSync(paths.device, Buffer.alloc(wanted.raw.length + extra, 0xa5));
  writeFileSync(paths.data, wanted.data);
  writeFileSync(paths.log, '');
  const started = (how: Flash = {}) => {
    const {
      device = paths.device,
      progress = paths.progress,
      streams = 1,
      more = [],
      script = 'deliver "$2"',
    } = how;
    const { words = ['sh', '-c', `${DELIVER}\n${script}`, 'fetch'], before = [], program = helper } = how;
    const args = [
      'flash',
      paths.index,
      paths.frames,
      device,
      progress,
      `${streams}`,
      ...more,
      '--',
      ...words,
    ];
    const [first = program, ...rest] = [...before, program, ...args];
    const env = { DATA: paths.data, ASKED: paths.log, ...SANITIZERS };
    return execa(first, rest, { reject: false, stdin: 'ignore', env });
  };
  const flash = async (how: Flash = {}): Promise<Outcome> => {
    const { exitCode, stdout, stderr } = hasStarted(
      how.before?.[0] ?? how.program ?? helper,
      await started(how),
    );
    return { code: exitCode, out: stdout, err: stderr };
  };
  const asked = () =>
    readFileSync(paths.log, 'utf8')
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => line.split(' ') as [string, string]);
  return {
    ...paths,
    started,
    flash,
    /** With these bytes as `data`. */
    write: (data: Uint8Array, program = helper) => {
      writeFileSync(paths.data, data);
      return flash({ program });
    },
    /** The ranges that were asked for, one fetcher each. */
    asked: () => asked().map(([, ranges]) => ranges),
    streams: () => asked().map(([stream]) => stream),
    check: (program = helper) => run(['check', paths.index, paths.device], undefined, program),
    content: () => readFileSync(paths.device).subarray(0, wanted.raw.length),
    /** Whether these chunks are on the device. */
    has: (...chunks: number[]) => {
      const device = readFileSync(paths.device);
      return chunks.every((chunk) => {
        const { offset, bytes } = wanted.index.chunks[chunk];
        return device.subarray(offset, offset + bytes).equals(wanted.raw.subarray(offset, offset + bytes));
      });
    },
    rest: () => readFileSync(paths.device).subarray(wanted.raw.length),
    done: () => {
      const line = readFileSync(paths.progress, 'utf8');
      expect(line).toMatch(/^\d+ \d+ \d+ \d+\n$/);
      const [fetched = 0, toFetch = 0, bytes = 0, total = 0] = line.split(' ').map(Number);
      expect(bytes).toBeLessThanOrEqual(total);
      return { fetched, toFetch, bytes, total };
    },
  };
}

const good = { code: 0, out: '', err: '' };
const refused = (code: number, sentence: RegExp) => ({
  code,
  out: '',
  err: expect.stringMatching(new RegExp(`^warmboot-helper: [^\\n]*${sentence.source}[^\\n]*$`)),
});

describe('the program', () => {
  test('is static, stripped and says how it is used', async () => {
    const elf = readFileSync(released);
    expect(elf.includes('/ld-linux')).toBe(false);
    expect(elf.includes('.symtab')).toBe(false);
    for (const args of [[], ['nonsense'], ['flash', 'a'], ['check'], ['grubenv', 'f'], ['digest', 'a', 'b']])
      expect(await run(args, undefined, released)).toEqual(refused(2, /usage: /));
  });

  test('syncs a file or a device, or says why not', async () => {
    writeFileSync(join(dir, 'file'), 'x');
    expect(await run(['sync', join(dir, 'file')])).toEqual(good);
    expect(await run(['sync', join(dir, 'none')])).toEqual(refused(5, /cannot be opened/));
    // Not a thing that can be synced.
    expect(await run(['sync', '/dev/null'])).toEqual(refused(5, /cannot be synced/));
  });

  test('the static build writes and checks as the tested one does', async () => {
    const at = place(example);
    expect(await at.write(example.data, released)).toEqual(good);
    expect(at.content().equals(example.raw)).toBe(true);
    expect(await at.check(released)).toEqual(good);
  });
});

describe('flash', () => {
  test('brings the image onto a dirty device, zeros and repeated chunks included, and nothing behind it', async () => {
    const at = place(example, 3 * BLOCK);
    expect(await at.write(example.data)).toEqual(good);
    expect(at.content().equals(example.raw)).toBe(true);
    expect(at.rest().equals(Buffer.alloc(3 * BLOCK, 0xa5))).toBe(true);
    const total = example.raw.length;
    const fetched = example.data.length;
    expect(at.done()).toEqual({ fetched, toFetch: fetched, bytes: total, total });
    expect(existsSync(`${at.progress}.tmp`)).toBe(false);
    expect(at.asked()).toEqual([`0-${fetched - 1}`]);
    expect(await at.check()).toEqual(good);
  });

  test('an image of nothing but zeros has no frames and needs no fetcher', async () => {
    const empty = image([zeros(5000)]);
    const at = place(empty, 0);
    expect(await at.write(empty.data)).toEqual(good);
    expect(at.content().equals(empty.raw)).toBe(true);
    expect(at.done().bytes).toBe(5000 * BLOCK);
    expect(at.asked()).toEqual([]);
  });

  test('a fresh device is not read: nothing on it counts', async () => {
    const at = place(example);
    writeFileSync(at.device, Buffer.concat([example.raw, Buffer.alloc(BLOCK, 0xa5)]));
    expect(await at.flash({ more: ['--fresh'] })).toEqual(good);
    expect(at.asked()).toEqual([`0-${example.data.length - 1}`]);
    expect(at.content().equals(example.raw)).toBe(true);
  });

  test('keys that it does not know are passed over', async () => {
    const index = structuredClone(example.index);
    index.later = [{ x: [null, -1.5e9] }];
    index.chunks[0].later = { y: 'z' };
    const frames = structuredClone(example.frames);
    frames.index = `sha256:${sha256(`${JSON.stringify(index)}\n`)}`;
    frames.frames[1].later = true;
    const at = place({ ...example, index, frames });
    expect(await at.write(example.data)).toEqual(good);
    expect(at.content().equals(example.raw)).toBe(true);
  });

  const { starts } = example;
  const [, second = 0, third = 0] = starts;

  test('what lies right already is neither fetched nor written', async () => {
    const at = place(example);
    const device = Buffer.concat([example.raw, Buffer.alloc(BLOCK, 0xa5)]);
    const { offset } = example.index.chunks[1];
    device.fill(0x77, offset, offset + 1);
    device.fill(0x77, 500 * BLOCK, 500 * BLOCK + 1);
    writeFileSync(at.device, device);
    expect(await at.write(example.data)).toEqual(good);
    expect(at.asked()).toEqual([`${second}-${third - 1}`]);
    expect(at.content().equals(example.raw)).toBe(true);
    expect(at.done()).toMatchObject({ fetched: third - second, bytes: example.raw.length });
    expect(await at.write(Buffer.alloc(0))).toEqual(good);
    expect(at.asked()).toHaveLength(1);
  });

  test('of repeated content one place is enough', async () => {
    const at = place(example);
    const device = Buffer.alloc(example.raw.length, 0xa5);
    const { offset, bytes } = example.index.chunks[5];
    example.raw.copy(device, offset, offset, offset + bytes);
    writeFileSync(at.device, device);
    expect(await at.write(example.data)).toEqual(good);
    expect(at.asked()).toEqual([`${second}-${example.data.length - 1}`]);
    expect(at.content().equals(example.raw)).toBe(true);
  });

  test.each([
    ['at its first byte', 0, 0],
    ['inside the first frame', 10, 0],
    ['at the end of a frame', second, 1],
    ['inside a frame', second + 1, 1],
    ['a byte before the end of a frame', third - 1, 1],
    ['a byte before the end of all', example.data.length - 1, 4],
  ])('a stream that ends %s is resumed by the next run', async (_name, length, frames) => {
    const at = place(example);
    expect(await at.write(example.data.subarray(0, length))).toEqual(refused(3, /the fetcher gave up/));
    expect(at.done()).toMatchObject({ fetched: starts[frames], toFetch: example.data.length });
    expect(await at.write(example.data)).toEqual(good);
    expect(at.asked().at(-1)).toBe(`${starts[frames]}-${example.data.length - 1}`);
    expect(at.content().equals(example.raw)).toBe(true);
    expect(at.done().bytes).toBe(example.raw.length);
  });

  test('after a short answer the same run asks again from the last whole frame', async () => {
    const at = place(example);
    const most = third + 3 - second;
    expect(await at.flash({ script: `deliver "$2" | head -c ${most}` })).toEqual(good);
    const [first, then] = at.asked();
    expect([first, then]).toEqual([`0-${example.data.length - 1}`, `${second}-${example.data.length - 1}`]);
    expect(at.content().equals(example.raw)).toBe(true);
  });

  test('a fetcher that brings nothing at first is asked again, and not in a hurry', async () => {
    const at = place(example);
    const script = 'n=$(wc -l < "$ASKED"); [ "$n" -lt 4 ] || deliver "$2"';
    const began = performance.now();
    expect(await at.flash({ script })).toEqual(good);
    expect(performance.now() - began).toBeGreaterThan(250);
    expect(at.asked()).toHaveLength(4);
  });

  test('a fetcher that cannot be started, or gives up, ends the flash with a sentence', async () => {
    const at = place(example);
    expect(await at.flash({ words: [join(dir, 'none')] })).toEqual(
      refused(1, /fetcher .* cannot be started/),
    );
    expect(await at.flash({ script: 'exit 9' })).toEqual(refused(3, /gave up \(exit code 9\)/));
    expect(await at.flash({ script: 'kill -9 $$' })).toEqual(refused(3, /gave up \(exit code 256\)/));
  });

  test('a helper that was killed is resumed', async () => {
    const at = place(example);
    const script = `deliver "$2" | head -c ${third + 5}; while kill -0 $PPID; do sleep 1; done 2> /dev/null`;
    const child = at.started({ script });
    await expect.poll(() => at.has(0, 1)).toBe(true);
    child.kill('SIGKILL');
    await child;
    expect(await at.write(example.data)).toEqual(good);
    expect(at.asked().at(-1)).toBe(`${third}-${example.data.length - 1}`);
    expect(at.content().equals(example.raw)).toBe(true);
  });

  test.each(['SIGTERM', 'SIGINT', 'SIGHUP'] as const)('%s ends it, and leaves no fetcher', async (signal) => {
    const at = place(example);
    const script =
      'sleep 1000 & echo $! >> "$ASKED.pids"; echo $$ >> "$ASKED.pids"; [ "$1" != 0 ] || deliver "$2" | head -c 100000; wait';
    const child = at.started({ script, streams: 4 });
    const pids = () =>
      existsSync(`${at.log}.pids`)
        ? readFileSync(`${at.log}.pids`, 'utf8').trim().split('\n').map(Number)
        : [];
    await expect.poll(() => pids().length).toBeGreaterThanOrEqual(2);
    child.kill(signal);
    const ended = await child;
    expect([ended.exitCode, ended.stderr]).toEqual([3, 'warmboot-helper: it was told to stop']);
    await expect.poll(() => pids().filter(isAlive)).toEqual([]);
  });

  test('progress is told while the stream is slow', async () => {
    const at = place(example);
    const script = `told() { until [ -e "$ASKED.$1" ]; do sleep 0.1; done; }
      deliver "$2" | { head -c ${second}; told next; head -c ${third - second}; told rest; cat; }`;
    const child = at.started({ script });
    await expect.poll(() => at.has(0)).toBe(true);
    // It is told now and then, not for each frame.
    await sleep(500);
    writeFileSync(`${at.log}.next`, '');
    await expect.poll(() => at.done().fetched).toBe(third);
    expect(at.done()).toMatchObject({ toFetch: example.data.length, total: example.raw.length });
    writeFileSync(`${at.log}.rest`, '');
    expect((await child).exitCode).toBe(0);
  });

  test.each([0, 1, 4])('an altered byte in frame %i is found, named, and cured by another run', async (n) => {
    const at = place(example);
    const altered = Buffer.from(example.data);
    const where = ((starts[n] ?? 0) + (starts[n + 1] ?? 0)) >> 1;
    altered[where] = (altered[where] ?? 0) ^ 0x10;
    expect(await at.write(altered)).toEqual(
      refused(4, new RegExp(`frame ${n} at offset ${starts[n]} .*corrupt`)),
    );
    expect(at.done()).toMatchObject({ fetched: starts[n] });
    expect(await at.write(example.data)).toEqual(good);
    expect(at.asked().at(-1)).toBe(`${starts[n]}-${example.data.length - 1}`);
    expect(at.content().equals(example.raw)).toBe(true);
  });

  test('a whole frame with other content, length or no zstd at all is corrupt', async () => {
    const length = example.starts[1] ?? 0;
    for (const [bytes, sentence] of [
      [content(9, 16 * BLOCK), /another sha256/],
      [content(9, 8 * BLOCK), /another length/],
      [Buffer.alloc(300 * BLOCK), /corrupt/],
    ] as const) {
      const frame = compress(bytes);
      const bent = structuredClone(example.frames);
      for (const each of bent.frames) each.offset += frame.length - length;
      bent.frames[0] = { ...bent.frames[0], offset: 0, bytes: frame.length };
      bent.bytes += frame.length - length;
      const at = place({ ...example, frames: bent });
      const data = Buffer.concat([frame, example.data.subarray(length)]);
      expect(await at.write(data)).toEqual(refused(4, sentence));
      expect(at.done().fetched).toBe(0);
    }
    const at = place(example);
    expect(await at.write(Buffer.alloc(example.data.length, 'x'))).toEqual(refused(4, /frame 0 .*corrupt/));
  });

  test('a device that is too small, missing, a folder or out of room is refused with its sizes', async () => {
    const at = place(example);
    truncateSync(at.device, example.raw.length - 1);
    const before = readFileSync(at.device);
    const sizes = new RegExp(
      `too small: it holds ${example.raw.length - 1} bytes, .* needs ${example.raw.length}`,
    );
    expect(await at.write(example.data)).toEqual(refused(5, sizes));
    expect(readFileSync(at.device).equals(before)).toBe(true);
    expect(existsSync(at.progress)).toBe(false);
    expect(await at.check()).toEqual(refused(5, sizes));
    rmSync(at.device);
    expect(await at.write(example.data)).toEqual(refused(5, /cannot be used/));
    expect(existsSync(at.device)).toBe(false);
    expect(await at.flash({ device: dir })).toEqual(refused(5, /neither a block device nor a file/));
  });

  test('a device that fails in the middle is reported with its place, and what was done before counts', async () => {
    const plain = image([chunk(16, 1), chunk(64, 2), zeros(8), chunk(4, 3), zeros(8)]);
    const at = place(plain);
    // In units of 512 bytes: writes behind the second chunk fail.
    const limit = ['sh', '-c', `trap '' XFSZ; ulimit -f ${(80 * BLOCK) / 512}; exec "$@"`, 'sh'];
    const script = 'deliver "$2"; sleep 1000';
    expect(await at.flash({ before: limit, script })).toEqual(
      refused(5, new RegExp(`writing at offset ${88 * BLOCK} of .* failed`)),
    );
    expect(await at.write(plain.data)).toEqual(good);
    expect(at.asked().at(-1)).toBe(`${plain.starts[2]}-${plain.data.length - 1}`);
    expect(at.content().equals(plain.raw)).toBe(true);
  });

  test('a progress file that cannot be written is the machine’s own trouble', async () => {
    const at = place(example);
    const outcome = await at.flash({ progress: join(dir, 'missing', 'progress') });
    expect(outcome).toEqual(refused(1, /progress file .* cannot be written/));
  });

  test('a rate keeps reading and writing slow', async () => {
    const at = place(example);
    const began = performance.now();
    // The whole is read once, and written once.
    const rate = example.raw.length;
    expect(await at.flash({ more: ['--rate', `${rate}`] })).toEqual(good);
    expect(performance.now() - began).toBeGreaterThan(1500);
    expect(at.content().equals(example.raw)).toBe(true);
  });

  test.each([['0'], ['17'], ['x'], ['2x']])('%s streams are refused', async (streams) => {
    const at = place(example);
    const args = ['flash', at.index, at.frames, at.device, at.progress, streams, '--', 'true'];
    expect(await run(args)).toEqual(refused(2, /usage/));
  });
});

describe('reuse', () => {
  /** Writes a former image's index and another device that holds it, changed by `bend`. */
  function source(name: string, former: Image, bend: (raw: Buffer) => void = () => {}) {
    const paths = { index: join(dir, `${name}.json`), device: join(dir, name) };
    writeFileSync(paths.index, `${JSON.stringify(former.index)}\n`);
    const raw = Buffer.from(former.raw);
    bend(raw);
    writeFileSync(paths.device, raw);
    return { ...paths, from: ['--from', paths.index, paths.device] };
  }
  const former = image([chunk(5, 4), zeros(2), chunk(16, 1), chunk(64, 2), chunk(7, 9)]);

  test('what another device holds is taken from there, checked, and the rest fetched', async () => {
    const at = place(example);
    const other = source('other', former);
    expect(await at.flash({ more: other.from })).toEqual(good);
    // Of the contents 1 2 3 4 5 the other has 1 2 4; between 3 and 5 it is read through or not.
    expect(at.done().toFetch).toBe(
      example.data.length - [0, 1, 3].reduce((sum, n) => sum + example.frames.frames[n].bytes, 0),
    );
    expect(at.content().equals(example.raw)).toBe(true);
    expect(readFileSync(other.device).equals(former.raw)).toBe(true);
  });

  test('what is not there any more is fetched', async () => {
    const at = place(example);
    const other = source('other', former, (raw) => raw.fill(0, 10 * BLOCK, 11 * BLOCK));
    truncateSync(other.device, 50 * BLOCK);
    expect(await at.flash({ more: other.from })).toEqual(good);
    expect(at.done().toFetch).toBe(example.data.length - example.frames.frames[3].bytes);
    expect(at.content().equals(example.raw)).toBe(true);
  });

  test.each([
    [
      'an index that is no index',
      (at: { index: string }) => writeFileSync(at.index, '{"version":1'),
      /nothing is reused by/,
    ],
    ['an index that is missing', (at: { index: string }) => rmSync(at.index), /nothing is reused by/],
    ['a device that is missing', (at: { device: string }) => rmSync(at.device), /nothing is reused of/],
  ])('%s is passed over', async (_, bend, sentence) => {
    const at = place(example);
    const other = source('other', former);
    bend(other);
    const { code, err } = await at.flash({ more: other.from });
    expect([code, err]).toEqual([0, expect.stringMatching(sentence)]);
    expect(at.content().equals(example.raw)).toBe(true);
  });

  /** A former image on the device itself. */
  async function moved(old: Image, wanted: Image, bend: (raw: Buffer) => void = () => {}) {
    const at = place(wanted);
    const device = Buffer.alloc(Math.max(old.raw.length, wanted.raw.length), 0xa5);
    old.raw.copy(device);
    bend(device);
    writeFileSync(at.device, device);
    const index = join(dir, 'former.json');
    writeFileSync(index, `${JSON.stringify(old.index)}\n`);
    expect(await at.flash({ more: ['--from', index, at.device] })).toEqual(good);
    expect(at.content().equals(wanted.raw)).toBe(true);
    return at.done().toFetch;
  }

  const many = Array.from({ length: 40 }, (_, i) => chunk(4 + (i % 9), i + 1));
  test.each([
    ['up by a few blocks', [zeros(3), ...many]],
    ['down by a few blocks', many.slice(1)],
    ['in the opposite order', many.toReversed()],
    ['each to the place of the next', [...many.slice(1), ...many.slice(0, 1)]],
    ['some twice', [...many.slice(20), ...many]],
    ['two changed against each other', [many[1], many[0], ...many.slice(2)] as Run[]],
  ])('what moves %s is not fetched', async (_, runs) => {
    expect(await moved(image([...many, zeros(1)]), image(runs))).toBe(0);
  });

  test('a source on the device itself that is not what it was is fetched', async () => {
    const wanted = image([zeros(3), ...many]);
    const toFetch = await moved(image(many), wanted, (raw) => raw.fill(1, 0, 1));
    expect(toFetch).toBe(wanted.frames.frames[0].bytes);
  });

  test('a circle that is larger than what may be held costs no more than it is', async () => {
    const large = Array.from({ length: 120 }, (_, i) => chunk(64, i + 1));
    const wanted = image(large.toReversed());
    expect(await moved(image(large), wanted)).toBe(0);
    const [first, ...others] = large as [Run, ...Run[]];
    expect(await moved(image(large), image([zeros(1), ...others, first]))).toBe(0);
  });

  const layout = fc.array(
    fc.record({ blocks: fc.integer({ min: 1, max: 24 }), content: fc.integer({ min: 0, max: 12 }) }),
    { minLength: 1, maxLength: 16 },
  );
  const trouble = fc.array(fc.record({ at: fc.nat(400), blocks: fc.integer({ min: 1, max: 20 }) }), {
    maxLength: 4,
  });

  test.each([
    ['1 stream', 1, () => helper],
    ['4 streams', 4, () => helper],
    ['4 streams, threads checked', 4, () => threadChecked],
  ] as const)(
    'random pairs of images, on devices that were changed since, killed and run again: the image is there, and what was there is not fetched (%s)',
    async (_, streams, which) => {
      await fc.assert(
        fc.asyncProperty(
          layout,
          layout,
          layout,
          trouble,
          trouble,
          fc.nat(400),
          async (a, b, c, hurtA, hurtB, killMs) => {
            const [wanted, onDevice, onOther] = [image(a), image(b), image(c)];
            const at = place(wanted);
            const size = Math.max(wanted.raw.length, onDevice.raw.length);
            const device = Buffer.alloc(size, 0xa5);
            onDevice.raw.copy(device);
            const hurt = (raw: Buffer, where: typeof hurtA) => {
              for (const each of where)
                raw.fill(
                  0x5a,
                  Math.min(each.at * BLOCK, raw.length),
                  Math.min((each.at + each.blocks) * BLOCK, raw.length),
                );
            };
            hurt(device, hurtA);
            writeFileSync(at.device, device);
            const formerIndex = join(dir, 'former.json');
            writeFileSync(formerIndex, `${JSON.stringify(onDevice.index)}\n`);
            const other = source('other', onOther, (raw) => hurt(raw, hurtB));
            const otherRaw = readFileSync(other.device);
            const more = ['--from', formerIndex, at.device, ...other.from];

            const program = which();
            const killed = at.started({ more, streams, program });
            const timer = setTimeout(() => killed.kill('SIGKILL'), killMs);
            await killed;
            clearTimeout(timer);

            // What can be read right before the second run, wherever it is, need not be fetched by it.
            const now = readFileSync(at.device);
            const there = new Set<string>();
            const look = (raw: Buffer, chunks: { offset: number; bytes: number; sha256: string }[]) => {
              for (const { offset, bytes, sha256: digest } of chunks)
                if (sha256(raw.subarray(offset, offset + bytes)) === digest) there.add(digest);
            };
            look(now, wanted.index.chunks);
            look(now, firstOfEach(onDevice.index.chunks));
            look(otherRaw, onOther.index.chunks);
            const missing = wanted.frames.frames.filter((each: { chunk: string }) => !there.has(each.chunk));

            expect(await at.flash({ more, streams, program })).toEqual(good);
            expect(at.content().equals(wanted.raw)).toBe(true);
            expect(readFileSync(other.device).equals(otherRaw)).toBe(true);
            const toFetch = missing.reduce((sum: number, each: { bytes: number }) => sum + each.bytes, 0);
            const total = wanted.raw.length;
            expect(at.done()).toEqual({ fetched: toFetch, toFetch, bytes: total, total });
            expect(await at.check()).toEqual(good);
          },
        ),
        { numRuns: 25 },
      );
    },
  );

  test('whatever a power cut leaves of the writes, the next run makes it whole', async () => {
    await fc.assert(
      fc.asyncProperty(layout, layout, fc.infiniteStream(fc.boolean()), async (a, b, coin) => {
        const [wanted, before] = [image(a), image(b)];
        const at = place(wanted, 0);
        const device = Buffer.alloc(Math.max(wanted.raw.length, before.raw.length), 0xa5);
        before.raw.copy(device);
        // Any block may be the old one or the new one: the disk writes in its own order.
        for (let block = 0; block < wanted.raw.length; block += BLOCK)
          if (coin.next().value) wanted.raw.copy(device, block, block, block + BLOCK);
        writeFileSync(at.device, device);
        const index = join(dir, 'former.json');
        writeFileSync(index, `${JSON.stringify(before.index)}\n`);
        expect(await at.flash({ more: ['--from', index, at.device] })).toEqual(good);
        expect(at.content().equals(wanted.raw)).toBe(true);
        expect(await at.check()).toEqual(good);
      }),
      { numRuns: 40 },
    );
  });

  test('a disk that cannot be read at some places: what lies there is had from elsewhere', async () => {
    // Reads of these blocks fail as those of a disk do; the program is one that this can be done to.
    const shim = join(dir, 'failing.c');
    writeFileSync(
      shim,
      `#define _GNU_SOURCE
       #include <dlfcn.h>
       #include <errno.h>
       #include <stdio.h>
       #include <stdlib.h>
       #include <string.h>
       #include <sys/types.h>
       #include <unistd.h>
       static ssize_t failing(int fd, void *to, size_t bytes, off_t at) {
         static ssize_t (*real)(int, void *, size_t, off_t);
         char link[64], path[4096];
         if (!real) real = dlsym(RTLD_NEXT, "pread64");
         snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
         ssize_t length = readlink(link, path, sizeof path - 1);
         path[length < 0 ? 0 : length] = 0;
         const char *bad = getenv("BAD"), *name = strrchr(path, '/');
         long from = atol(getenv("FROM")) * 4096, to_block = from + 4096;
         if (name && strcmp(name + 1, bad) == 0 && at < to_block && at + (off_t)bytes > from) { errno = EIO; return -1; }
         return real(fd, to, bytes, at);
       }
       ssize_t pread(int fd, void *to, size_t bytes, off_t at) { return failing(fd, to, bytes, at); }
       ssize_t pread64(int fd, void *to, size_t bytes, off_t at) { return failing(fd, to, bytes, at); }`,
    );
    await execa('gcc', ['-shared', '-fPIC', '-o', join(dir, 'failing.so'), shim, '-ldl']);
    await execa('make', [
      '-s',
      '-j2',
      '-C',
      SOURCE,
      `OUT=${join(root, 'ub')}`,
      'SANITIZE=undefined',
      'sanitized',
    ]);
    const bad = (name: string, block: number) => ({
      program: join(root, 'ub/warmboot-helper-sanitized'),
      before: ['env', `LD_PRELOAD=${join(dir, 'failing.so')}`, `BAD=${name}`, `FROM=${block}`],
    });
    // In another slot.
    const at = place(example);
    const other = source('other', former);
    expect(await at.flash({ more: other.from, ...bad('other', 8) })).toEqual(good);
    expect(at.content().equals(example.raw)).toBe(true);
    const { frames } = example.frames;
    expect(at.done().toFetch).toBe(example.data.length - frames[1].bytes - frames[3].bytes);
    // In the slot itself: a MiB cannot be read, and is written.
    writeFileSync(at.device, Buffer.concat([example.raw, Buffer.alloc(BLOCK, 0xa5)]));
    expect(await at.flash(bad('device', 300))).toEqual(good);
    expect(at.done().bytes).toBe(example.raw.length);
    expect(await at.check()).toEqual(good);
  });

  /** Of a content that was at several places only the first is looked at. */
  function firstOfEach<Chunk extends { sha256: string }>(chunks: Chunk[]): Chunk[] {
    return chunks.filter(({ sha256: digest }, i) => chunks.findIndex((each) => each.sha256 === digest) === i);
  }
});

describe('several streams', () => {
  /** Large enough that each has something to do. */
  const large = image(Array.from({ length: 200 }, (_, i) => chunk(64, i + 1)));

  test.each([2, 4, 16])('%i at once bring the image, each byte once', async (streams) => {
    const at = place(large, 0);
    expect(await at.flash({ streams, more: ['--fresh'], program: threadChecked })).toEqual(good);
    expect(at.content().equals(large.raw)).toBe(true);
    const asked = at.asked().flatMap((line) => line.split(','));
    const ranges = asked
      .map((each) => each.split('-').map(Number) as [number, number])
      .sort(([a], [b]) => a - b);
    expect(ranges[0]?.[0]).toBe(0);
    for (const [i, [start]] of ranges.entries()) if (i > 0) expect(start).toBe((ranges[i - 1]?.[1] ?? 0) + 1);
    expect(ranges.at(-1)?.[1]).toBe(large.data.length - 1);
    expect(new Set(at.streams()).size).toBeGreaterThan(1);
  });

  test('others begin when stream 0 has got something', async () => {
    const at = place(large, 0);
    const script =
      'if [ "$1" = 0 ] && [ ! -e "$ASKED.late" ]; then : > "$ASKED.late"; sleep 0.5; wc -l < "$ASKED" > "$ASKED.before"; fi; deliver "$2"';
    expect(await at.flash({ streams: 4, script })).toEqual(good);
    expect(readFileSync(`${at.log}.before`, 'utf8').trim()).toBe('1');
  });

  test('one that is told that it is not wanted is gone, and the others do its work', async () => {
    const at = place(large, 0);
    const script = 'if [ "$1" != 0 ]; then deliver "$2" | head -c 300000; exit 75; fi; deliver "$2"';
    expect(await at.flash({ streams: 4, script })).toEqual(good);
    expect(at.content().equals(large.raw)).toBe(true);
    for (const stream of ['1', '2', '3'])
      expect(at.streams().filter((each) => each === stream).length).toBeLessThanOrEqual(1);
  });

  test('one that brings nothing waits for stream 0, and hurries nobody', async () => {
    const at = place(large, 0);
    const script = 'if [ "$1" != 0 ]; then exit 0; fi; deliver "$2"';
    expect(await at.flash({ streams: 4, script })).toEqual(good);
    expect(at.content().equals(large.raw)).toBe(true);
    expect(at.asked().length).toBeLessThan(60);
  });

  test('streams that break off anywhere cost only what was under way', async () => {
    const at = place(large, 0);
    const script = 'if [ "$1" = 0 ]; then n=900000; else n=2500000; fi; deliver "$2" | head -c $n';
    expect(await at.flash({ streams: 4, script, program: threadChecked })).toEqual(good);
    expect(at.content().equals(large.raw)).toBe(true);
  });

  test.each([0, 1])('a corrupt frame in stream %i ends all of them, and leaves none', async (bad) => {
    const at = place(large, 0);
    const script = `echo $$ >> "$ASKED.pids"; if [ "$1" = ${bad} ]; then head -c 999999 /dev/zero; else deliver "$2"; fi; sleep 1000`;
    // Stream 0 would wait for ever behind its last byte, did nobody end it.
    const { code, err } = await at.flash({ streams: 3, script, program: threadChecked });
    expect([code, err]).toEqual([4, expect.stringMatching(/corrupt/)]);
    for (const pid of readFileSync(`${at.log}.pids`, 'utf8').trim().split('\n'))
      expect(isAlive(Number(pid))).toBe(false);
    expect(await at.flash({ streams: 3 })).toEqual(good);
    expect(at.content().equals(large.raw)).toBe(true);
  });

  test('small gaps are read through, at most a 32nd of what is missing', async () => {
    const runs = Array.from({ length: 60 }, (_, i) => chunk(64, i + 1));
    const tiny = Array.from({ length: 40 }, (_, i) => chunk(1, 100 + i));
    const mixed = image([...runs.slice(0, 20), tiny[0] as Run, ...runs.slice(20), ...tiny.slice(1)]);
    const at = place(mixed, 0);
    const device = Buffer.alloc(mixed.raw.length, 0xa5);
    // The tiny chunk in the middle is there already.
    const { offset, bytes } = mixed.index.chunks[20];
    mixed.raw.copy(device, offset, offset, offset + bytes);
    writeFileSync(at.device, device);
    expect(await at.write(mixed.data)).toEqual(good);
    expect(at.asked()).toEqual([`0-${mixed.data.length - 1}`]);
    expect(at.done().fetched).toBe(mixed.data.length - mixed.frames.frames[20].bytes);
  });
});

// biome-ignore lint/suspicious/noExplicitAny: bends documents in every way
type Bend = (document: any) => unknown;

describe('malformed documents are refused before the device is touched', () => {
  const indexCases: [string, Bend, RegExp][] = [
    ['unknown version', (x) => (x.version = 2), /version 1 only/],
    ['version as text', (x) => (x.version = '1'), /number expected/],
    ['no version', (x) => delete x.version, /missing/],
    ['no chunks', (x) => delete x.chunks, /missing/],
    ['an installer', (x) => (x.filesystem = null), /no filesystem/],
    ['no size', (x) => delete x.filesystem.bytes, /filesystem.bytes is missing/],
    ['no bytes at all', (x) => (x.filesystem.bytes = 0), /no multiple/],
    ['size off the block', (x) => x.filesystem.bytes++, /no multiple/],
    ['absurd size', (x) => (x.filesystem.bytes = 2 ** 53), /too large/],
    ['fractional size', (x) => (x.filesystem.bytes += 0.5), /whole number/],
    ['negative offset', (x) => (x.chunks[0].offset = -4096), /whole number/],
    ['block of 3000', (x) => (x.chunking.blockBytes = 3000), /power of two/],
    ['block of 512', (x) => (x.chunking.blockBytes = 512), /power of two/],
    ['chunks of any size', (x) => (x.chunking.maxBlocks = 1e6), /16 MiB/],
    ['no chunk size', (x) => delete x.chunking.maxBlocks, /missing/],
    ['chunk of no byte', (x) => (x.chunks[1].bytes = 0), /chunk 1 .* is empty/],
    ['chunk beside the blocks', (x) => (x.chunks[0].offset += 1), /chunk 0 .* whole blocks/],
    ['chunk of half a block', (x) => (x.chunks[0].bytes -= 2048), /whole blocks/],
    ['chunk too large', (x) => (x.chunking.maxBlocks = 32), /larger than/],
    ['chunk of an absurd size', (x) => (x.chunks[0].bytes = 2 ** 40), /too large/],
    ['overlap', (x) => (x.chunks[1].offset -= 4096), /begins before the end/],
    ['order', (x) => x.chunks.reverse(), /begins before the end/],
    ['chunk behind the end', (x) => (x.chunks.at(-1).offset += 10 * 4096), /behind the filesystem/],
    ['chunk larger than all', (x) => (x.filesystem.bytes = 4 * 4096), /behind the filesystem/],
    ['sha256 in capitals', (x) => (x.chunks[0].sha256 = 'A'.repeat(64)), /lower-case hex/],
    ['short sha256', (x) => (x.chunks[0].sha256 = 'ab'), /lower-case hex/],
    ['chunk without sha256', (x) => delete x.chunks[0].sha256, /lacks/],
    ['a requirement', (x) => (x.requires = ['holes']), /requires 'holes', which this program does not know/],
    ['requirements no list', (x) => (x.requires = null), /'\[' expected/],
    ['one sha256, two lengths', (x) => (x.chunks[0].sha256 = x.chunks[1].sha256), /other length/],
    ['chunks no list', (x) => (x.chunks = {}), /'\[' expected/],
  ];
  const framesCases: [string, Bend, RegExp][] = [
    ['unknown version', (x) => (x.version = 2), /version 1 only/],
    ['another index', (x) => (x.index = `sha256:${sha256('other')}`), /another index/],
    ['another compression', (x) => (x.compression = 'xz'), /zstd only/],
    ['no frames', (x) => delete x.frames, /missing/],
    ['a requirement', (x) => (x.requires = ['base']), /requires 'base', which this program does not know/],
    ['a hole', (x) => x.frames[1].offset++, /does not begin where/],
    ['an overlap', (x) => x.frames[1].offset--, /does not begin where/],
    ['wrong length', (x) => x.frames[4].bytes++, /do not add up/],
    ['wrong sum', (x) => x.bytes++, /do not add up/],
    ['frame of no byte', (x) => (x.frames[0].bytes = 0), /is empty/],
    ['absurd frame', (x) => (x.frames[0].bytes = 2 ** 31), /too large/],
    ['frame without bytes', (x) => delete x.frames[0].bytes, /lacks/],
    ['chunk without a frame', (x) => (x.bytes -= x.frames.pop().bytes), /has no frame/],
    ['two frames for a chunk', (x) => (x.frames[1].chunk = x.frames[0].chunk), /two frames/],
    ['frame of a foreign chunk', (x) => (x.frames[1].chunk = sha256('foreign')), /not in the index/],
    ['chunk no digest', (x) => (x.frames[1].chunk = 'x'), /hex digits/],
  ];
  const untouched = (at: ReturnType<typeof place>) => {
    expect(at.content().every((byte) => byte === 0xa5)).toBe(true);
    expect(existsSync(at.progress)).toBe(false);
  };

  test.each(indexCases)('index: %s', async (_name, bend, sentence) => {
    const index = structuredClone(example.index);
    bend(index);
    const frames = { ...example.frames, index: `sha256:${sha256(`${JSON.stringify(index)}\n`)}` };
    const at = place({ ...example, index, frames });
    expect(await at.write(example.data)).toEqual(refused(2, sentence));
    untouched(at);
  });

  test.each(framesCases)('frames: %s', async (_name, bend, sentence) => {
    const frames = structuredClone(example.frames);
    bend(frames);
    const at = place({ ...example, frames });
    expect(await at.write(example.data)).toEqual(refused(2, sentence));
    untouched(at);
  });

  const text = JSON.stringify(example.index);
  test.each([
    ['nothing', '', /expected/],
    ['no JSON', 'hello', /expected/],
    ['cut off', text.slice(0, -3), /expected/],
    ['cut off inside a name', text.slice(0, 17), /ends inside a string/],
    ['two documents', text + text, /something follows/],
    ['a comma too many', text.replace('}]}', '},]}'), /expected/],
    ['no comma', text.replace('},{', '}{'), /',' expected/],
    ['a field twice', text.replace('{', '{"version":1,'), /twice/],
    ['a chunk field twice', text.replace('"offset":', '"offset":0,"offset":'), /twice/],
    ['leading zeros', text.replace('"offset":', '"offset":0'), /',' expected/],
    ['nested without end', text.replace('{', `{"x":${'['.repeat(100_000)}`), /too many levels/],
    ['a NUL', text.replace('amd64', 'amd\u000064'), /control character/],
    ['an escaped newline', text.replace('amd64', 'amd\\n64'), /control character/],
    ['half a surrogate', text.replace('amd64', '\\ud800'), /surrogate/],
    ['an endless number', text.replace('"version":1', `"version":${'1'.repeat(5000)}`), /too long/],
  ])('text: %s', async (_name, bent, sentence) => {
    const at = place(example);
    writeFileSync(at.index, bent);
    expect(await at.write(example.data)).toEqual(refused(2, sentence));
    untouched(at);
  });

  test('bytes changed anywhere are refused or harmless, and never crash', async () => {
    const at = place(example);
    const bytes = Buffer.from(`${text}\n`);
    await fc.assert(
      fc.asyncProperty(fc.nat(bytes.length - 1), fc.integer({ min: 0, max: 255 }), async (where, value) => {
        const bent = Buffer.from(bytes);
        bent[where] = value;
        writeFileSync(at.index, bent);
        expect([0, 2]).toContain((await run(['field', at.index, 'chunks.1.sha256'])).code);
        expect([2, 5, 6]).toContain((await at.check()).code);
      }),
      { numRuns: 30 },
    );
  });
});

describe('check', () => {
  test.each([
    ['the first byte of a chunk', 3 * BLOCK, /chunk 0 at offset 12288 /],
    ['the last byte of a chunk', 19 * BLOCK - 1, /chunk 0 at offset 12288 /],
    ['a chunk that crosses the reader’s buffers', 808 * BLOCK, /chunk 5 /],
    ['the first byte of all', 0, /offset 0 of .* does not read as zero/],
    ['a byte of the zeros between chunks', 500 * BLOCK + 17, /offset 2048017 of .* does not read as zero/],
    ['the last byte of all', example.raw.length - 1, /does not read as zero/],
  ])('finds %s flipped', async (_name, where, sentence) => {
    const at = place(example, 0);
    const bent = Buffer.from(example.raw);
    bent[where] = (bent[where] ?? 0) ^ 1;
    writeFileSync(at.device, bent);
    expect(await at.check()).toEqual(refused(6, sentence));
    writeFileSync(at.device, example.raw);
    expect(await at.check()).toEqual(good);
  });

  test('tells its progress when asked to', async () => {
    const at = place(example);
    writeFileSync(at.device, example.raw);
    expect(await run(['check', at.index, at.device, at.progress])).toEqual(good);
    expect(at.done()).toMatchObject({ bytes: example.raw.length, total: example.raw.length });
  });

  test('reads also where direct reading is refused', async () => {
    const at = place(example);
    const shm = mkdtempSync('/dev/shm/warmboot-helper-');
    try {
      const device = join(shm, 'device');
      writeFileSync(device, example.raw);
      expect(await run(['check', at.index, device])).toEqual(good);
      writeFileSync(device, example.raw.fill(1, 0, 1));
      example.raw.fill(0, 0, 1);
      expect(await run(['check', at.index, device])).toEqual(refused(6, /offset 0 /));
    } finally {
      rmSync(shm, { recursive: true });
    }
  });
});

describe('verify', () => {
  const pair = generateKeyPairSync('ec', { namedCurve: 'prime256v1' });
  const pem = (key: typeof pair.publicKey) => key.export({ type: 'spki', format: 'pem' }) as string;
  const body = Buffer.from("VERSION='1'\nSERIAL='17'\n");
  const signature = sign('sha256', body, pair.privateKey);

  function verify(key: string, signed: string, text: Uint8Array) {
    const paths = ['key', 'signature', 'body'].map((name) => join(dir, name));
    for (const [i, value] of [key, signed, text].entries()) writeFileSync(paths[i] ?? '', value);
    return run(['verify', ...paths]);
  }
  const base64 = signature.toString('base64');

  test('accepts the server’s signature, with or without a newline', async () => {
    expect(await verify(pem(pair.publicKey), base64, body)).toEqual(good);
    expect(await verify(pem(pair.publicKey), `${base64}\r\n`, body)).toEqual(good);
    const large = Buffer.alloc(300_001, 'x');
    const signed = sign('sha256', large, pair.privateKey).toString('base64');
    expect(await verify(pem(pair.publicKey), signed, large)).toEqual(good);
  });

  test('refuses an altered or shortened body, another key’s signature and every altered signature', async () => {
    const key = pem(pair.publicKey);
    expect(await verify(key, base64, Buffer.concat([body, Buffer.from('\n')]))).toEqual(
      refused(7, /not used/),
    );
    expect(await verify(key, base64, body.subarray(1))).toEqual(refused(7, /not used/));
    expect(await verify(key, base64, Buffer.alloc(0))).toEqual(refused(7, /not used/));
    const other = generateKeyPairSync('ec', { namedCurve: 'prime256v1' });
    const foreign = sign('sha256', body, other.privateKey).toString('base64');
    expect(await verify(key, foreign, body)).toEqual(refused(7, /another server/));
    for (const where of [0, 1, 3, 20, signature.length - 1]) {
      const bent = Buffer.from(signature);
      bent[where] = (bent[where] ?? 0) ^ 0x40;
      expect((await verify(key, bent.toString('base64'), body)).code).toBe(7);
    }
  });

  test.each(['', '\n', 'AAAA', 'not base64!', '====', 'A'.repeat(260), `${base64}=`, base64.slice(1)])(
    'refuses %j as a signature',
    async (text) => expect((await verify(pem(pair.publicKey), text, body)).code).toBe(7),
  );

  test('refuses a key that is none, or of another kind', async () => {
    const keys = [
      '',
      'garbage',
      pem(pair.publicKey).replace(/[A-Z]/g, 'A'),
      pem(generateKeyPairSync('ec', { namedCurve: 'secp384r1' }).publicKey),
      pem(generateKeyPairSync('ed25519').publicKey),
    ];
    for (const key of keys) expect(await verify(key, base64, body)).toEqual(refused(2, /P-256/));
    expect(await run(['verify', join(dir, 'none'), join(dir, 'none'), join(dir, 'none')])).toEqual(
      refused(2, /cannot be opened/),
    );
  });
});

describe('grubenv', () => {
  const env = (...args: string[]) => run(['grubenv', join(dir, 'grubenv'), ...args]);
  const editenv = async (...args: string[]) =>
    (await execa('grub-editenv', [join(dir, 'grubenv'), ...args])).stdout;
  const bytes = () => readFileSync(join(dir, 'grubenv'));
  const put = (data: Uint8Array | string) => writeFileSync(join(dir, 'grubenv'), data);

  test('GRUB’s own tool reads what it writes, and the reverse', async () => {
    expect(await env('init', 'default=a', 'tries_a=3')).toEqual(good);
    expect(bytes().toString()).toBe('# GRUB Environment Block\ndefault=a\ntries_a=3\n'.padEnd(1024, '#'));
    expect(await editenv('list')).toBe('default=a\ntries_a=3');
    expect(await env('set', 'default=b', 'next=b', 'odd=a\\b = c#')).toEqual(good);
    expect(await editenv('list')).toBe('default=b\ntries_a=3\nnext=b\nodd=a\\b = c#');
    await editenv('set', 'tries_a=2', 'back=x\\y');
    await editenv('unset', 'next');
    const listed = 'default=b\ntries_a=2\nodd=a\\b = c#\nback=x\\y';
    expect(await env('list')).toEqual({ ...good, out: listed });
    expect(await env('get', 'back')).toEqual({ ...good, out: 'x\\y' });
    expect(await env('set', 'odd=', 'back=', 'absent=')).toEqual(good);
    expect(await editenv('list')).toBe('default=b\ntries_a=2');
    expect(bytes().length).toBe(1024);
  });

  test('reads and changes a fresh file of grub-editenv with its remarks', async () => {
    await editenv('create');
    expect(await env('list')).toEqual(good);
    expect(await env('get', 'default')).toEqual(good);
    expect(await env('set', 'default=a')).toEqual(good);
    expect(await editenv('list')).toBe('default=a');
  });

  test('changes only the first 512 bytes of the very same file', async () => {
    await env('init', 'default=a');
    const inode = statSync(join(dir, 'grubenv')).ino;
    await env('set', 'default=b');
    expect(statSync(join(dir, 'grubenv')).ino).toBe(inode);
    expect(bytes().subarray(512).equals(Buffer.alloc(512, '#'))).toBe(true);
  });

  test('refuses what does not fit into 512 bytes, and fills them to the last', async () => {
    await env('init', 'default=a');
    const before = bytes();
    const room = 512 - '# GRUB Environment Block\ndefault=a\nx=\n'.length;
    expect(await env('set', `x=${'y'.repeat(room + 1)}`)).toEqual(refused(2, /more than 512 bytes/));
    expect(await env('set', `x=${'y'.repeat(5000)}`)).toEqual(refused(2, /512 bytes/));
    expect(bytes().equals(before)).toBe(true);
    expect(await env('set', `x=${'y'.repeat(room)}`)).toEqual(good);
    expect(bytes().subarray(510, 513).toString()).toBe('y\n#');
    expect(await editenv('list')).toContain('yyy');
    expect(await env('set', `x=${'\\'.repeat(room / 2 + 1)}`)).toEqual(refused(2, /512 bytes/));
  });

  test.each(['x', '=v', '1x=v', 'a-b=v', 'x=a\nb', 'x=é', 'x\n=1'])('refuses the word %j', async (word) => {
    await env('init', 'default=a');
    const before = bytes();
    expect((await env('set', 'default=b', word)).code).toBe(2);
    expect(bytes().equals(before)).toBe(true);
  });

  const block = (text: string) => `# GRUB Environment Block\n${text}`.padEnd(1024, '#');
  test.each([
    ['empty', ''],
    ['zeros', Buffer.alloc(1024)],
    ['short', block('default=a\n').slice(0, 1023)],
    ['long', `${block('default=a\n')}#`],
    ['without its first line', 'default=a\n'.padEnd(1024, '#')],
    ['with a line that is no variable', block('default\n')],
    ['with an empty line', block('\ndefault=a\n')],
    ['with a bad name', block('de fault=a\n')],
    ['with NUL in a value', block('default=\0\n')],
    ['without an end', block('default=a')],
    [
      'ending in an escape',
      block('').slice(0, 1020).padEnd(1020, '#').replace(/####$/, '\na=\\').padEnd(1024, 'x'),
    ],
    ['used behind 512 bytes', block(`# ${'r'.repeat(500)}\ndefault=a\n`)],
  ])('a file that is damaged (%s) is not changed', async (_name, data) => {
    put(data);
    const before = bytes();
    expect(await env('set', 'default=b')).toEqual(refused(8, /damaged .*not changed/));
    expect(bytes().equals(before)).toBe(true);
    expect(await env('init', 'default=b')).toEqual(good);
    expect(await editenv('list')).toBe('default=b');
    expect(bytes().length).toBe(1024);
  });

  test('a missing file is unreadable, and is made by init alone', async () => {
    expect(await env('set', 'default=b')).toEqual(refused(8, /unreadable/));
    expect(await env('list')).toEqual(refused(8, /unreadable/));
    expect(existsSync(join(dir, 'grubenv'))).toBe(false);
  });

  test('two writers at once do not undo each other', async () => {
    await env('init');
    const names = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h'];
    await Promise.all(names.map((name) => env('set', `${name}=1`)));
    expect((await env('list')).out.split('\n').sort()).toEqual(names.map((name) => `${name}=1`));
  });
});

describe('digest and field', () => {
  test('digest prints sha256', async () => {
    const path = join(dir, 'file');
    writeFileSync(path, example.raw);
    expect(await run(['digest', path])).toEqual({ ...good, out: sha256(example.raw) });
    expect(await run(['digest', join(dir, 'none')])).toEqual(refused(1, /cannot be opened/));
    expect(await run(['digest', dir])).toEqual(refused(1, /cannot be read/));
  });

  test('field prints scalars by path', async () => {
    const { index } = place(example);
    for (const [path, value] of [
      ['version', '1'],
      ['filesystem.bytes', `${example.raw.length}`],
      ['kernel.sha256', sha256('kernel')],
      ['os.name', 'Debian GNU/Linux 13 (trixie) "é" \\'],
      ['append', 'console=tty0 console=ttyS0,115200n8'],
      ['initrd', ''],
      ['chunks.6.bytes', `${40 * BLOCK}`],
    ] as const)
      expect(await run(['field', index, path])).toEqual({ ...good, out: value });
    for (const path of ['none', 'os', 'chunks', 'chunks.7.bytes', 'version.x', 'os.', '', 'chunks.01.bytes'])
      expect(await run(['field', index, path])).toEqual(refused(2, /no field|no single value/));
  });

  test('field reads every escape and number, and nothing that is no JSON', async () => {
    const path = join(dir, 'x.json');
    writeFileSync(
      path,
      ' { "a" : "\\u00e9\\ud83d\\ude00\\/\\"", "n":[ -1.5e+3 , true,false, null ] , "é":0}\n',
    );
    expect((await run(['field', path, 'a'])).out).toBe('é😀/"');
    expect((await run(['field', path, 'n.0'])).out).toBe('-1.5e+3');
    expect((await run(['field', path, 'n.1'])).out).toBe('true');
    expect((await run(['field', path, 'é'])).out).toBe('0');
    for (const text of [
      '{"a":1}x',
      '{"a":1',
      '{"a":1,"a":2}',
      '{"a":tru}',
      '{"a":1.}',
      '{"a":+1}',
      '{"a":"\t"}',
    ]) {
      writeFileSync(path, text);
      expect((await run(['field', path, 'a'])).code).toBe(2);
    }
  });
});

describe('dictionary and decode', () => {
  const old = JSON.stringify(Array.from({ length: 400 }, (_, i) => sha256(`${i}`)));
  const text = old.replace(sha256('7'), sha256('new'));

  function coded(frame?: Buffer): Buffer {
    const whole = codedWith(Buffer.from(old), Buffer.from(text)) ?? Buffer.alloc(0);
    return frame ? Buffer.concat([whole.subarray(0, 40), frame]) : whole;
  }

  async function decode(bytes: Buffer, dictionary = old): Promise<Outcome & { text: string | null }> {
    const [known, from, to] = [join(dir, 'known'), join(dir, 'coded'), join(dir, 'text')];
    writeFileSync(known, dictionary);
    writeFileSync(from, bytes);
    const done = await run(['decode', known, from, to]);
    return { ...done, text: existsSync(to) ? readFileSync(to, 'utf8') : null };
  }

  test('what the server leaves out is put in again', async () => {
    expect(coded().length).toBeLessThan(200);
    expect(await decode(coded())).toEqual({ code: 0, out: '', err: '', text });
    const named = createHash('sha256').update(old).digest('base64');
    expect((await run(['dictionary', join(dir, 'known')])).out).toBe(`:${named}:`);
    expect((await run(['dictionary', join(dir, 'none')])).code).toBe(1);
  });

  /** Zeros: a few KB of it are tens of MB. */
  const bomb = (bytes: number) => compress(Buffer.alloc(bytes));
  test.each<[string, () => Buffer, RegExp]>([
    ['nothing', () => Buffer.alloc(0), /not coded as dcz/],
    ['a frame without its head', () => coded().subarray(40), /not coded as dcz/],
    ['a head without a frame', () => coded(Buffer.alloc(0)), /does not say how many bytes/],
    ['what is no frame', () => coded(Buffer.from('{"version":1}')), /does not say how many bytes/],
    [
      'a frame that does not say its length',
      () => coded(compress(Buffer.from(text), { contentSizeFlag: false })),
      /does not say/,
    ],
    [
      'a frame of more than is taken',
      () => coded(bomb(33 * 2 ** 20)),
      /says that it has 34603008 bytes, and more than 33554432 are not taken/,
    ],
    [
      'a frame that has more than it says',
      () => coded(Buffer.concat([compress(Buffer.from('x')), bomb(40 * 2 ** 20)])),
      /is damaged/,
    ],
    ['a frame that was cut off', () => coded().subarray(0, -9), /is damaged/],
  ])('%s is refused, and nothing is written', async (_, bytes, reason) => {
    expect(await decode(bytes())).toMatchObject({ code: 2, text: null, err: expect.stringMatching(reason) });
  });

  test('what was coded with another dictionary is refused', async () => {
    const done = await decode(coded(), `${old} `);
    expect(done).toMatchObject({
      code: 2,
      text: null,
      err: expect.stringMatching(/with another dictionary/),
    });
  });

  test('no byte that is changed, and no end that is missing, harms the program', async () => {
    const whole = coded();
    await fc.assert(
      fc.asyncProperty(
        fc.nat(whole.length - 1),
        fc.integer({ min: 1, max: 255 }),
        fc.boolean(),
        async (at, by, isCut) => {
          const bytes = Buffer.from(isCut ? whole.subarray(0, at) : whole);
          if (!isCut) bytes[at] = (bytes[at] ?? 0) ^ by;
          const { code } = await decode(bytes);
          expect(isCut ? [2] : [0, 2]).toContain(code);
        },
      ),
      { numRuns: 60 },
    );
  });
});

describe('data', () => {
  test('what is no folder, and what is no ext4, is refused', async () => {
    const file = join(dir, 'file');
    writeFileSync(file, '');
    expect(await run(['immutable', file])).toMatchObject({
      code: 1,
      err: expect.stringMatching(/opened as a folder/),
    });
    expect(await run(['immutable', join(dir, 'none')])).toMatchObject({
      code: 1,
      err: expect.stringMatching(/No such file/),
    });
    expect(await run(['immutable', '/proc/self'])).toMatchObject({ code: 1 });
    expect(await run(['grow', '/proc/sys', '/dev/null'])).toMatchObject({
      code: 2,
      err: expect.stringMatching(/no mounted ext4/),
    });
    expect(await run(['grow', file, '/dev/null'])).toMatchObject({ code: 1 });
    expect(await run(['grow', dir])).toMatchObject({ code: 2, err: expect.stringMatching(/usage/) });
  });
});
