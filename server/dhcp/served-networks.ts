import type { Socket } from 'node:dgram';
import { networkInterfaces } from 'node:os';
import type { Logger } from '../core/ports.ts';
import type { Incoming } from './handler.ts';
import { changes, type UsableInterface, usableInterfaces } from './interfaces.ts';
import { closed, type DhcpPorts, openAnswerer, openBootServerDoor } from './sockets.ts';

export type ServedNetwork = {
  readonly at: UsableInterface;
  readonly broadcaster: Socket;
  readonly bootServer: Socket;
};

export type ServedNetworks = {
  all(): readonly ServedNetwork[];
  of(at: UsableInterface): ServedNetwork | undefined;
  close(): Promise<void>;
};

type Wish = {
  /** Names; empty for all but loopback. */
  readonly wanted: readonly string[];
  readonly ports: DhcpPorts;
  readonly logger: Logger;
  /** For what comes to a boot server port. */
  onDatagram(incoming: Incoming): void;
};

/** Interfaces come and go while a server runs; between two looks, milliseconds. */
const LOOK_MS = 1_000;

/**
 * Keeps sockets open on the interfaces that are wanted and there.
 * @throws WarmbootError when a port cannot be had at the start; later such an interface is tried again
 */
export async function serveNetworks({ wanted, ports, logger, onDatagram }: Wish): Promise<ServedNetworks> {
  const served = new Map<string, ServedNetwork>();
  let isClosed = false;
  /** What the last look found wanting, so that it is said once. */
  let trouble = '';

  async function look(isFirst: boolean): Promise<void> {
    const now = usableInterfaces(networkInterfaces(), wanted);
    const { gone, come } = changes(
      [...served.values()].map(({ at }) => at),
      now,
    );
    for (const at of gone) {
      await leave(at.name);
      logger.info({ interface: at.name, address: at.address }, 'proxyDHCP left an interface');
    }
    const troubles = missing(wanted, now);
    for (const at of come) {
      try {
        await enter(at);
        logger.info({ interface: at.name, address: at.address }, 'proxyDHCP answers on an interface');
      } catch (error) {
        if (isFirst) throw error;
        troubles.push(`${at.name}: ${error instanceof Error ? error.message : String(error)}`);
      }
    }
    say(troubles.join('; '));
  }

  function say(reason: string): void {
    if (reason !== '' && reason !== trouble) logger.warn({ reason }, 'proxyDHCP waits for an interface');
    trouble = reason;
  }

  async function enter(at: UsableInterface): Promise<void> {
    const broadcaster = await openAnswerer(at.address, ports);
    const bootServer = await openBootServerDoor(at.address, ports, (datagram, from) =>
      onDatagram({ datagram, from, at }),
    ).catch(async (error: unknown) => {
      await closed(broadcaster);
      throw error;
    });
    for (const socket of [broadcaster, bootServer])
      socket.on('error', ({ message }) =>
        logger.warn({ interface: at.name, error: message }, 'DHCP socket error'),
      );
    served.set(at.name, { at, broadcaster, bootServer });
  }

  async function leave(name: string): Promise<void> {
    const network = served.get(name);
    served.delete(name);
    if (network) await Promise.all([closed(network.broadcaster), closed(network.bootServer)]);
  }

  async function leaveAll(): Promise<void> {
    for (const name of [...served.keys()]) await leave(name);
  }

  await look(true).catch(async (error: unknown) => {
    await leaveAll();
    throw error;
  });
  let looking = Promise.resolve();
  const timer = setInterval(() => {
    looking = looking
      .then(() => (isClosed ? undefined : look(false)))
      // The kernel lists no interfaces when it has no file left, for example. The sockets that are open go on.
      .catch((error: unknown) => say(`the interfaces cannot be seen: ${String(error)}`));
  }, LOOK_MS);
  return {
    all: () => [...served.values()],
    of: ({ name }) => served.get(name),
    close: async () => {
      isClosed = true;
      clearInterval(timer);
      await looking;
      await leaveAll();
    },
  };
}

function missing(wanted: readonly string[], now: readonly UsableInterface[]): string[] {
  if (wanted.length === 0) return now.length === 0 ? ['no interface has an IPv4 address'] : [];
  return wanted
    .filter((name) => !now.some((each) => each.name === name))
    .map((name) => `${name} is not there, or has no IPv4 address`);
}
