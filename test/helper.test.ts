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

/** warmboot-helper, built from source with sanitizers and run as the installer and the agent run it. */

const SOURCE = 'images/agent/helper';
const BLOCK = 4096;

let root: string;
let helper: string;
let dir: string;

beforeAll(async () => {
  root = mkdtempSync(join(tmpdir(), 'warmboot-helper-'));
  await execa('make', ['-s', '-j2', '-C', SOURCE, `OUT=${root}`, 'all', 'sanitized']);
  helper = join(root, 'warmboot-helper-sanitized');
}, 120_000);
afterAll(() => rmSync(root, { recursive: true, force: true }));
beforeEach(() => {
  dir = mkdtempSync(join(root, 'test-'));
});

const sha256 = (data: Uint8Array | string) => createHash('sha256').update(data).digest('hex');

interface Outcome {
  code: number | undefined;
  out: string;
  err: string;
}

async function run(args: string[], input: Uint8Array = new Uint8Array(), program = helper): Promise<Outcome> {
  const done = await execa(program, args, {
    input,
    reject: false,
    env: { ASAN_OPTIONS: 'exitcode=99', UBSAN_OPTIONS: 'exitcode=99' },
  });
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

/** Puts an image's documents and a dirty device, `extra` bytes longer than the filesystem, into the folder. */
function place(wanted: Image, extra = BLOCK) {
  const paths = {
    index: join(dir, 'index.json'),
    frames: join(dir, 'frames.json'),
    device: join(dir, 'device'),
    progress: join(dir, 'progress'),
  };
  writeFileSync(paths.index, `${JSON.stringify(wanted.index)}\n`);
  writeFileSync(paths.frames, JSON.stringify(wanted.frames));
  writeFileSync(paths.device, Buffer.alloc(wanted.raw.length + extra, 0xa5));
  return {
    ...paths,
    write: (data: Uint8Array, program = helper) =>
      run(['write', paths.index, paths.frames, paths.device, paths.progress], data, program),
    check: (program = helper) => run(['check', paths.index, paths.device], undefined, program),
    content: () => readFileSync(paths.device).subarray(0, wanted.raw.length),
    rest: () => readFileSync(paths.device).subarray(wanted.raw.length),
    done: () => {
      const line = readFileSync(paths.progress, 'utf8');
      expect(line).toMatch(/^\d+ \d+ \d+ \d+\n$/);
      const [frames = 0, offset = 0, bytes = 0, total = 0] = line.split(' ').map(Number);
      expect(bytes).toBeLessThanOrEqual(total);
      return { frames, offset, bytes, total };
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
    const program = join(root, 'warmboot-helper');
    const elf = readFileSync(program);
    expect(elf.includes('/ld-linux')).toBe(false);
    expect(elf.includes('.symtab')).toBe(false);
    for (const args of [[], ['nonsense'], ['write', 'a'], ['check'], ['grubenv', 'f'], ['digest', 'a', 'b']])
      expect(await run(args, undefined, program)).toEqual(refused(2, /usage: /));
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
    const program = join(root, 'warmboot-helper');
    expect(await at.write(example.data, program)).toEqual(good);
    expect(at.content().equals(example.raw)).toBe(true);
    expect(await at.check(program)).toEqual(good);
  });
});

describe('write', () => {
  test('brings the image onto a dirty device, zeros and repeated chunks included, and nothing behind it', async () => {
    const at = place(example, 3 * BLOCK);
    expect(await at.write(example.data)).toEqual(good);
    expect(at.content().equals(example.raw)).toBe(true);
    expect(at.rest().equals(Buffer.alloc(3 * BLOCK, 0xa5))).toBe(true);
    const total = example.raw.length;
    expect(at.done()).toEqual({ frames: 5, offset: example.data.length, bytes: total, total });
    expect(existsSync(`${at.progress}.tmp`)).toBe(false);
    expect(await at.check()).toEqual(good);
  });

  test('an image of nothing but zeros has no frames and needs no data', async () => {
    const empty = image([zeros(5000)]);
    const at = place(empty, 0);
    expect(await at.write(empty.data)).toEqual(good);
    expect(at.content().equals(empty.raw)).toBe(true);
    expect(at.done().bytes).toBe(5000 * BLOCK);
  });

  test('what the stream holds behind the last frame is not touched', async () => {
    const at = place(example);
    expect(await at.write(Buffer.concat([example.data, Buffer.alloc(1 << 20, 1)]))).toEqual(good);
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

  test('a helper that was stopped among the zeros writes them all', async () => {
    const at = place(example);
    const total = example.raw.length;
    const data = Buffer.from(example.raw);
    let end = 0;
    for (const { offset, bytes } of [...example.index.chunks, { offset: total, bytes: 0 }]) {
      data.fill(0xa5, end, offset);
      end = offset + bytes;
    }
    writeFileSync(at.device, data);
    writeFileSync(at.progress, `5 ${example.data.length} ${total - BLOCK} ${total}\n`);
    expect(await at.write(Buffer.alloc(0))).toEqual(good);
    expect(at.content().equals(example.raw)).toBe(true);
    expect(at.done().bytes).toBe(total);
  });

  const { starts } = example;
  const [, second = 0, third = 0] = starts;
  test.each([
    ['at its first byte', 0, 0],
    ['inside the first frame', 10, 0],
    ['at the end of a frame', second, 1],
    ['inside a frame', second + 1, 1],
    ['a byte before the end of a frame', third - 1, 1],
    ['a byte before the end of all', example.data.length - 1, 4],
  ])('a stream that ends %s is resumed', async (_name, length, frames) => {
    const at = place(example);
    const sentence = new RegExp(
      `the stream ended at byte ${length} of ${example.data.length} .* again from byte`,
    );
    expect(await at.write(example.data.subarray(0, length))).toEqual(refused(3, sentence));
    const done = at.done();
    expect(done).toMatchObject({ frames, offset: starts[frames] });

    // Whatever was done must not be done again: a resumed write touches no byte of a finished frame.
    const first = example.index.chunks[0].offset;
    const device = readFileSync(at.device);
    device.fill(0x77, first, first + 1);
    if (frames > 0) writeFileSync(at.device, device);

    expect(await at.write(example.data.subarray(done.offset))).toEqual(good);
    const content = Buffer.from(at.content());
    if (frames > 0) {
      expect(content[first]).toBe(0x77);
      content[first] = example.raw[first] ?? 0;
    }
    expect(content.equals(example.raw)).toBe(true);
    expect(at.done().bytes).toBe(example.raw.length);
  });

  test('a helper that was killed is resumed', async () => {
    const at = place(example);
    const child = execa(helper, ['write', at.index, at.frames, at.device, at.progress], {
      reject: false,
      stdin: 'pipe',
    });
    child.stdin.on('error', () => {});
    child.stdin.write(example.data.subarray(0, third + 5));
    // The file is written at most four times a second, so the kill meets a lagging one as well as an exact one.
    for (let i = 0; i < 200 && !existsSync(at.progress); i++) await sleep(10);
    await sleep(100);
    child.kill('SIGKILL');
    await child;
    expect(at.done().frames).toBeLessThanOrEqual(2);
    expect(await at.write(example.data.subarray(at.done().offset))).toEqual(good);
    expect(at.content().equals(example.raw)).toBe(true);
  });

  test('progress is told while the stream is slow', async () => {
    const at = place(example);
    const child = execa(helper, ['write', at.index, at.frames, at.device, at.progress], { stdin: 'pipe' });
    child.stdin.write(example.data.subarray(0, second));
    await sleep(400);
    child.stdin.write(example.data.subarray(second, third));
    for (let i = 0; i < 200 && at.done().frames < 2; i++) await sleep(10);
    expect(at.done()).toMatchObject({ frames: 2, offset: third, total: example.raw.length });
    child.stdin.end(example.data.subarray(third));
    await child;
  });

  test.each([0, 1, 4])(
    'an altered byte in frame %i is found, named, and cured by fetching again',
    async (n) => {
      const at = place(example);
      const altered = Buffer.from(example.data);
      const where = ((starts[n] ?? 0) + (starts[n + 1] ?? 0)) >> 1;
      altered[where] = (altered[where] ?? 0) ^ 0x10;
      expect(await at.write(altered)).toEqual(
        refused(4, new RegExp(`frame ${n} at offset ${starts[n]} .*corrupt`)),
      );
      expect(at.done()).toMatchObject({ frames: n, offset: starts[n] });
      expect(await at.write(example.data.subarray(starts[n]))).toEqual(good);
      expect(at.content().equals(example.raw)).toBe(true);
    },
  );

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
      expect(at.done().frames).toBe(0);
      rmSync(at.progress);
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
    const folder = ['write', at.index, at.frames, dir, at.progress];
    expect(await run(folder, example.data)).toEqual(refused(5, /neither a block device nor a file/));
  });

  test('a device that fails in the middle is reported with its place, and what was done before counts', async () => {
    const plain = image([chunk(16, 1), chunk(64, 2), zeros(8), chunk(4, 3), zeros(8)]);
    const at = place(plain);
    // In units of 512 bytes: writes behind the second chunk fail.
    const script = `trap '' XFSZ; ulimit -f ${(80 * BLOCK) / 512}; exec "$@"`;
    const args = [helper, 'write', at.index, at.frames, at.device, at.progress];
    const outcome = await run(['-c', script, 'sh', ...args], plain.data, 'sh');
    expect(outcome).toEqual(refused(5, new RegExp(`writing at offset ${88 * BLOCK} of .* failed`)));
    expect(at.done()).toMatchObject({ frames: 2, offset: plain.starts[2], bytes: 80 * BLOCK });
    expect(await at.write(plain.data.subarray(plain.starts[2]))).toEqual(good);
    expect(at.content().equals(plain.raw)).toBe(true);
  });

  test('a progress file that cannot be written is the machine’s own trouble', async () => {
    const at = place(example);
    const args = ['write', at.index, at.frames, at.device, join(dir, 'missing', 'progress')];
    expect(await run(args, example.data)).toEqual(refused(1, /progress file .* cannot be written/));
  });

  test.each([
    ['empty', ''],
    ['not four numbers', '1 2 3\n'],
    ['of more than a line', '0 0 0 1\n\n'],
    ['negative', `-1 0 0 ${example.raw.length}\n`],
    ['of another image', '0 0 0 4096\n'],
    ['of another place in data', `1 ${second + 1} ${example.raw.length} ${example.raw.length}\n`],
    ['behind the last frame', `6 ${example.data.length} 0 ${example.raw.length}\n`],
    ['with more bytes than there are', `0 0 ${example.raw.length + 1} ${example.raw.length}\n`],
    ['with fewer bytes than its frames have', `1 ${second} 0 ${example.raw.length}\n`],
  ])('a progress file that is %s is refused, and the device left alone', async (_name, text) => {
    const at = place(example);
    writeFileSync(at.progress, text);
    expect(await at.write(example.data)).toEqual(refused(2, /remove it and send the data from its start/));
    expect(at.content().every((byte) => byte === 0xa5)).toBe(true);
  });

  test('random images, cut anywhere, come out whole', async () => {
    const runs = fc.array(
      fc.record({ blocks: fc.integer({ min: 1, max: 64 }), content: fc.integer({ min: 0, max: 6 }) }),
      { minLength: 1, maxLength: 14 },
    );
    await fc.assert(
      fc.asyncProperty(runs, fc.double({ min: 0, max: 1, noNaN: true }), async (which, cut) => {
        const random = image(which);
        const at = place(random, 0);
        rmSync(at.progress, { force: true });
        const length = Math.floor(cut * random.data.length);
        const first = await at.write(random.data.subarray(0, length));
        expect(first.code).toBe(length === random.data.length ? 0 : 3);
        expect(await at.write(random.data.subarray(at.done().offset))).toEqual(good);
        expect(at.content().equals(random.raw)).toBe(true);
        expect(at.done()).toMatchObject({ bytes: random.raw.length, total: random.raw.length });
        expect(await at.check()).toEqual(good);
      }),
      { numRuns: 20 },
    );
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
