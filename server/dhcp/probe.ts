import { randomInt } from 'node:crypto';
import type { Socket } from 'node:dgram';
import { setTimeout as sleep } from 'node:timers/promises';
import { ASKED_AS, type AskedAs, type HeardNetwork, type HeardOffer } from '../core/dhcp-findings.ts';
import type { UsableInterface } from './interfaces.ts';
import { IPXE_FEATURE, MESSAGE, OPTION } from './option-codes.ts';
import { addressOption, type DhcpPacket, decode, encode, messageType, NO_ADDRESS } from './packet.ts';
import { BROADCAST, bound, closed, DHCP_PORTS, openBroadcaster } from './sockets.ts';

/** A question is asked so often, and answers are waited for so long: dnsmasq may ping an address for 3 s before it offers it. */
const ASK_AT_MS = [0, 2_000];
const LISTEN_MS = 5_500;
/** Offers that are kept: a machine gone wild must not fill the report. */
const MOST_OFFERS = 64;

type Question = { readonly xid: number; readonly askedAs: AskedAs };

/**
 * Asks for an address as firmware and as iPXE do, on one interface, and takes none: no DHCPREQUEST follows, and the offers run out.
 * @throws an error with `code` EADDRINUSE when a DHCP client of this machine has port 68 for itself, EACCES without the right
 */
export async function probeDhcp(at: UsableInterface): Promise<HeardNetwork> {
  const { client, server } = DHCP_PORTS;
  // Offers come as broadcasts, as asked for; those that are not belong to this machine's own DHCP client.
  const ear = await bound({ port: client, address: BROADCAST, isShared: true });
  const mouth = await openBroadcaster({ address: at.address, from: client, to: server }).catch(
    async (error: unknown) => {
      await closed(ear);
      throw error;
    },
  );
  try {
    return await listen(at, ear, mouth);
  } finally {
    await Promise.all([closed(ear), closed(mouth)]);
  }
}

async function listen(at: UsableInterface, ear: Socket, mouth: Socket): Promise<HeardNetwork> {
  const questions = ASKED_AS.map((askedAs): Question => ({ askedAs, xid: randomInt(2 ** 32) }));
  const heard = new Map<string, HeardOffer>();
  ear.on('message', (datagram, from) => {
    const offer = offerIn(datagram, from.address, questions);
    // Servers answer the repeated question again.
    if (offer && heard.size < MOST_OFFERS) heard.set(JSON.stringify(offer), offer);
  });
  const began = performance.now();
  for (const atMs of ASK_AT_MS) {
    await sleep(began + atMs - performance.now());
    for (const question of questions) mouth.send(encode(discover(question, at)), () => undefined);
  }
  await sleep(began + LISTEN_MS - performance.now());
  return { interface: at.name, seconds: Math.round(LISTEN_MS / 1000), offers: [...heard.values()] };
}

/** With this machine's own hardware address, which switches and servers that look closely know. */
function discover({ xid, askedAs }: Question, { mac }: UsableInterface): DhcpPacket {
  const architecture = askedAs === 'UEFI firmware' ? 7 : 0;
  const options = new Map<number, Buffer>([
    [OPTION.messageType, Buffer.from([MESSAGE.discover])],
    [OPTION.maxMessageSize, Buffer.from([0x05, 0xc0])],
    [
      OPTION.parameterList,
      Buffer.from([
        OPTION.subnetMask,
        OPTION.router,
        OPTION.vendorOptions,
        OPTION.serverId,
        OPTION.vendorClass,
        OPTION.tftpServerName,
        OPTION.bootFile,
      ]),
    ],
    [OPTION.vendorClass, Buffer.from(`PXEClient:Arch:0000${architecture}:UNDI:003016`, 'latin1')],
    [OPTION.architecture, Buffer.from([0, architecture])],
    [OPTION.interfaceId, Buffer.from([1, 3, 16])],
    [OPTION.machineId, Buffer.alloc(17)],
    ...(askedAs === 'iPXE' ? IPXE_OPTIONS : []),
  ]);
  const nothing = { ciaddr: NO_ADDRESS, yiaddr: NO_ADDRESS, siaddr: NO_ADDRESS, giaddr: NO_ADDRESS };
  return {
    op: 'request',
    hardwareType: 1,
    hardware: Buffer.from(mac.replaceAll(':', ''), 'hex'),
    hops: 0,
    xid,
    secs: 0,
    broadcast: true,
    ...nothing,
    serverName: '',
    file: '',
    options,
  };
}

const IPXE_OPTIONS: readonly (readonly [number, Buffer])[] = [
  [OPTION.userClass, Buffer.from('iPXE', 'latin1')],
  [OPTION.ipxe, Buffer.from([IPXE_FEATURE.http, 1, 1])],
];

function offerIn(datagram: Buffer, from: string, questions: readonly Question[]): HeardOffer | null {
  const packet = decode(datagram);
  if ('refused' in packet || packet.op !== 'reply' || messageType(packet) !== MESSAGE.offer) return null;
  const question = questions.find(({ xid }) => xid === packet.xid);
  if (!question) return null;
  const server = addressOption(packet, OPTION.serverId) ?? from;
  const file = textOf(packet.options.get(OPTION.bootFile)) || packet.file || null;
  const next =
    packet.siaddr === NO_ADDRESS ? textOf(packet.options.get(OPTION.tftpServerName)) : packet.siaddr;
  return {
    askedAs: question.askedAs,
    server,
    givesAddress: packet.yiaddr !== NO_ADDRESS,
    // A file alone is the offering server's own (RFC 2131, 2: siaddr may be left out).
    bootServer: file === null ? null : next || server,
    bootFile: file,
  };
}

/** Some servers end texts with NUL. */
function textOf(value: Buffer | undefined): string {
  return value?.toString('latin1').replace(/\0+$/, '') ?? '';
}
