import type { Logger as Pino } from 'pino';
import { type AgentTls, agentUrl, bootUrl, type Config, type Listen } from '../config.ts';
import type { Trust } from '../control/trust.ts';
import { hostScript } from '../core/host-script.ts';
import { autoexecScript, entryScript } from '../core/ipxe.ts';
import type { Meters } from '../core/meters-port.ts';
import type { TrustPlace } from '../core/trust.ts';
import { accessLog } from '../http/access-log.ts';
import { type BootPlane, bootPlane } from '../http/boot-plane.ts';
import type { lastSeen } from '../http/last-seen.ts';
import { type Listening, listen, type Patience, SMALL_BODIES } from '../http/listen.ts';
import type { Transfers } from '../http/transfers.ts';
import type { TlsFolder } from '../keys/tls-folder.ts';
import { bootFiles } from '../tftp/boot-files.ts';
import { nbpFolder, nbpFolders } from '../tftp/nbp-files.ts';
import { startTftp, type TftpService } from '../tftp/server.ts';
import { ownNames } from './certificates.ts';
import { connectionLimit } from './connection-limit.ts';
import { ownAddresses } from './own-addresses.ts';
import type { Running } from './stop.ts';

/** The installer's consoles: the screen and the first serial port; the last one named is /dev/console. */
const INSTALLER_ARGUMENTS = 'console=tty0 console=ttyS0,115200n8';

type Parts = Pick<
  BootPlane,
  'machines' | 'disks' | 'library' | 'images' | 'onWord' | 'settled' | 'stopping'
> & {
  trustIn(place: TrustPlace): Trust;
  /** Of the certificate that hosts are shown; null where they speak plain HTTP. */
  readonly tls: TlsFolder | null;
  readonly seen: ReturnType<typeof lastSeen>;
  readonly meters: Meters;
  readonly sending: Transfers;
  /** A logger for each room. */
  room(name: string): Pino;
};

export type BootServices = {
  /** As hosts are told. */
  readonly url: string;
  readonly port: number;
  readonly tftp: Listen | null;
  /** For the status. */
  readonly tftpService: TftpService | null;
  /** Where hosts speak TLS; null: nowhere. */
  readonly agentUrl: string | null;
  readonly trust: Trust;
  /** For the stop. */
  readonly running: Pick<Running, 'boot' | 'tftp'>;
};

/**
 * Starts all that machines boot from: HTTP, then TFTP.
 * @param closers gets what closes each part, in the order in which they were started
 */
export async function startBootServices(
  boot: NonNullable<Config['boot']>,
  { seen, room, meters, sending, tls, trustIn, ...parts }: Parts,
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
  const plane = notYet();
  const limits = { ...SMALL_BODIES, maxConnections: await connectionLimit(boot.agent ? 2 : 1) };
  const at = await listen(plane, boot.listen, limits);
  closers.push(at.close);
  const url = bootUrl(boot.url, at, ownAddresses());
  const hosts = boot.agent && tls ? await listenForHosts(boot.agent, url, tls, limits, closers) : null;
  const trust = trustIn({ url: hosts?.url ?? url, bootUrl: url, caPem: hosts && tls ? tls.caPem : null });
  const scripts = { bootUrl: url, installerArguments: INSTALLER_ARGUMENTS };
  const common = {
    ...parts,
    trust,
    scripts,
    transfers: sending,
    findNbp: nbps.find,
    logger: room('http'),
    onRequest: accessLog(room('http'), { plane: 'boot', meters, onSeen: seen.note }),
  };
  const movedTo = boot.agent?.allowsPlain ? null : (hosts?.url ?? null);
  plane.answer(bootPlane({ ...common, secure: false, movedTo }));
  hosts?.plane.answer(bootPlane({ ...common, secure: true, movedTo: null }));
  const answer = { url, port: at.port, agentUrl: hosts?.url ?? null, trust };

  const planes = hosts ? [at, hosts.at] : [at];

  if (!boot.tftp) return { ...answer, tftp: null, tftpService: null, running: { boot: planes, tftp: null } };
  const files = bootFiles({
    nbps: nbps.files,
    autoexec: autoexecScript(scripts),
    entry: entryScript(scripts),
    hostScript: async (mac) => hostScript(scripts, mac, await parts.machines.bootChoice(mac)),
    nowMs: () => performance.now(),
    onLoop: (fields) =>
      room('tftp').info(fields, 'iPXE was told to load itself: it gets the script autoexec.ipxe instead'),
  });
  const tftp = await startTftp({ ...boot.tftp, files, logger: room('tftp'), meters });
  closers.push(tftp.close);
  const { port } = tftp;
  const tftpAt = { host: boot.tftp.host, port };
  return { ...answer, tftp: tftpAt, tftpService: tftp, running: { boot: planes, tftp } };
}

/** The same plane by TLS, under a certificate that no wrong clock makes invalid. */
async function listenForHosts(
  agent: AgentTls,
  boot: string,
  tls: TlsFolder,
  limits: Patience,
  closers: (() => unknown)[],
): Promise<{ url: string; at: Listening; plane: ReturnType<typeof notYet> }> {
  const said = agent.url === null ? [] : [nameIn(agent.url)];
  const names = ownNames(...said, nameIn(boot), agent.listen.host);
  const plane = notYet();
  const certificate = await tls.certificate('agent', names, true, Date.now());
  const at = await listen(plane, agent.listen, limits, certificate);
  closers.push(at.close);
  return { url: agentUrl(agent.url, at.port, boot), at, plane };
}

function nameIn(url: string): string {
  return new URL(url).hostname.replace(/^\[|\]$/g, '');
}

/** What listens before it knows what to answer. */
function notYet() {
  let fetch: ReturnType<typeof bootPlane>['fetch'] = () => new Response(null, { status: 503 });
  return {
    fetch: ((...args) => fetch(...args)) as typeof fetch,
    answer(app: ReturnType<typeof bootPlane>): void {
      fetch = app.fetch;
    },
  };
}
