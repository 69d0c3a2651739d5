import { createSocket } from 'node:dgram';
import { createServer, isIPv6 } from 'node:net';
import { type Finding, ok, problem } from '../core/finding.ts';
import { hostPort } from '../core/listen-address.ts';
import { type PortOwner, portOwner } from './port-owner.ts';

/** A place where the server would listen. */
export type WantedPort = {
  readonly check: string;
  /** As it is called in sentences: `the boot plane`, `TFTP`. */
  readonly name: string;
  readonly kind: 'tcp' | 'udp';
  readonly host: string;
  /** 0, any free one, is always to be had. */
  readonly port: number;
  /** The flag that takes it elsewhere, as in `--tftp-listen ADDRESS:PORT`. */
  readonly flag: string;
};

/** Tries to listen there, for a moment. */
export async function portFinding(wanted: WantedPort): Promise<Finding> {
  const { check, name, kind, host, port } = wanted;
  const at = `${kind === 'tcp' ? 'TCP' : 'UDP'} ${hostPort({ host, port })}`;
  const refusal = await (kind === 'tcp' ? tryTcp(host, port) : tryUdp(host, port));
  if (refusal === null) return ok(check, `${name} can listen on ${at}`);
  const owner = refusal === 'EADDRINUSE' ? await portOwner(kind, port) : null;
  return problem(
    check,
    `${name} cannot listen on ${at}: ${why(refusal, owner)}`,
    mend(refusal, owner, wanted),
  );
}

function why(code: string, owner: PortOwner | null): string {
  switch (code) {
    case 'EADDRINUSE':
      return owner ? `${owner.name} (process ${owner.pid}) listens there` : 'another program listens there';
    case 'EADDRNOTAVAIL':
      return 'this machine does not have the address';
    case 'EACCES':
      return 'ports below 1024 need root';
    default:
      return code;
  }
}

/** Services that come with a distribution and take the port at boot; by the name of their process. */
const SERVICE_OF: Readonly<Record<string, string>> = {
  'in.tftpd': 'tftpd-hpa',
  atftpd: 'atftpd',
  dnsmasq: 'dnsmasq',
  nginx: 'nginx',
  apache2: 'apache2',
  dhcpd: 'isc-dhcp-server',
  'kea-dhcp4': 'kea-dhcp4-server',
};

function mend(code: string, owner: PortOwner | null, { flag }: WantedPort): string {
  if (code === 'EACCES') return `Start as root, or choose another port with ${flag}.`;
  if (code !== 'EADDRINUSE') return `Give an address that this machine has, or 0.0.0.0: ${flag}.`;
  const service = owner ? SERVICE_OF[owner.name] : undefined;
  const stop = service ? `Stop it (systemctl disable --now ${service})` : 'Stop it';
  return `${stop}, or choose another port with ${flag}.`;
}

/** @returns the code of the refusal, or null */
function tryTcp(host: string, port: number): Promise<string | null> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
    server.listen({ host, port }, () => server.close(() => resolve(null)));
  });
}

function tryUdp(host: string, port: number): Promise<string | null> {
  return new Promise((resolve) => {
    const socket = createSocket(isIPv6(host) ? 'udp6' : 'udp4');
    socket.once('error', (error: NodeJS.ErrnoException) => {
      socket.close();
      resolve(error.code ?? error.message);
    });
    socket.bind({ address: host, port, exclusive: true }, () => socket.close(() => resolve(null)));
  });
}
