import { createSocket, type RemoteInfo, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { seeded } from '../tftp/simulated-network.ts';

type Conditions = {
  /** Port of the server on 127.0.0.1. */
  readonly to: number;
  readonly seed: number;
  readonly loss: number;
  readonly repeat: number;
  readonly reorder: number;
};

/** Second byte of an option acknowledgement (RFC 2347). */
const OACK = 6;

/**
 * A UDP relay for one TFTP client at a time that misbehaves by a seed. To the client it looks like a server with ports per
 * transfer; the requests themselves always pass, since tftp-hpa and curl differ in how often they ask again.
 */
export async function openRelay({ to, seed, loss, repeat, reorder }: Conditions) {
  const random = seeded(seed);
  const door = createSocket('udp4');
  const sockets: Socket[] = [door];
  const timers = new Set<NodeJS.Timeout>();
  let lost = 0;

  const pass = (datagram: Buffer, send: () => void): void => {
    // atftp gives up at a second OACK, whoever made it.
    if (datagram[1] === OACK) {
      send();
      return;
    }
    if (random() < loss) {
      lost++;
      return;
    }
    const copies = random() < repeat ? 2 : 1;
    for (let copy = 0; copy < copies; copy++) {
      if (random() >= reorder) {
        send();
        continue;
      }
      const timer = setTimeout(() => {
        timers.delete(timer);
        send();
      }, 5);
      timers.add(timer);
    }
  };

  door.on('message', (datagram, client: RemoteInfo) => {
    const inner = createSocket('udp4'); // seen by the server as the client
    const outer = createSocket('udp4'); // seen by the client as the server's transfer port
    sockets.push(inner, outer);
    let transferPort = 0;
    inner.on('message', (answer, from) => {
      transferPort = from.port;
      pass(answer, () => outer.send(answer, client.port, client.address, () => undefined));
    });
    outer.on('message', (answer) => {
      pass(answer, () => inner.send(answer, transferPort, '127.0.0.1', () => undefined));
    });
    outer.bind(0, '127.0.0.1', () => inner.send(datagram, to, '127.0.0.1'));
  });
  door.bind(0, '127.0.0.1');
  await once(door, 'listening');
  return {
    port: door.address().port,
    lost: () => lost,
    close: async () => {
      for (const timer of timers) clearTimeout(timer);
      await Promise.all(
        sockets.map((socket) => new Promise<void>((resolve) => socket.close(() => resolve()))),
      );
    },
  };
}
