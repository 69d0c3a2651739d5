import type { Door } from '../../server/dhcp/decide.ts';
import { proxyHandler } from '../../server/dhcp/handler.ts';
import { mutations } from './mutations.ts';
import { decoded } from './recorded.ts';

export type FuzzResult = {
  readonly answered: number;
  readonly silent: number;
  /** Answers that hand out an address, or cannot be read. None may. */
  readonly addresses: number;
};

const eth1 = { name: 'eth1', address: '10.1.0.1', cidr: '10.1.0.1/24', mac: '52:54:00:00:01:01' };
const nothing = () => undefined;

/** Packets straight into the handler of one port, every second one with a look into the store. @throws whatever it throws */
export async function fuzzHandler(door: Door, packets: number, seed: number): Promise<FuzzResult> {
  const next = mutations(seed);
  let answers = 0;
  let answered = 0;
  let addresses = 0;
  const config = {
    bootUrl: 'http://10.1.0.1:8080',
    tftpHost: '0.0.0.0',
    logger: { debug: nothing, info: nothing, warn: nothing, error: nothing },
    clock: () => performance.now(),
    knownHost: async () => ({ status: 'approved', labels: { rack: 'r1' } }) as const,
  };
  const network = {
    interfaces: () => [eth1],
    takesRelayed: true,
    send: ({ datagram }: { datagram: Buffer }) => {
      answers += 1;
      if (decoded(datagram).yiaddr !== '0.0.0.0') addresses += 1;
    },
  };
  const open = proxyHandler({ ...config, limits: { clients: 'all', selector: null } }, network);
  const limited = proxyHandler({ ...config, limits: { clients: 'known', selector: [] } }, network);
  const from = { address: '10.1.0.9', port: door === 'dhcp' ? 68 : 4011 };
  const at = door === 'dhcp' ? null : eth1;
  for (let count = 0; count < packets; count++) {
    const before = answers;
    const take = count % 2 === 0 ? open : limited;
    take({ datagram: next(), from, at });
    // What waits for the store is answered before the next one comes.
    if (take === limited) await null;
    if (take === limited) for (let turn = 0; turn < 4; turn++) await null;
    if (answers > before) answered += 1;
  }
  return { answered, silent: packets - answered, addresses };
}
