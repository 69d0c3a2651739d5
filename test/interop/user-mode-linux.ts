import { chmodSync, cpSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { execa } from 'execa';
import { inCheckout } from '../../lab/paths.ts';
import { AGENT, INSTALLER } from '../host/shell.ts';

/** A kernel that runs as a process, from the Debian package `user-mode-linux`, with the scripts of installer and agent. */

/** The scripts in one folder, with the helper. @returns that folder */
export async function hostScripts(folder: string): Promise<string> {
  const lib = join(folder, 'lib');
  for (const from of [AGENT, INSTALLER]) cpSync(from, lib, { recursive: true });
  await execa('make', ['-s', '-j2', '-C', inCheckout('images/agent/helper'), `OUT=${folder}/made`, 'all']);
  cpSync(join(folder, 'made/warmboot-helper'), join(lib, 'warmboot-helper'));
  return lib;
}

/** The folder of its modules. */
export function kernelModules(): string {
  const folder = '/usr/lib/uml/modules';
  return join(folder, readdirSync(folder)[0] as string);
}

type Kernel = {
  /** Its own, for what it needs while it runs. */
  readonly folder: string;
  /** In the checkout: the script that is its first program, which ends it. */
  readonly init: string;
  readonly environment: Readonly<Record<string, string>>;
  /** /dev/ubda, /dev/ubdb, … */
  readonly disks: readonly string[];
};

/** @returns what it says; @throws Error when it says nothing that `ends` matches */
export async function runKernel({ folder, init, environment, disks }: Kernel, ends: RegExp): Promise<string> {
  // As the first program it gets what the kernel's command line says; folders may have names with blanks.
  const words = Object.entries(environment).map(([name, value]) => `export ${name}='${value}'\n`);
  const first = join(folder, 'init');
  writeFileSync(first, `#!/bin/sh\n${words.join('')}exec '${inCheckout(init)}'\n`);
  chmodSync(first, 0o755);
  const { all } = await execa(
    'setpriv',
    [
      ...['--pdeathsig', 'KILL', '--', 'timeout', '-k', '1', '500', '/usr/bin/linux.uml'],
      ...['mem=256M', 'quiet', 'panic=-1', 'con=null', 'con0=fd:0,fd:1'],
      ...disks.map((file, index) => `ubd${index}=${file}`),
      ...['root=/dev/root', 'rootfstype=hostfs', 'rootflags=/', 'ro', `init=${first}`],
    ],
    { stdin: 'ignore', all: true, reject: false, cwd: folder },
  );
  const said = all.replaceAll('\r', '');
  if (!ends.test(said)) throw new Error(`the machine did not get that far: ${said}`);
  return said;
}
