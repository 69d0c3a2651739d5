import { copyFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { runChild } from './child.ts';
import { diskMachineArguments, sectorsOf } from './disk-machine.ts';
import { findOvmf } from './firmware.ts';
import { probeAccelerator } from './kvm.ts';
import { composeDisk } from './try-disk.ts';
import { parseTryOptions, TRY_USAGE, type TryOptions } from './try-options.ts';
import { makeWorkFolder, removeFolder } from './work-folder.ts';

/** By shells' convention, 128 and the signal's number. */
const EXIT_CODES = { SIGHUP: 129, SIGTERM: 143 } as const;

process.exitCode = await main(process.argv.slice(2));

/** `./warmboot try`. @returns the exit code */
async function main(args: readonly string[]): Promise<number> {
  let options: TryOptions | 'help';
  try {
    options = parseTryOptions(args);
  } catch (error) {
    return complain((error as Error).message);
  }
  if (options === 'help') {
    process.stdout.write(TRY_USAGE);
    return 0;
  }
  // Ctrl-C belongs to the system on the console, and to `disk` while that runs; both come back here.
  process.on('SIGINT', () => {});
  const ending = new AbortController();
  let code: number | null = null;
  for (const [name, exitCode] of Object.entries(EXIT_CODES))
    process.on(name, () => {
      code ??= exitCode;
      ending.abort();
    });
  const folder = await makeWorkFolder('try');
  try {
    const ended = await run(options, folder, ending.signal);
    return code ?? ended;
  } catch (error) {
    return code ?? complain((error as Error).message);
  } finally {
    await removeFolder(folder);
  }
}

async function run(options: TryOptions, folder: string, signal: AbortSignal): Promise<number> {
  const isFile = (await stat(options.what).catch(() => null))?.isFile() ?? false;
  const disk = isFile ? options.what : join(folder, 'disk.img');
  if (!isFile) {
    const code = await composeDisk(options, disk, signal);
    if (code !== 0) return code;
  }
  const ovmf = options.firmware === 'uefi' ? findOvmf() : null;
  const variables = join(folder, 'variables');
  if (ovmf !== null) await copyFile(ovmf.variables, variables);
  const machine = {
    disk,
    sectorBytes: await sectorsOf(disk),
    memoryMiB: options.memoryMiB,
    snapshot: isFile && options.snapshot,
    ovmf: ovmf && { code: ovmf.code, variables },
    serial: 'mon:stdio',
  };
  if (machine.sectorBytes === 4096 && ovmf === null)
    throw new Error(`${disk} has sectors of 4096 bytes, which no BIOS can boot from: add --uefi`);
  const accelerator = await probeAccelerator();
  process.stderr.write(`warmboot: starting the machine (${accelerator.name}); Ctrl-A X ends it\n`);
  const args = diskMachineArguments(machine, accelerator);
  return runChild('qemu-system-x86_64', args, { stdio: 'inherit' }, signal);
}

function complain(sentence: string): number {
  process.stderr.write(`warmboot: ${sentence}\n`);
  return 1;
}
