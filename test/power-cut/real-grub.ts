import { once } from 'node:events';
import { cpSync, rmSync, writeFileSync } from 'node:fs';
import { startProgram } from '../../lab/child.ts';

/** GRUB as it lies on the disk, in a virtual machine. What it starts is payload.c, which ends the machine. */

const OVMF = '/usr/share/OVMF/OVMF_CODE_4M.fd';
const OVMF_VARIABLES = '/usr/share/OVMF/OVMF_VARS_4M.fd';
const PATIENCE_MS = 180_000;

export type Firmware = 'bios' | 'uefi';

export type Meddling = {
  /** A new file for what GRUB writes, in the format of write-log.ts. */
  readonly log?: string;
  /** A sector that the disk cannot read any more. */
  readonly unreadable?: number;
  /** Sectors of 512 bytes whose writes fail: all, or one. */
  readonly unwritable?: 'all' | number;
};

/** @param disk a file, which GRUB writes too */
export async function startDisk(disk: string, firmware: Firmware, meddling: Meddling = {}): Promise<string> {
  const variables = `${disk}.variables`;
  if (firmware === 'uefi') cpSync(OVMF_VARIABLES, variables);
  const flash = (file: string, mode: string) => ['-drive', `if=pflash,format=raw,file=${file}${mode}`];
  const qemu = startProgram(
    'setpriv',
    [
      ...['--pdeathsig', 'KILL', '--', 'qemu-system-x86_64', '-accel', 'tcg', '-m', '128', '-vga', 'none'],
      ...['-display', 'none', '-nic', 'none', '-no-reboot', '-monitor', 'none', '-serial', 'stdio'],
      ...blockDevices(disk, meddling).flatMap((device) => ['-blockdev', device]),
      ...['-device', 'virtio-blk-pci,drive=disk'],
      ...(firmware === 'uefi' ? [...flash(OVMF, ',readonly=on'), ...flash(variables, '')] : []),
    ],
    { stdio: ['ignore', 'pipe', 'pipe'] },
  );
  let said = '';
  const closed = once(qemu, 'close');
  const patience = setTimeout(() => qemu.kill('SIGKILL'), PATIENCE_MS);
  for (const stream of [qemu.stdout, qemu.stderr])
    stream.setEncoding('latin1').on('data', (text) => {
      said += text;
      // Here it would sleep and start the machine again.
      if (NOTHING.test(said)) qemu.kill('SIGKILL');
    });
  await closed;
  clearTimeout(patience);
  if (firmware === 'uefi') rmSync(variables);
  return answerOf(said);
}

function blockDevices(disk: string, { log, unreadable, unwritable }: Meddling): string[] {
  const file = (name: string, of: string) => `driver=file,node-name=${of},filename=${name}`;
  const raw = (name: string) => `driver=raw,node-name=${name},file=file`;
  if (log !== undefined) {
    writeFileSync(log, '');
    const recorded = 'driver=blklogwrites,node-name=disk,file=raw,log=log,log-super-update-interval=1';
    return [file(disk, 'file'), raw('raw'), file(log, 'log'), recorded];
  }
  const refused = unreadable ?? unwritable;
  if (refused === undefined) return [file(disk, 'file'), raw('disk')];
  const error = ['event=none', `iotype=${unreadable === undefined ? 'write' : 'read'}`];
  if (refused !== 'all') error.push(`sector=${refused}`);
  const faults = error.map((each) => `,inject-error.0.${each}`).join('');
  return [file(disk, 'file'), raw('raw'), `driver=blkdebug,node-name=disk,image=raw${faults}`];
}

const NOTHING = /warmboot: grub finds no slot that can be booted/;
const PAYLOAD = /warmboot payload: kernel=(\w+) initrd=(\w+) arguments=(.*?) payload ends/;

/** In the same words as grub-expected.ts. */
function answerOf(said: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: what moves the cursor begins with one
  const text = said.replace(/\u001b\[[0-9;?]*[A-Za-z]/g, '');
  // By UEFI it says all of it twice: on the console, which is the serial port too.
  const lines = [...text.matchAll(/error: .*?(?=error: |[\r\n]|$)/g)].map(([line]) => line.trim());
  const complaints = new Set(lines.filter((line) => !line.includes('video mode')));
  const payload = PAYLOAD.exec(text);
  let answer = `nothing that is known: ${text.slice(-400)}`;
  if (NOTHING.test(text)) answer = NO_SLOT;
  else if (payload) {
    const [, kernel = '', initrd = '', words = ''] = payload;
    answer = startedWith(kernel, initrd, words);
  }
  return [answer, ...complaints].join('; ');
}

export const NO_SLOT = 'no slot';

/** The arguments say which slot it is, and whether on trial. */
export function startedWith(kernel: string, initrd: string, words: string): string {
  return `kernel ${kernel}, initrd ${initrd}, arguments ${words}`;
}
