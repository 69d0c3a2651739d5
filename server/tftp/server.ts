import { cannotListen } from '../core/listen-address.ts';
import type { TftpMeters } from '../core/meters-port.ts';
import type { Logger } from '../core/ports.ts';
import type { OpenedChannel } from './channel.ts';
import { Entries, type Entry } from './entries.ts';
import type { TftpFile, TftpFiles, TftpRefusal } from './files.ts';
import { DEFAULT_LIMITS, type TftpLimits } from './limits.ts';
import { asNetascii } from './netascii.ts';
import { decode, ERROR_CODE, type ErrorCode, encodeError, type Request, type TftpPacket } from './packet.ts';
import { openPortChannel } from './port-channel.ts';
import { Session, type SessionEnd } from './session.ts';
import { sharedPortChannel } from './shared-port-channel.ts';
import { type Network, type Peer, UDP, type UdpPort } from './udp.ts';

type TftpLogger = Pick<Logger, 'debug' | 'info' | 'warn'>;

export type TftpConfig = {
  /** An address, not a name: `0.0.0.0`, `::` (both families), or one of the machine's own. */
  readonly host: string;
  /** 69 in the field; 0 takes any free port. */
  readonly port: number;
  /** Answer from the listening port instead of one for each transfer. */
  readonly singlePort?: boolean;
  readonly files: TftpFiles;
  readonly logger?: TftpLogger;
  readonly meters?: TftpMeters;
  readonly limits?: Partial<TftpLimits>;
  readonly network?: Network;
};

export type TftpService = {
  readonly port: number;
  /** How many transfers are open. */
  open(): number;
  /** Why nobody is answered any more; null while all is well. */
  trouble(): string | null;
  /**
   * Begins nothing any more and lets running transfers end; who asks gets no answer, and asks again. What runs when `over`
   * aborts is ended with an ERROR.
   * @returns how many were
   */
  drain(over: AbortSignal): Promise<number>;
  /** Ends running transfers with an ERROR to their clients; resolves when every socket and timer is gone. */
  close(): Promise<void>;
};

/**
 * A read-only TFTP server (RFC 1350, 2347, 2348, 2349, 7440).
 * @throws WarmbootError when the address cannot be had, with what to do
 */
export async function startTftp(config: TftpConfig): Promise<TftpService> {
  const server = new TftpServer(config);
  return server.open();
}

class TftpServer {
  readonly #config: TftpConfig;
  readonly #limits: TftpLimits;
  readonly #log: TftpLogger;
  readonly #network: Network;
  readonly #entries: Entries;
  readonly #work = new Set<Promise<void>>();
  #door: UdpPort | undefined;
  #closing: Promise<void> | undefined;
  #full = false;
  #draining = false;

  constructor(config: TftpConfig) {
    this.#config = config;
    this.#limits = { ...DEFAULT_LIMITS, ...config.limits };
    this.#log = config.logger ?? { debug: () => undefined, info: () => undefined, warn: () => undefined };
    this.#network = config.network ?? UDP;
    this.#entries = new Entries(this.#limits);
  }

  async open(): Promise<TftpService> {
    const { host, port } = this.#config;
    const door = await this.#network
      .openDoor(host, port, (datagram, from) => this.#onDatagram(datagram, from))
      .catch((error: NodeJS.ErrnoException) => {
        throw cannotListen('TFTP cannot listen on UDP', { host, port }, error);
      });
    this.#door = door;
    return {
      port: door.port,
      open: () => this.#entries.size,
      trouble: () =>
        door.isBound() ? null : `TFTP has lost its UDP port ${door.port}. Start the server again.`,
      drain: (over) => this.#drain(over),
      close: () => {
        this.#closing ??= this.#close(door);
        return this.#closing;
      },
    };
  }

  async #drain(over: AbortSignal): Promise<number> {
    this.#draining = true;
    const ended = Promise.all(this.#work);
    const isOver = new Promise<void>((resolve) => {
      if (over.aborted) resolve();
      over.addEventListener('abort', () => resolve(), { once: true });
    });
    await Promise.race([ended, isOver]);
    return this.#work.size;
  }

  async #close(door: UdpPort): Promise<void> {
    this.#door = undefined;
    for (const { session } of this.#entries.all()) session?.abort('the server is stopping');
    await door.close();
    await Promise.all(this.#work);
  }

  #onDatagram(datagram: Buffer, from: Peer): void {
    // Nobody can be answered on port 0, nor has asked from there. And when we stop, nothing begins any more.
    if (from.port === 0 || !this.#door) return;
    const packet = decode(datagram);
    switch (packet.kind) {
      case 'read':
        this.#onRead(packet, datagram, from);
        break;
      case 'write':
        this.#refuse(from, ERROR_CODE.access, 'this server is read only', packet.name);
        break;
      case 'refused':
        if (packet.reply) this.#refuse(from, packet.reply.code, packet.reply.message);
        else this.#log.debug({ client: from.address, reason: packet.reason }, 'TFTP datagram ignored');
        break;
      case 'error':
      case 'ack':
      case 'data':
      case 'oack':
        this.#onAnswer(packet, from);
        break;
      default:
        packet satisfies never;
    }
  }

  /** What belongs to a transfer. */
  #onAnswer(packet: TftpPacket, from: Peer): void {
    if (this.#config.singlePort) {
      // Of no running transfer: late copies of the last ACK. An ERROR could hit the client's next request.
      this.#entries.of(from)?.session?.receive(packet);
    } else if (packet.kind !== 'error') {
      // An ERROR is never answered (RFC 1350, 2), or two servers could do so for ever.
      this.#refuse(from, ERROR_CODE.unknownId, 'no such transfer');
    }
  }

  #onRead(request: Request, datagram: Buffer, from: Peer): void {
    if (this.#draining) return;
    const client = { address: from.address, port: from.port };
    const admission = this.#entries.admit(client, datagram.toString('latin1'), performance.now());
    switch (admission.kind) {
      case 'enter':
        this.#begin(request, admission.entry);
        break;
      case 'repeated':
        admission.entry.session?.askedAgain();
        break;
      case 'copy':
        break;
      case 'full':
        // Silence, for an ERROR makes firmware give up, and every client repeats a request that got no answer.
        if (!this.#full)
          this.#log.warn({ transfers: this.#entries.size }, 'TFTP is full: requests must wait');
        this.#full = true;
        break;
      case 'too-many':
        this.#refuse(
          client,
          ERROR_CODE.undefined,
          `${admission.open} transfers of yours are open`,
          request.name,
        );
        break;
      default:
        admission satisfies never;
    }
  }

  #begin(request: Request, entry: Entry): void {
    const { client } = entry;
    const work = this.#serve(request, entry).catch((error: unknown) => {
      this.#leave(entry);
      this.#log.warn(
        { client: client.address, file: request.name, error: String(error) },
        'TFTP request failed',
      );
      this.#say(client, ERROR_CODE.undefined, 'the server failed: see its log');
    });
    this.#work.add(work);
    void work.finally(() => this.#work.delete(work));
  }

  #leave(entry: Entry): void {
    this.#entries.leave(entry);
    this.#full = false;
  }

  /** Resolves when the transfer is over and its socket closed. */
  async #serve(request: Request, entry: Entry): Promise<void> {
    const answer = await this.#find(request, entry.client);
    if (answer === null || 'refused' in answer) {
      this.#leave(entry);
      const code = answer === null ? ERROR_CODE.notFound : (answer.code ?? ERROR_CODE.access);
      const message = answer === null ? 'file not found' : answer.refused;
      if (!entry.superseded) this.#refuse(entry.client, code, message, request.name);
      return;
    }
    const opened = await this.#openChannel(entry).catch(async (error: unknown) => {
      await answer.close?.();
      throw error;
    });
    if (!opened) {
      this.#leave(entry);
      await answer.close?.();
      return;
    }
    const session = new Session({
      file: answer,
      options: request.options,
      limits: this.#limits,
      channel: opened.channel,
      nowMs: () => performance.now(),
      onEnd: (end) => {
        this.#leave(entry);
        this.#report(request, entry.client, answer, end);
      },
    });
    entry.session = session;
    // Both may have come while the port was being opened, and found no session to end.
    if (entry.superseded) session.drop('the client began anew');
    if (!this.#door) session.abort('the server is stopping');
    session.start();
    await opened.closed;
  }

  /** @returns null when there is nobody to answer any more */
  async #openChannel(entry: Entry): Promise<OpenedChannel | null> {
    const { client } = entry;
    if (!this.#door || entry.superseded) return null;
    if (this.#config.singlePort) return sharedPortChannel(this.#door, client);
    return openPortChannel({
      network: this.#network,
      host: this.#config.host,
      client,
      onPacket: (packet) => entry.session?.receive(packet),
    });
  }

  async #find(request: Request, { address, port }: Peer): Promise<TftpFile | TftpRefusal | null> {
    const answer = await this.#config.files(request.name, { address, port, options: request.options });
    const asText = request.mode === 'netascii' && answer !== null && !('refused' in answer);
    return asText ? asNetascii(answer) : answer;
  }

  #report(request: Request, client: Peer, file: TftpFile, end: SessionEnd): void {
    const fields = { client: client.address, file: request.name, bytes: file.bytes, ...end };
    this.#config.meters?.tftpEnded(end.outcome, end.blocksSent * end.blockBytes);
    if (end.outcome === 'silent') this.#log.warn(fields, 'TFTP transfer failed');
    else this.#log.info(fields, `TFTP transfer ${end.outcome}`);
  }

  #refuse(client: Peer, code: ErrorCode, message: string, file?: string): void {
    // Anybody can send garbage: at info it would fill the log. A file name that is not served is what operators look for.
    const fields = { client: client.address, file, code, message };
    if (file === undefined) this.#log.debug(fields, 'TFTP packet refused');
    else {
      this.#config.meters?.tftpEnded('refused', 0);
      this.#log.info(fields, 'TFTP request refused');
    }
    this.#say(client, code, message);
  }

  #say(client: Peer, code: ErrorCode, message: string): void {
    this.#door?.send(encodeError(code, message), client);
  }
}
