import { isEveryAddress } from '../core/listen-address.ts';
import type { Mac } from '../core/mac.ts';
import type { DhcpMeters } from '../core/meters-port.ts';
import type { Logger } from '../core/ports.ts';
import {
  type Door,
  decide,
  isLimited,
  type KnownHost,
  type NoOffer,
  type ProxyLimits,
  wantedAnswer,
} from './decide.ts';
import { type Decision, decisionLog } from './decision-log.ts';
import { interfaceTowards, type UsableInterface } from './interfaces.ts';
import { type NetbootClient, netbootClient } from './netboot-client.ts';
import { type DhcpPacket, decode, NO_ADDRESS } from './packet.ts';
import { type ProxyPlace, reply } from './reply.ts';

export type ProxyDhcpConfig = {
  readonly limits: ProxyLimits;
  /** As hosts are told. */
  readonly bootUrl: string;
  /** Where TFTP listens; null: off. */
  readonly tftpHost: string | null;
  readonly logger: Logger;
  readonly meters?: DhcpMeters;
  /** Milliseconds, from any beginning. */
  clock(): number;
  /** The host that has a MAC. */
  knownHost(mac: Mac): Promise<KnownHost | null>;
};

/** What came in. `at` is the interface whose boot server port it came to; the DHCP port does not tell. */
export type Incoming = {
  readonly datagram: Buffer;
  readonly from: { readonly address: string; readonly port: number };
  readonly at: UsableInterface | null;
};

/**
 * - `broadcast`  into the network of an interface
 * - `relay`      to a relay, which passes it on
 * - `direct`     from an interface's boot server port to the one that asked
 */
export type Outgoing = { readonly datagram: Buffer } & (
  | { readonly to: 'broadcast'; readonly on: UsableInterface }
  | { readonly to: 'relay'; readonly address: string }
  | { readonly to: 'direct'; readonly on: UsableInterface; readonly address: string; readonly port: number }
);

/** The world of sockets, as the handler sees it. */
export type ProxyNetwork = {
  /** The interfaces that are served now. */
  interfaces(): readonly UsableInterface[];
  readonly takesRelayed: boolean;
  send(outgoing: Outgoing): void;
};

/** Packets that wait for a look into the store. More are dropped: clients ask again. */
const WAITING = 256;

/** Everything between a datagram and its answer, without sockets. Never throws. */
export function proxyHandler(config: ProxyDhcpConfig, network: ProxyNetwork): (incoming: Incoming) => void {
  const { limits, logger } = config;
  const note = decisionLog(logger, config.clock);
  const say = (decision: Decision) => {
    config.meters?.proxyDhcpAnswered(decision.kind);
    note(decision);
  };
  let waiting = 0;

  return (incoming) => {
    const { datagram, from, at } = incoming;
    // Nobody can be answered on port 0, nor has asked from there.
    if (from.port === 0) return;
    const packet = decode(datagram);
    if ('refused' in packet) {
      logger.debug({ from: from.address, reason: packet.refused }, 'DHCP datagram ignored');
      return;
    }
    const door: Door = at ? 'boot-server' : 'dhcp';
    const kind = wantedAnswer(packet, door);
    const client = kind && netbootClient(packet);
    if (!kind || !client) return;
    if (door === 'dhcp' && packet.giaddr !== NO_ADDRESS && !network.takesRelayed) return;
    const asked = { ...incoming, packet, client, kind };
    if (!isLimited(limits) || client.mac === null) {
      say(answer(asked, null, config, network));
      return;
    }
    if (waiting >= WAITING) return;
    waiting += 1;
    config
      .knownHost(client.mac)
      .then((host) => say(answer(asked, host, config, network)))
      .catch((error: unknown) =>
        logger.warn({ client: client.name, error: String(error) }, 'DHCP request failed'),
      )
      .finally(() => {
        waiting -= 1;
      });
  };
}

type Asked = Incoming & {
  readonly packet: DhcpPacket;
  readonly client: NetbootClient;
  readonly kind: 'offer' | 'ack';
};

/** Sends what is to be sent. @returns what the log shall say about it */
function answer(
  asked: Asked,
  host: KnownHost | null,
  { limits, bootUrl, tftpHost }: ProxyDhcpConfig,
  network: ProxyNetwork,
): Decision {
  const { packet, client, kind, at } = asked;
  const none = ({ reason, level }: Omit<NoOffer, 'kind'>): Decision => ({
    kind: 'none',
    client: client.name,
    level,
    fields: { reason },
    text: 'proxyDHCP gives no answer',
  });
  const offer = decide(client, kind, host, limits);
  if (offer.kind === 'none') return none(offer);
  let said = none({ reason: 'no interface is served', level: 'warn' });
  for (const on of placesFor(asked, network)) {
    const made = reply(packet, offer, placeOn(on, bootUrl, tftpHost));
    if ('kind' in made) {
      said = none(made);
      continue;
    }
    network.send({ datagram: made.datagram, ...destination(asked, on) });
    const fields = { firmware: offer.firmware, file: made.file, by: at ? 'boot server port' : 'DHCP port' };
    said = { kind, client: client.name, level: 'info', fields, text: `proxyDHCP ${kind}` };
  }
  return said;
}

/** Into every network that is served where it is not known from which it came: only its own will know what it is about. */
function placesFor({ packet, at }: Asked, network: ProxyNetwork): readonly UsableInterface[] {
  if (at) return [at];
  const served = network.interfaces();
  if (packet.giaddr === NO_ADDRESS) return served;
  const towards = interfaceTowards(packet.giaddr, served);
  return towards ? [towards] : [];
}

function destination({ packet, from, at }: Asked, on: UsableInterface) {
  if (at) return { to: 'direct', on, address: from.address, port: from.port } as const;
  if (packet.giaddr !== NO_ADDRESS) return { to: 'relay', address: packet.giaddr } as const;
  return { to: 'broadcast', on } as const;
}

function placeOn({ address }: UsableInterface, bootUrl: string, tftpHost: string | null): ProxyPlace {
  const isOurs = tftpHost !== null && isEveryAddress(tftpHost);
  return { address, tftpAddress: isOurs ? address : tftpHost, bootUrl };
}
