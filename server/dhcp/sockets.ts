import type { RemoteInfo, Socket } from 'node:dgram';
import { WarmbootError } from '../core/errors.ts';
import { bindSocket, openSocket } from '../udp/socket.ts';
import { refusalWords } from './port-refusal.ts';

/** Opening UDP sockets beside whatever else speaks DHCP on this machine. */

/** 67, 68 and 4011 in the field. */
export type DhcpPorts = { readonly server: number; readonly client: number; readonly bootServer: number };

export const DHCP_PORTS: DhcpPorts = { server: 67, client: 68, bootServer: 4011 };

export type OnDatagram = (datagram: Buffer, from: RemoteInfo) => void;

export const BROADCAST = '255.255.255.255';
const ANY = '0.0.0.0';

/** Where clients ask. */
export type ServerDoor = {
  readonly socket: Socket;
  /**
   * False where another DHCP server is on this machine. Then only broadcasts are heard, which the kernel gives to both; what
   * comes by a relay is addressed to the machine and belongs to the other.
   */
  readonly takesRelayed: boolean;
};

/** @throws WarmbootError when it cannot be had, with what to do */
export async function openServerDoor(
  { server: port }: DhcpPorts,
  onDatagram: OnDatagram,
): Promise<ServerDoor> {
  try {
    const isFree = await bound({ port, address: ANY, isShared: false }).then(wasFree, isTaken);
    const address = isFree ? ANY : BROADCAST;
    // Shared in any case, or our own broadcasters would find no room, nor a DHCP server that is started later.
    const socket = await bound({ port, address, isShared: true });
    return { socket: socket.on('message', onDatagram), takesRelayed: isFree };
  } catch (error) {
    throw inWords(error, port);
  }
}

/**
 * Sends a server's broadcasts: from the port of servers, since firmware drops answers from others.
 * @throws WarmbootError when the DHCP server of this machine does not share the address (Kea)
 */
export function openAnswerer(address: string, { server, client }: DhcpPorts): Promise<Socket> {
  return openBroadcaster({ address, from: server, to: client }).catch((error: unknown) => {
    throw inWords(error, server);
  });
}

/**
 * Sends broadcasts into the network of one of our addresses, between two ports. It is connected, so that the kernel gives it
 * nothing: what is sent to that address is for the machine's own DHCP server or client, renewals above all.
 */
export async function openBroadcaster({
  address,
  from,
  to,
}: {
  readonly address: string;
  readonly from: number;
  readonly to: number;
}): Promise<Socket> {
  const socket = await bound({ port: from, address, isShared: true });
  socket.setBroadcast(true);
  await new Promise<void>((resolve, reject) => {
    socket.once('error', reject);
    socket.connect(to, BROADCAST, () => {
      socket.off('error', reject);
      resolve();
    });
  }).catch((error: unknown) => {
    socket.close();
    throw error;
  });
  return socket;
}

/** Where PXE firmware asks for its boot server, which it does by our address. @throws WarmbootError */
export async function openBootServerDoor(
  address: string,
  { bootServer: port }: DhcpPorts,
  onDatagram: OnDatagram,
): Promise<Socket> {
  const socket = await bound({ port, address, isShared: false }).catch((error: unknown) => {
    throw inWords(error, port);
  });
  return socket.on('message', onDatagram);
}

type Wanted = { readonly port: number; readonly address: string; readonly isShared: boolean };

export async function bound({ port, address, isShared }: Wanted): Promise<Socket> {
  const socket = openSocket('udp4', isShared);
  await bindSocket(socket, address, port);
  return socket;
}

/** Closes it. */
export function closed(socket: Socket): Promise<void> {
  return new Promise((resolve) => socket.close(() => resolve()));
}

async function wasFree(socket: Socket): Promise<true> {
  await closed(socket);
  return true;
}

function isTaken(error: NodeJS.ErrnoException): false {
  if (error.code === 'EADDRINUSE') return false;
  throw error;
}

function inWords(error: unknown, port: number): unknown {
  const { code } = error as NodeJS.ErrnoException;
  if (code !== 'EADDRINUSE' && code !== 'EACCES') return error;
  const { problem, mend } = refusalWords({ port, code });
  return new WarmbootError('unavailable', `${problem}. ${mend}`);
}
