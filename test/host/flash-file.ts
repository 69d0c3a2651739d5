import { readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { onTestFinished } from 'vitest';
import { needPrograms, startProgram } from '../../lab/child.ts';
import { AGENT, type FakeHost } from './shell.ts';

/**
 * Flashes a file of a played host as the work of an attempt does, with the real curl and the real helper.
 * @param wish `more`: shell that comes before the work
 */
export function flashFile(wish: {
  readonly host: FakeHost;
  readonly helper: string;
  readonly server: string;
  readonly image: { readonly digest: string };
  readonly bytes: number;
  readonly shell: readonly string[];
  readonly mac: string;
  readonly attempt: string;
  readonly more: string;
  /** The disk whose slots may hold something of use. */
  readonly disk?: string;
}): { readonly ended: Promise<number | null>; log(): string } {
  const { host, helper, server, image, bytes, shell, mac, attempt, more, disk = '' } = wish;
  const slot = host.path('slot');
  writeFileSync(slot, '');
  truncateSync(slot, bytes);
  const folder = `/boot/images/${image.digest}`;
  const [program = 'sh', ...options] = shell;
  const script = `set -u
    . "$WB_LIB/lib.sh"
    M_ATTEMPT=${attempt} ATTEMPT=${attempt} M_ACTION=install M_SLOT=a M_POLL=5 M_RATE='' M_MIRROR='' RATE_LIMIT=''
    M_IMAGE_DIGEST=${image.digest} M_STAGE_INDEX=${folder}/index.json M_STAGE_FRAMES=${folder}/frames.json M_STAGE_DATA=${folder}/data
    ${more}
    work() { download_index; flash_slot '${slot}' '${disk}'; }
    watched work`;
  // The scripts try again for long where curl fails.
  needPrograms('curl');
  const child = startProgram(program, [...options, '-c', script], {
    stdio: ['ignore', 'ignore', 'ignore'],
    env: {
      PATH: process.env.PATH,
      WB_LIB: AGENT,
      WB_RUN: host.path('run'),
      WB_SYS: host.path('sys'),
      WB_CONSOLE: host.path('console'),
      HELPER: helper,
      SERVER: server,
      HOST: mac,
    },
  });
  onTestFinished(() => void child.kill('SIGKILL'));
  const ended = new Promise<number | null>((resolve) => child.once('close', resolve));
  return { ended, log: () => readFileSync(host.path('run/log'), 'utf8') };
}
