import type { Logger as Pino } from 'pino';
import { bootUrl, type Config, type Listen } from '../config.ts';
import { hostScript } from '../core/host-script.ts';
import { autoexecScript, entryScript } from '../core/ipxe.ts';
import { accessLog } from '../http/access-log.ts';
import { type BootPlane, bootPlane } from '../http/boot-plane.ts';
import type { lastSeen } from '../http/last-seen.ts';
import { listen } from '../http/listen.ts';
import { bootFiles } from '../tftp/boot-files.ts';
import { nbpFolder, nbpFolders } from '../tftp/nbp-files.ts';
import { startTftp } from '../tftp/server.ts';
import { ownAddresses } from './own-addresses.ts';

/** The installer's consoles: the screen and the first serial port; the last one named is /dev/console. */
const INSTALLER_ARGUMENTS = 'console=tty0 console=ttyS0,115200n8';

type Parts = Pick<BootPlane, 'machines' | 'disks' | 'library' | 'images' | 'key' | 'stopping'> & {
  readonly seen: ReturnType<typeof lastSeen>;
  /** A logger for each room. */
  room(name: string): Pino;
};

export type BootServices = {
  /** As hosts are told. */
  readonly url: string;
  readonly port: number;
  readonly tftp: Listen | null;
};

/**
 * Starts all that machines boot from: HTTP, then TFTP.
 * @param closers gets what closes each part, in the order in which they were started
 */
export async function startBootServices(
  boot: NonNullable<Config['boot']>,
  { seen, room, ...parts }: Parts,
  closers: (() => unknown)[],
): Promise<BootServices> {
  const nbps = nbpFolder(nbpFolders(boot.nbpFolders));
  const missing = await nbps.missing();
  if (missing.length > 0)
    room('tftp').warn(
      { missing },
      'network boot programs are missing: install the package ipxe, or name a folder with --nbp-dir',
    );
  // The boot plane must know its own port before it can name itself: it listens first, then learns what to answer.
  const plane: { fetch: ReturnType<typeof bootPlane>['fetch'] } = {
    fetch: () => new Response(null, { status: 503 }),
  };
  const at = await listen({ fetch: (...args) => plane.fetch(...args) }, boot.listen);
  closers.push(at.close);
  const url = bootUrl(boot.url, at, ownAddresses());
  const scripts = { bootUrl: url, installerArguments: INSTALLER_ARGUMENTS };
  plane.fetch = bootPlane({
    ...parts,
    scripts,
    findNbp: nbps.find,
    logger: room('http'),
    onRequest: accessLog(room('http'), seen.note),
  }).fetch;

  if (!boot.tftp) return { url, port: at.port, tftp: null };
  const files = bootFiles({
    nbps: nbps.files,
    autoexec: autoexecScript(scripts),
    entry: entryScript(scripts),
    hostScript: async (mac) => hostScript(scripts, mac, await parts.machines.bootChoice(mac)),
    nowMs: () => performance.now(),
    onLoop: (fields) =>
      room('tftp').info(fields, 'iPXE was told to load itself: it gets the script autoexec.ipxe instead'),
  });
  const { port, close } = await startTftp({ ...boot.tftp, files, logger: room('tftp') });
  closers.push(close);
  return { url, port: at.port, tftp: { host: boot.tftp.host, port } };
}
