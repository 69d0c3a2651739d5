import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { copyFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { diskMachineArguments, sectorsOf } from './disk-machine.ts';
import { findOvmf } from './firmware.ts';
import { probeAccelerator } from './kvm.ts';
import { inCheckout } from './paths.ts';
import { parseTryOptions, TRY_USAGE, type TryOptions } from './try-options.ts';
import { makeWorkFolder, removeFolder } from './work-folder.ts';

/** What an image is tried on; both firmwares start it. */
const LAYOUT = 'two-slots';

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
  const folder = await makeWorkFolder('try');
  try {
    return await run(options, folder);
  } catch (error) {
    return complain((error as Error).message);
  } finally {
    await removeFolder(folder);
  }
}

async function run(options: TryOptions, folder: string): Promise<number> {
  const isFile = (await stat(options.what).catch(() => null))?.isFile() ?? false;
  const disk = isFile ? options.what : join(folder, 'disk.img');
  if (!isFile) {
    const code = await compose(options, disk);
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
  return ended(spawn('qemu-system-x86_64', diskMachineArguments(machine, accelerator), { stdio: 'inherit' }));
}

/** `./warmboot disk`, its progress on our stderr. @returns its exit code */
function compose({ what, data, server }: TryOptions, disk: string): Promise<number> {
  const where = [
    ...(data === null ? [] : ['--data', data]),
    ...(server === null ? [] : ['--server', server]),
  ];
  const args = [...where, 'disk', LAYOUT, '--slot', `a=${what}`, '-o', disk];
  return ended(spawn(inCheckout('warmboot'), args, { stdio: ['ignore', 'inherit', 'inherit'] }));
}

async function ended(child: ReturnType<typeof spawn>): Promise<number> {
  const [code] = (await once(child, 'close')) as [number | null];
  return code ?? 1;
}

function complain(sentence: string): number {
  process.stderr.write(`warmboot: ${sentence}\n`);
  return 1;
}
