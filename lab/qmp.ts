import { createInterface } from 'node:readline';
import type { Duplex } from 'node:stream';

/** What QEMU says unasked. */
export interface QmpEvent {
  readonly event: string;
  readonly data?: Readonly<Record<string, unknown>>;
}

type Message =
  | { readonly QMP: unknown }
  | QmpEvent
  | { readonly id: number; readonly return: unknown }
  | { readonly id: number; readonly error: { readonly desc: string } };

/** QEMU's control channel (QMP): commands, and the events the machine makes (RESET, SHUTDOWN, GUEST_PANICKED). */
export class Qmp {
  readonly #socket: Duplex;
  readonly #pending = new Map<
    number,
    { resolve: (value: unknown) => void; reject: (error: Error) => void }
  >();
  #lastId = 0;

  private constructor(socket: Duplex, onEvent: (event: QmpEvent) => void) {
    this.#socket = socket;
    // QEMU's end is an end like any other, and readline would throw it again: 'close' says all that is to be said.
    const gone = () => {};
    createInterface({ input: socket })
      .on('line', (line) => this.#take(JSON.parse(line) as Message, onEvent))
      .on('error', gone);
    socket.on('error', gone);
    socket.on('close', () => {
      for (const { reject } of this.#pending.values()) reject(new Error('QEMU is gone'));
      this.#pending.clear();
    });
  }

  /** Takes over a socket whose other end QEMU holds. Resolves when QEMU answers, rejects when it ends instead. */
  static async open(socket: Duplex, onEvent: (event: QmpEvent) => void): Promise<Qmp> {
    const qmp = new Qmp(socket, onEvent);
    await qmp.run('qmp_capabilities');
    return qmp;
  }

  #take(message: Message, onEvent: (event: QmpEvent) => void): void {
    if ('event' in message) onEvent(message);
    if (!('id' in message)) return;
    const call = this.#pending.get(message.id);
    this.#pending.delete(message.id);
    if ('error' in message) call?.reject(new Error(message.error.desc));
    else call?.resolve(message.return);
  }

  run(execute: string, args: Record<string, unknown> = {}): Promise<unknown> {
    const id = ++this.#lastId;
    return new Promise((resolve, reject) => {
      this.#pending.set(id, { resolve, reject });
      this.#socket.write(`${JSON.stringify({ execute, arguments: args, id })}\n`);
    });
  }

  close(): void {
    this.#socket.destroy();
  }
}

/** QEMU holds a machine whose disk file finds no room (`werror=enospc`, its default), and nothing of that machine is seen ever after. */
export function saysNoRoom({ event, data }: QmpEvent): boolean {
  return event === 'BLOCK_IO_ERROR' && data?.nospace === true;
}
