import type { RemoteInfo, Socket } from 'node:dgram';
import { openDoor } from './door.ts';
import type { TftpFile, TftpFiles, TftpRefusal } from './files.ts';
import { DEFAULT_LIMITS, type TftpLimits } from './limits.ts';
import { asNetascii } from './netascii.ts';
import { decode, ERROR_CODE, type ErrorCode, encodeError, type Request } from './packet.ts';
import { openPortChannel } from './port-channel.ts';
import { Session, type SessionEnd } from './session.ts';

/** What pino's loggers have; fields first, then a sentence. */
export type TftpLogger = {
  debug(fields: object, text: string): void;
  info(fields: object, text: string): void;
  warn(fields: object, text: string): void;
};

export type TftpConfig = {
  /** An address, not a name: `0.0.0.0`, `::` (both families), or one of the machine's own. */
  readonly host: string;
  /** 69 in the field; 0 takes any free port. */
  readonly port: number;
  readonly files: TftpFiles;
  readonly logger?: TftpLogger;
  readonly limits?: Partial<TftpLimits>;
};

export type TftpService = {
  readonly port: number;
  /** Ends running transfers with an ERROR to their clients; resolves when every socket and timer is gone. */
  close(): Promise<void>;
};

/**
 * A read-only TFTP server (RFC 1350, 2347, 2348, 2349, 7440).
 * @throws when the address cannot be bound (EACCES, EADDRINUSE, …)
 */
export async function startTftp(config: TftpConfig): Promise<TftpService> {
  const server = new TftpServer(config);
  return server.open();
}

/** A request from its arrival to its last packet. `session` is null while the file is being looked up. */
type Entry = {
  readonly address: string;
  readonly datagram: string;
  readonly atMs: number;
  session: Session | null;
};

/** A request that got no answer for so long may come from a forged address: newer ones go first when room is short. */
const PATIENCE_MS = 100;

class TftpServer {
  readonly #config: TftpConfig;
  readonly #limits: TftpLimits;
  readonly #log: TftpLogger;
  readonly #entries = new Set<Entry>();
  /** The latest request of each address and port: to know repeated requests by. */
  readonly #latest = new Map<string, Entry>();
  readonly #perClient = new Map<string, number>();
  readonly #work = new Set<Promise<void>>();
  #door: Socket | undefined;
  #closing: Promise<void> | undefined;
  #full = false;

  constructor(config: TftpConfig) {
    this.#config = config;
    this.#limits = { ...DEFAULT_LIMITS, ...config.limits };
    this.#log = config.logger ?? { debug: () => undefined, info: () => undefined, warn: () => undefined };
  }

  async open(): Promise<TftpService> {
    const { host, port } = this.#config;
    const door = await openDoor(host, port, (datagram, from) => this.#onDatagram(datagram, from));
    door.on('error', (error) => this.#log.warn({ error: error.message }, 'TFTP socket error'));
    this.#door = door;
    return {
      port: door.address().port,
      close: () => {
        this.#closing ??= this.#close(door);
        return this.#closing;
      },
    };
  }

  async #close(door: Socket): Promise<void> {
    const closed = new Promise<void>((resolve) => door.close(() => resolve()));
    this.#door = undefined;
    for (const { session } of [...this.#entries]) session?.abort('the server is stopping');
    await closed;
    await Promise.all(this.#work);
  }

  #onDatagram(datagram: Buffer, from: RemoteInfo): void {
    // Nobody can be answered on port 0, nor has asked from there.
    if (from.port === 0) return;
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
        break; // RFC 1350, 2: never answered, or two servers could do so for ever
      case 'ack':
      case 'data':
      case 'oack':
        this.#refuse(from, ERROR_CODE.unknownId, 'no transfer here: send requests to this port');
        break;
      default:
        packet satisfies never;
    }
  }

  #onRead(request: Request, datagram: Buffer, from: RemoteInfo): void {
    const key = `${from.address} ${from.port}`;
    const text = datagram.toString('latin1');
    const before = this.#latest.get(key);
    // The same request again before its first answer was answered: the transfer's own timer takes care of it.
    if (before?.datagram === text && !before.session?.answered) return;
    if (this.#entries.size >= this.#limits.transfers && !this.#makeRoom(() => true)) {
      // Silence, for an ERROR makes firmware give up, and every client repeats a request that got no answer.
      if (!this.#full) this.#log.warn({ transfers: this.#entries.size }, 'TFTP is full: requests must wait');
      this.#full = true;
      return;
    }
    const open = this.#perClient.get(from.address) ?? 0;
    if (open >= this.#limits.transfersPerClient && !this.#makeRoom((old) => old.address === from.address)) {
      this.#refuse(from, ERROR_CODE.undefined, `${open} transfers of yours are open`, request.name);
      return;
    }
    const entry: Entry = { address: from.address, datagram: text, atMs: performance.now(), session: null };
    this.#enter(key, from, entry);
    const leave = () => this.#leave(key, from, entry);
    const work = this.#serve(request, from, entry, leave).catch((error: unknown) => {
      leave();
      this.#log.warn(
        { client: from.address, file: request.name, error: String(error) },
        'TFTP request failed',
      );
      this.#say(from, ERROR_CODE.undefined, 'the server failed: see its log');
    });
    this.#work.add(work);
    void work.finally(() => this.#work.delete(work));
  }

  /** Drops the oldest transfer whose client never answered. @returns false if there is none */
  #makeRoom(among: (entry: Entry) => boolean): boolean {
    const before = performance.now() - PATIENCE_MS;
    for (const entry of this.#entries) {
      if (entry.atMs > before) return false;
      if (!entry.session || entry.session.answered || !among(entry)) continue;
      entry.session.drop('never answered, and others are waiting');
      return true;
    }
    return false;
  }

  /** Resolves when the transfer is over and its socket closed. */
  async #serve(request: Request, from: RemoteInfo, entry: Entry, leave: () => void): Promise<void> {
    const answer = await this.#find(request, from);
    if (answer === null || 'refused' in answer) {
      leave();
      const code = answer === null ? ERROR_CODE.notFound : (answer.code ?? ERROR_CODE.access);
      this.#refuse(from, code, answer === null ? 'file not found' : answer.refused, request.name);
      return;
    }
    if (!this.#door) {
      leave();
      await answer.close?.();
      return;
    }
    const { channel, closed } = await openPortChannel({
      host: this.#config.host,
      client: from,
      onDatagram: (datagram) => entry.session?.receive(datagram),
    }).catch(async (error: unknown) => {
      await answer.close?.();
      throw error;
    });
    const session = new Session({
      file: answer,
      options: request.options,
      limits: this.#limits,
      channel,
      nowMs: () => performance.now(),
      onEnd: (end) => {
        leave();
        this.#report(request, from, answer, end);
      },
    });
    entry.session = session;
    session.start();
    // close() may have come while the socket was being opened, and found no session to abort.
    if (!this.#door) session.abort('the server is stopping');
    await closed;
  }

  async #find(request: Request, from: RemoteInfo): Promise<TftpFile | TftpRefusal | null> {
    const { address, port } = from;
    const answer = await this.#config.files(request.name, { address, port, options: request.options });
    const asText = request.mode === 'netascii' && answer !== null && !('refused' in answer);
    return asText ? asNetascii(answer) : answer;
  }

  #enter(key: string, { address }: RemoteInfo, entry: Entry): void {
    this.#entries.add(entry);
    this.#latest.set(key, entry);
    this.#perClient.set(address, (this.#perClient.get(address) ?? 0) + 1);
  }

  #leave(key: string, { address }: RemoteInfo, entry: Entry): void {
    if (!this.#entries.delete(entry)) return;
    this.#full = false;
    if (this.#latest.get(key) === entry) this.#latest.delete(key);
    const left = (this.#perClient.get(address) ?? 1) - 1;
    if (left > 0) this.#perClient.set(address, left);
    else this.#perClient.delete(address);
  }

  #report(request: Request, from: RemoteInfo, file: TftpFile, end: SessionEnd): void {
    const fields = { client: from.address, file: request.name, bytes: file.bytes, ...end };
    if (end.outcome === 'silent') this.#log.warn(fields, 'TFTP transfer failed');
    else this.#log.info(fields, `TFTP transfer ${end.outcome}`);
  }

  #refuse(from: RemoteInfo, code: ErrorCode, message: string, file?: string): void {
    // Anybody can send garbage: at info it would fill the log. A file name that is not served is what operators look for.
    const fields = { client: from.address, file, code, message };
    if (file === undefined) this.#log.debug(fields, 'TFTP packet refused');
    else this.#log.info(fields, 'TFTP request refused');
    this.#say(from, code, message);
  }

  #say(from: RemoteInfo, code: ErrorCode, message: string): void {
    // A failed send (no route, buffer full) is a lost packet: the callback keeps it from becoming an 'error' event.
    this.#door?.send(encodeError(code, message), from.port, from.address, () => undefined);
  }
}
