import { spawn } from 'node:child_process';
import { access, constants, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** How guests are run: on the processor (kvm) or translated (tcg). */
export interface Accelerator {
  readonly name: 'kvm' | 'tcg';
  readonly qemuArgs: readonly string[];
  /** Of a guest. */
  readonly processors: number;
  /** Time-outs are written for KVM and multiplied by this. */
  readonly slowness: number;
}

const KVM: Accelerator = {
  name: 'kvm',
  qemuArgs: ['-accel', 'kvm', '-cpu', 'host'],
  processors: 2,
  slowness: 1,
};
/**
 * QEMU's own processor and not `-cpu max`: programs would pick their AVX code, which is slow to translate; nor one of Intel's, which the
 * kernel guards by page tables of its own, a fifth of all that a boot takes. With the instructions for hashes and random numbers: flashing a
 * disk takes half the time.
 */
const TCG: Accelerator = {
  name: 'tcg',
  qemuArgs: [
    '-accel',
    'tcg,thread=multi',
    '-cpu',
    'qemu64,+ssse3,+sse4.1,+sse4.2,+popcnt,+rdrand,+sha-ni,+erms',
  ],
  processors: 2,
  slowness: 4,
};

/** What the probe writes to the debug port; QEMU's exit code is then twice this and one. */
const PASSED = 0x15;

/**
 * A boot sector that does what firmware does early and what a nested or emulated KVM is known to stumble over: the x87 unit
 * and, where there is one, the random number instruction. Then it says so through isa-debug-exit.
 */
function bootSector(): Buffer {
  const code = [
    [0x66, 0xb8, 0x01, 0x00, 0x00, 0x00], // mov eax, 1
    [0x0f, 0xa2], //                         cpuid
    [0x66, 0x0f, 0xba, 0xe1, 0x1e], //       bt ecx, 30
    [0x73, 0x03], //                         jnc over the next one
    [0x0f, 0xc7, 0xf2], //                   rdrand dx
    [0x9b, 0xdb, 0xe3], //                   finit
    [0xb0, PASSED, 0xe6, 0xf4], //           mov al, PASSED; out 0xf4, al
    [0xf4, 0xeb, 0xfd], //                   hlt, for ever
  ].flat();
  const sector = Buffer.alloc(512);
  Buffer.from(code).copy(sector);
  sector.writeUInt16LE(0xaa55, 510);
  return sector;
}

/**
 * KVM if a guest really runs on it, else TCG. `/dev/kvm` proves nothing: where virtualisation is nested and switched off the
 * device is there, and firmware takes a minute or dies of an "internal error". WARMBOOT_LAB_ACCEL=kvm|tcg skips the question.
 */
export async function probeAccelerator(timeoutMs = 5_000): Promise<Accelerator> {
  const wish = process.env.WARMBOOT_LAB_ACCEL;
  if (wish === 'kvm') return KVM;
  if (wish === 'tcg') return TCG;
  try {
    await access('/dev/kvm', constants.R_OK | constants.W_OK);
  } catch {
    return TCG;
  }
  const folder = await mkdtemp(join(tmpdir(), 'warmboot-kvm-'));
  try {
    const image = join(folder, 'probe.img');
    await writeFile(image, bootSector());
    return (await runsProbe(image, timeoutMs)) ? KVM : TCG;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

function runsProbe(image: string, timeoutMs: number): Promise<boolean> {
  const args = [
    '-machine',
    'pc',
    '-m',
    '32',
    '-nodefaults',
    '-display',
    'none',
    '-no-reboot',
    ...KVM.qemuArgs,
  ];
  args.push('-device', `isa-debug-exit,iobase=0xf4,iosize=1`);
  args.push('-drive', `file=${image},format=raw,if=ide,snapshot=on`);
  return new Promise((resolve) => {
    const qemu = spawn('qemu-system-x86_64', args, { stdio: ['ignore', 'ignore', 'pipe'] });
    const timer = setTimeout(() => qemu.kill('SIGKILL'), timeoutMs);
    // After an internal error QEMU keeps standing there, paused.
    qemu.stderr.on('data', (text: Buffer) => {
      if (text.includes('KVM internal error')) qemu.kill('SIGKILL');
    });
    qemu.on('error', () => resolve(false));
    qemu.on('close', (code) => {
      clearTimeout(timer);
      resolve(code === PASSED * 2 + 1);
    });
  });
}
