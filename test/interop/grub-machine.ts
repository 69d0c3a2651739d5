import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpSync } from 'node:fs';
import { join } from 'node:path';

/** A virtual machine that is switched on to see what GRUB does with its disks. */

const OVMF = '/usr/share/OVMF/OVMF_CODE_4M.fd';
const OVMF_VARIABLES = '/usr/share/OVMF/OVMF_VARS_4M.fd';

/** What the other end of the serial line says when GRUB has said something. */
export type Answer = (said: string) => string;

/** What GRUB says first on the serial port about its choices, so many. The machine is cut off then: what was saved is saved. */
export async function powerOn(
  folder: string,
  disks: readonly string[],
  firmware: 'bios' | 'uefi',
  { answer = () => '', count = 1 }: { readonly answer?: Answer; readonly count?: number } = {},
): Promise<string> {
  const variables = join(folder, 'variables');
  if (firmware === 'uefi') cpSync(OVMF_VARIABLES, variables);
  const flash = (file: string, mode: string) => ['-drive', `if=pflash,format=raw,file=${file}${mode}`];
  const flags = ['-accel', 'tcg', '-m', '256', '-display', 'none', '-nic', 'none', '-no-reboot'];
  const qemu = spawn(
    'setpriv',
    [
      ...['--pdeathsig', 'KILL', '--', 'qemu-system-x86_64', ...flags],
      ...['-monitor', 'none', '-serial', 'stdio'],
      ...disks.flatMap((disk, index) => [
        ...['-drive', `if=none,id=disk${index},format=raw,file=${disk}`],
        ...['-device', `virtio-blk-pci,drive=disk${index},bootindex=${index}`],
      ]),
      ...(firmware === 'uefi' ? [...flash(OVMF, ',readonly=on'), ...flash(variables, '')] : []),
    ],
    { stdio: ['pipe', 'pipe', 'ignore'] },
  );
  let text = '';
  qemu.stdout.setEncoding('latin1').on('data', (said: string) => {
    text += said;
    // The firmware is told nothing: it has questions of its own.
    if (/GRUB|warmboot|automatically/.test(text)) qemu.stdin.write(answer(said), 'latin1');
  });
  qemu.stdin.on('error', () => {});
  try {
    for (;;) {
      // Only whole lines, without what moves the cursor.
      const lines = text.matchAll(
        /warmboot: grub ((?:boots slot [a-h](?: trial)?|finds no slot that can be booted))(?:,| *[^a-z ])/g,
      );
      const said = [...lines].map(([, line]) => line);
      if (said.length >= count) return said.slice(0, count).join(', ');
      if (qemu.exitCode !== null) throw new Error(`The machine ended: ${text.slice(-500)}`);
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  } finally {
    // Its disks are free for another machine only then.
    const ended = qemu.exitCode === null && once(qemu, 'exit');
    qemu.kill('SIGKILL');
    await ended;
  }
}
