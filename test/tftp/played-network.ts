import type { Network, OnDatagram, Peer } from '../../server/tftp/udp.ts';

export type Sent = { readonly datagram: Buffer; readonly fromPort: number; readonly to: Peer };

/** A network of its own for one server: ports are numbers, nothing is lost, and nothing waits. */
export class PlayedNetwork implements Network {
  readonly #ports = new Map<number, OnDatagram>();
  #nextPort = 40_000;
  /** Called for each datagram that the server sends. */
  onSend: (sent: Sent) => void = () => undefined;

  /** Open ports, the door's included. */
  get ports(): number {
    return this.#ports.size;
  }

  /** A datagram from outside; one to a closed port is lost. */
  deliver(datagram: Buffer, from: Peer, toPort: number): void {
    this.#ports.get(toPort)?.(datagram, from);
  }

  readonly openDoor: Network['openDoor'] = async (_host, port, onDatagram) => this.#open(port, onDatagram);
  readonly openTransferPort: Network['openTransferPort'] = async (_host, onDatagram) =>
    this.#open(this.#nextPort++, onDatagram);

  #open(port: number, onDatagram: OnDatagram) {
    this.#ports.set(port, onDatagram);
    return {
      port,
      isBound: () => this.#ports.get(port) === onDatagram,
      send: (datagram: Buffer, to: Peer) => {
        if (this.#ports.get(port) !== onDatagram) throw new Error('sent on a closed port');
        this.onSend({ datagram, fromPort: port, to });
      },
      close: async () => {
        if (!this.#ports.delete(port)) throw new Error('closed twice');
      },
    };
  }
}
