import { readFileSync } from 'node:fs';
import { execa } from 'execa';
import { inCheckout } from '../../lab/paths.ts';
import { storeImage, type TestImage } from '../fixtures/running-server.ts';

/** Kernels that the real GRUB can start, and that only say what they were given (payload.c). */

/** The images of a recorded run, in the order in which the host gets them. */
export const IMAGE_NAMES = ['first', 'second', 'third'] as const;
export type ImageName = (typeof IMAGE_NAMES)[number];
/** The file of {@link makePayload} in a run's folder. */
export const PAYLOAD = 'payload';

const SETUP_BYTES = 1024;
const CODE_AT = 0x100000;

/** @param file where the program goes, without its header */
export async function makePayload(file: string): Promise<void> {
  await execa('gcc', [
    ...['-m32', '-std=c11', '-Wall', '-Wextra', '-Werror', '-Os', '-ffreestanding', '-fno-toplevel-reorder'],
    ...['-fno-pic', '-no-pie', '-fno-stack-protector', '-fno-asynchronous-unwind-tables', '-nostdlib'],
    ...[`-Wl,--build-id=none,-N,-Ttext=0x${CODE_AT.toString(16)},--oformat=binary,-e,start`, '-o', file],
    inCheckout('test/power-cut/payload.c'),
  ]);
}

/** @param program of {@link makePayload} */
export function powerCutImage(dataDir: string, name: ImageName, program: string): Promise<TestImage> {
  return storeImage(dataDir, name, 'os', payloadKernel(program, name));
}

/** The bytes of a kernel that differs from all others in most of its blocks. */
export function payloadKernel(program: string, name: string): Buffer<ArrayBuffer> {
  const code = readFileSync(program);
  const text = payloadText(name);
  const setup = Buffer.alloc(SETUP_BYTES);
  setup.writeUInt8(SETUP_BYTES / 512 - 1, 0x1f1);
  setup.writeUInt32LE(Math.ceil((code.length + text.length) / 16), 0x1f4);
  setup.writeUInt16LE(0xaa55, 0x1fe);
  // A jump over the header, whose end GRUB takes from it.
  setup.writeUInt16LE(0x66eb, 0x200);
  setup.write('HdrS', 0x202, 'latin1');
  setup.writeUInt16LE(0x0206, 0x206);
  // Loaded high.
  setup.writeUInt8(1, 0x211);
  setup.writeUInt32LE(CODE_AT, 0x214);
  setup.writeUInt32LE(0x7fffffff, 0x22c);
  setup.writeUInt32LE(2047, 0x238);
  setup.writeUInt32LE(code.length, 0x248);
  setup.writeUInt32LE(text.length, 0x24c);
  return Buffer.concat([setup, code, text]);
}

const payloadText = (name: string) => Buffer.from(`kernel of ${name}\n`.repeat(400));

/** The part of such a kernel whose hash it says. */
export function textOfKernel(kernel: Buffer): Buffer {
  if (kernel.length < SETUP_BYTES) return kernel;
  const from = SETUP_BYTES + kernel.readUInt32LE(0x248);
  return kernel.subarray(from, from + kernel.readUInt32LE(0x24c));
}

/** As payload.c counts it. */
export function fnv1a(bytes: Buffer): string {
  let hash = 0x811c9dc5;
  for (const byte of bytes) hash = Math.imul(hash ^ byte, 0x01000193) >>> 0;
  return hash.toString(16).padStart(8, '0');
}
