import { fileOf, type TftpFile, type TftpFiles, type TftpRefusal } from '../../server/tftp/files.ts';
import {
  decode,
  encodeAck,
  encodeData,
  encodeError,
  encodeOack,
  encodeRequest,
} from '../../server/tftp/packet.ts';
import { startTftp } from '../../server/tftp/server.ts';
import { PlayedNetwork } from './played-network.ts';
import { seeded } from './simulated-network.ts';

const DOOR = 69;
/** Quick, so that transfers also end by themselves while packets come in. */
const LIMITS = {
  transfers: 100,
  transfersPerClient: 4,
  timeoutMs: 5,
  longestTimeoutMs: 60,
  retries: 2,
  retriesUnanswered: 1,
};
/** After so many packets timers and promises get their turn. */
const ROUND = 500;

export type FuzzResult = {
  readonly packets: number;
  readonly answers: number;
  /** Files that were opened, all of them closed again. */
  readonly files: number;
  readonly mostPorts: number;
};

/**
 * Random, mutated and well-formed packets against the whole server on a played network.
 * @throws when the server throws, answers what is no TFTP, opens more than its limits allow, or keeps a port, a timer or a file
 */
export async function fuzz(packets: number, seed: number, singlePort: boolean): Promise<FuzzResult> {
  const random = seeded(seed);
  const network = new PlayedNetwork();
  const count = { opened: 0, closed: 0, answers: 0, mostPorts: 0 };
  const transferPorts = new Map<string, { port: number; block: number }>();
  network.onSend = ({ datagram, fromPort, to }) => {
    count.answers++;
    const packet = decode(datagram);
    if (packet.kind === 'refused') throw new Error(`the server sent what is no TFTP: ${packet.reason}`);
    if (to.port === 0) throw new Error('the server answered port 0');
    transferPorts.set(`${to.address} ${to.port}`, {
      port: fromPort,
      block: packet.kind === 'data' ? packet.block : 0,
    });
  };
  const timersBefore = timers();
  const service = await startTftp({
    host: '0.0.0.0',
    port: DOOR,
    singlePort,
    limits: LIMITS,
    network,
    files: fuzzFiles(count),
  });

  const next = datagrams(random);
  for (let sent = 1; sent <= packets; sent++) {
    const client = { address: `10.0.0.${Math.floor(random() * 60)}`, port: Math.floor(random() * 8) };
    const known = transferPorts.get(`${client.address} ${client.port}`);
    const isForDoor = singlePort || !known || random() < 0.3;
    network.deliver(next(known?.block ?? 0), client, isForDoor ? DOOR : known.port);
    if (sent % ROUND > 0 && sent < packets) continue;
    count.mostPorts = Math.max(count.mostPorts, network.ports);
    if (network.ports > LIMITS.transfers + 1) throw new Error(`${network.ports} ports are open`);
    await new Promise((resolve) => setImmediate(resolve));
  }
  await service.close();
  await new Promise((resolve) => setImmediate(resolve));

  if (network.ports > 0) throw new Error(`${network.ports} ports are left`);
  if (count.opened !== count.closed) throw new Error(`${count.opened} files opened, ${count.closed} closed`);
  if (timers() > timersBefore) throw new Error(`${timers() - timersBefore} timers are left`);
  return { packets, answers: count.answers, files: count.opened, mostPorts: count.mostPorts };
}

function timers(): number {
  return process.getActiveResourcesInfo().filter((kind) => kind === 'Timeout').length;
}

/** Files of every kind that there is, well-behaved and not. */
export function fuzzFiles(count: { opened: number; closed: number }): TftpFiles {
  const open = (file: TftpFile): TftpFile => {
    count.opened++;
    return { ...file, close: () => void count.closed++ };
  };
  const content = Buffer.alloc(20_000, 'warmboot');
  const later = async (offset: number, length: number) => content.subarray(offset, offset + length);
  const kinds: Record<string, () => TftpFile | TftpRefusal | Promise<never>> = {
    empty: () => open(fileOf('')),
    small: () => open(fileOf(content)),
    late: () => open({ bytes: content.length, read: later }),
    shrunk: () => open({ bytes: content.length, read: async () => content.subarray(0, 3) }),
    broken: () => open({ bytes: content.length, read: () => Promise.reject(new Error('disk')) }),
    refused: () => ({ refused: 'not for you' }),
    failing: () => Promise.reject(new Error('store')),
  };
  return async (name) => (await kinds[name]?.()) ?? null;
}

/** Makes datagrams: a third of them well-formed, a third of those mutated, a third noise. `block` is what the client got last. */
export function datagrams(random: () => number): (block: number) => Buffer {
  const below = (end: number): number => Math.floor(random() * end);
  const pick = <T>(list: readonly T[]): T => list[below(list.length)] as T;
  const names = [
    'empty',
    'small',
    'late',
    'shrunk',
    'broken',
    'refused',
    'failing',
    'none',
    '../x',
    'constructor',
  ];
  const values = ['0', '1', '8', '512', '1468', '65464', '70000', '-1', '', 'x', '99999999999'];
  const options = ['blksize', 'tsize', 'timeout', 'windowsize', 'multicast', 'BLKSIZE', ''];
  const wellFormed = (block: number): Buffer => {
    const some = Array.from({ length: below(4) }, () => [pick(options), pick(values)] as const);
    switch (below(8)) {
      case 0:
      case 1:
        return encodeRequest({
          kind: 'read',
          name: pick(names),
          mode: pick(['octet', 'netascii']),
          options: some,
        });
      case 2:
        return encodeRequest({ kind: 'write', name: pick(names), mode: 'octet', options: some });
      case 3:
        return encodeData(below(70_000), Buffer.alloc(below(600)));
      case 4:
        return random() < 0.2 ? encodeError(pick([0, 1, 8]), 'enough') : encodeOack(some);
      default:
        return encodeAck(random() < 0.8 ? block : below(65_536));
    }
  };
  return (block) => {
    const kind = below(3);
    if (kind === 0)
      return Buffer.from(Uint8Array.from({ length: below(random() < 0.05 ? 700 : 40) }, () => below(256)));
    const datagram = Buffer.from(wellFormed(block));
    if (kind === 1) return datagram;
    for (let change = below(4); change >= 0; change--)
      if (datagram.length > 0) datagram[below(datagram.length)] = below(256);
    return random() < 0.3 ? datagram.subarray(0, below(datagram.length + 1)) : datagram;
  };
}
