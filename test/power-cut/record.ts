import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { execa } from 'execa';
import { startProgram } from '../../lab/child.ts';
import { inCheckout } from '../../lab/paths.ts';
import { AGENT, INSTALLER } from '../host/shell.ts';
import { kernelModules } from '../interop/user-mode-linux.ts';
import { makePayload, PAYLOAD } from './payload.ts';

/** A Linux kernel that runs as a process of ours, from the Debian package `user-mode-linux`. */
const KERNEL = '/usr/bin/linux.uml';
const MIB = 2 ** 20;
export const DISK_BYTES = 90 * MIB;

/** The smallest layout there may be: few writes, so that all of them can be tried. */
export const TINY = {
  table: 'gpt',
  bootBytes: 64 * MIB,
  stateBytes: 16 * MIB,
  slots: 2,
  slotBytes: MIB,
  data: false,
} as const;

/** Helper, GRUB and what stands in for Linux, made once for all recordings. @returns the folder they are in */
export async function makePrograms(folder: string): Promise<string> {
  await execa('make', ['-s', '-j2', '-C', inCheckout('images/agent/helper'), `OUT=${folder}/made`, 'all']);
  mkdirSync(join(folder, 'grub'));
  await execa('sh', [inCheckout('images/installer/grub/make.sh'), join(folder, 'grub')]);
  await makePayload(join(folder, PAYLOAD));
  return folder;
}

/** Changes a script before it is run, to see that a mistake in it is noticed. */
export type Mutation = { readonly file: string; readonly change: (text: string) => string };

/**
 * Lets the real installer and the real agent work on an empty disk, every write of which is recorded.
 * @param folder a new one @returns what blklogwrites wrote, and what the machine said
 */
export async function record(
  folder: string,
  programs: string,
  mutations: readonly Mutation[] = [],
): Promise<Recorded> {
  for (let left = MOST_CRASHES; ; left -= 1) {
    const recorded = await recordOnce(mkdtempSync(join(folder, 'try-')), programs, mutations);
    if (!CRASH.test(recorded.said) || left === 0) return recorded;
  }
}

type Recorded = { readonly log: Buffer; readonly said: string };

/**
 * The kernel that runs as a process was seen to fall over by itself on a machine that was very busy, with these words. That says nothing
 * of what is tried here.
 */
const CRASH = /bad: scheduling from the idle thread|Kernel panic/;
const MOST_CRASHES = 2;

async function recordOnce(
  folder: string,
  programs: string,
  mutations: readonly Mutation[],
): Promise<Recorded> {
  prepare(folder, programs, mutations);
  const socket = join(folder, 'disk.sock');
  const disk = startDisk(folder, socket);
  try {
    while (!existsSync(socket)) {
      if (disk.exitCode !== null) throw new Error('qemu-storage-daemon did not start');
      await sleep(20);
    }
    const said = await runMachine(folder, socket);
    return { said, log: await end(disk).then(() => readFileSync(join(folder, 'log'))) };
  } finally {
    await end(disk);
  }
}

function prepare(folder: string, programs: string, mutations: readonly Mutation[]): void {
  mkdirSync(join(folder, 'disks'), { recursive: true });
  writeFileSync(join(folder, 'disks/tiny.json'), JSON.stringify(TINY));
  for (const file of ['disk', 'log']) writeFileSync(join(folder, file), '');
  truncateSync(join(folder, 'disk'), DISK_BYTES);
  const lib = join(folder, 'lib');
  for (const from of [AGENT, INSTALLER]) cpSync(from, lib, { recursive: true });
  cpSync(join(programs, 'made/warmboot-helper'), join(lib, 'warmboot-helper'));
  cpSync(join(programs, 'grub'), join(lib, 'grub'), { recursive: true });
  cpSync(join(programs, PAYLOAD), join(folder, PAYLOAD));
  // The one thing that cannot be true here: that the slot is mounted at /.
  const root = 'partition_of_root() { partition_on vda "warmboot-$(cmdline_value warmboot.slot)"; }';
  writeFileSync(join(lib, 'disk.sh'), `${readFileSync(join(lib, 'disk.sh'), 'utf8')}\n${root}\n`);
  for (const { file, change } of mutations) {
    const text = readFileSync(join(lib, file), 'utf8');
    const changed = change(text);
    if (changed === text) throw new Error(`nothing was changed in ${file}`);
    writeFileSync(join(lib, file), changed);
  }
  // As the first program it gets what the kernel's command line says; folders may have names with blanks.
  const words = Object.entries({
    CHECKOUT: inCheckout('.'),
    NODE: process.execPath,
    WORK: folder,
    KERNEL_MODULES: kernelModules(),
  });
  const environment = words.map(([name, value]) => `export ${name}='${value}'\n`).join('');
  writeFileSync(
    join(folder, 'init'),
    `#!/bin/sh\n${environment}exec '${inCheckout('test/power-cut/machine.sh')}'\n`,
  );
  chmodSync(join(folder, 'init'), 0o755);
}

/** A disk with a cache of its own: what was not flushed may be lost. */
function startDisk(folder: string, socket: string): ChildProcess {
  const file = (name: string, more = '') =>
    `driver=file,filename=${join(folder, name)},node-name=${name}${more}`;
  return startProgram(
    'setpriv',
    [
      ...['--pdeathsig', 'KILL', '--', 'qemu-storage-daemon'],
      ...['--blockdev', file('disk'), '--blockdev', 'driver=raw,file=disk,node-name=raw'],
      ...['--blockdev', file('log')],
      ...[
        '--blockdev',
        'driver=blklogwrites,node-name=recorded,file=raw,log=log,log-super-update-interval=1',
      ],
      '--export',
      `type=vhost-user-blk,id=export,node-name=recorded,addr.type=unix,addr.path=${socket},writable=on`,
    ],
    { stdio: 'ignore' },
  );
}

async function runMachine(folder: string, socket: string): Promise<string> {
  const uml = startProgram(
    'setpriv',
    [
      ...['--pdeathsig', 'KILL', '--', 'timeout', '-k', '1', '700', KERNEL],
      ...['mem=768M', 'quiet', 'panic=-1', 'con=null', 'con0=fd:0,fd:1'],
      ...['root=/dev/root', 'rootfstype=hostfs', 'rootflags=/', 'ro', `init=${join(folder, 'init')}`],
      `virtio_uml.device=${socket}:2`,
    ],
    { stdio: ['ignore', 'pipe', 'pipe'], cwd: folder },
  );
  let said = '';
  for (const stream of [uml.stdout, uml.stderr])
    stream.setEncoding('utf8').on('data', (text) => {
      said += text;
      if (CRASH.test(said)) uml.kill();
    });
  await once(uml, 'close');
  return said.replaceAll('\r', '');
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const closed = once(child, 'close');
  child.kill('SIGTERM');
  await closed;
}
