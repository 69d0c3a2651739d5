import { type Duplex, pipeline, Readable } from 'node:stream';
import { createGunzip } from 'node:zlib';
import { execa } from 'execa';
import { DecompressStream } from 'zstd-napi';
import { InitrdError } from './byte-reader.ts';

/** An initrd that this machine cannot unpack, although Linux could. */
export class MissingProgramError extends Error {
  override readonly name = 'MissingProgramError';
  readonly program: string;
  readonly debianPackage: string;

  constructor(program: string, debianPackage: string) {
    super(`${program} is not installed`);
    this.program = program;
    this.debianPackage = debianPackage;
  }
}

type Unpack = (source: AsyncIterable<Buffer>) => AsyncIterable<Buffer>;

/** The compressions that Linux unpacks at boot, by their first bytes. Source: the kernel's lib/decompress.c. */
const COMPRESSIONS: readonly { readonly magic: string; readonly unpack: Unpack }[] = [
  { magic: '\x1f\x8b', unpack: (source) => throughStream(source, createGunzip()) },
  { magic: '\x28\xb5', unpack: (source) => throughStream(source, new DecompressStream()) },
  { magic: '\xfd\x37', unpack: (source) => throughProgram(source, 'xz', 'xz-utils') },
  { magic: '\x5d\x00', unpack: (source) => throughProgram(source, 'xz', 'xz-utils') },
  { magic: '\x42\x5a', unpack: (source) => throughProgram(source, 'bzip2', 'bzip2') },
  { magic: '\x02\x21', unpack: (source) => throughProgram(source, 'lz4', 'lz4') },
  { magic: '\x89\x4c', unpack: (source) => throughProgram(source, 'lzop', 'lzop') },
];

/** How to unpack what begins like this; null when Linux could not either. */
export function compressionOf(start: Buffer): Unpack | null {
  const magic = start.toString('latin1', 0, 2);
  return COMPRESSIONS.find((each) => each.magic === magic)?.unpack ?? null;
}

async function* throughStream(source: AsyncIterable<Buffer>, codec: Duplex): AsyncGenerator<Buffer> {
  // An error of the source ends the codec with it, so that reading the codec tells of both.
  pipeline(Readable.from(source), codec, () => {});
  try {
    yield* codec as AsyncIterable<Buffer>;
  } catch (error) {
    throw new InitrdError(`it cannot be unpacked: ${(error as Error).message}`);
  }
}

/** Node has no such codec: the program that everybody has, asked to write to its standard output. */
async function* throughProgram(
  source: AsyncIterable<Buffer>,
  program: string,
  debianPackage: string,
): AsyncGenerator<Buffer> {
  const running = execa(program, ['-dc'], {
    stdin: 'pipe',
    stdout: 'pipe',
    buffer: { stdout: false, stderr: true },
    reject: false,
  });
  // A program that ends early says why by its exit status; that its input broke is only what follows.
  pipeline(Readable.from(source), running.stdin, () => {});
  try {
    yield* running.stdout as AsyncIterable<Buffer>;
    const result = await running;
    if (result.code === 'ENOENT') throw new MissingProgramError(program, debianPackage);
    if (result.failed)
      throw new InitrdError(`it cannot be unpacked: ${String(result.stderr).trim().split('\n')[0]}`);
  } finally {
    running.kill();
  }
}
