import type { Awaited, LogRecord, Seen, Source } from './feed.ts';
import type { Guest } from './guest.ts';
import type { Rack } from './rack.ts';

/** What says first that the installer's kernel runs. */
const KERNEL_STARTS = /Linux version \d/;
/** For one thing to be seen, with KVM; the rack's slowness multiplies. Some machines at once may share the processors. */
const PATIENCE_MS = 60_000;
/** Requests in a message of failure. */
const LATELY = 12;

/** One machine's power-on, as it is watched from outside: by its requests and its serial port. */
export class PowerOn {
  readonly #rack: Rack;
  readonly #guest: Guest;
  readonly #since: number;

  private constructor(rack: Rack, guest: Guest) {
    this.#rack = rack;
    this.#guest = guest;
    this.#since = rack.feed.mark();
  }

  /** Switches it on, looks, and switches it off. */
  static async watch<T>(rack: Rack, guest: Guest, look: (boot: PowerOn) => Promise<T>): Promise<T> {
    const boot = new PowerOn(rack, guest);
    await guest.powerOn();
    try {
      return await look(boot);
    } finally {
      await guest.powerOff();
    }
  }

  /** Switched on, as QEMU said. */
  async isOn(): Promise<Seen<'machine'>> {
    return this.#see({
      source: 'machine',
      guest: this.#guest.name,
      what: 'the machine being on',
      match: ({ event }) => event === 'POWERON',
    });
  }

  /** A request of this machine, answered with success. */
  asks(path: string): Promise<Seen<'log'>> {
    return this.#see({
      source: 'log',
      what: `${path} asked for by ${this.#guest.name}`,
      match: ({ record }) => record.path === path && Number(record.status) < 400 && this.#isOurs(record),
    });
  }

  says(what: RegExp): Promise<Seen<'serial'>> {
    return this.#see({
      source: 'serial',
      guest: this.#guest.name,
      what: `"${what.source}" on ${this.#guest.name}`,
      match: ({ line }) => what.test(line),
    });
  }

  /** Its own script, the installer's kernel, and its start. */
  async reachesInstaller(): Promise<Seen<'serial'>> {
    await this.asks('/boot/script');
    await this.asks('/boot/installer/vmlinuz');
    return this.says(KERNEL_STARTS);
  }

  /** What the server's log says of this machine: requests and transfers. */
  served(): LogRecord[] {
    return this.#rack.feed
      .since(this.#since, 'log')
      .map(({ record }) => record)
      .filter((record) => this.#isOurs(record));
  }

  /** Names of the boot programs that came whole by TFTP; scripts are smaller. */
  nbps(): string[] {
    return this.served()
      .filter(({ outcome, bytes }) => outcome === 'complete' && Number(bytes) > 10_000)
      .map(({ file }) => String(file));
  }

  #see<S extends Source>(wanted: Pick<Awaited<S>, 'source' | 'what' | 'match' | 'guest'>): Promise<Seen<S>> {
    const timeoutMs = PATIENCE_MS * this.#rack.accelerator.slowness;
    return this.#rack.feed.seen({ ...wanted, since: this.#since, timeoutMs }).catch((error: Error) => {
      throw new Error(`${error.message}\n${this.#lately()}`, { cause: error });
    });
  }

  /** The requests of this machine alone; the feed has said what else was seen. */
  #lately(): string {
    const asked = this.served().map(
      ({ path, file, status, outcome }) => `${path ?? file} ${status ?? outcome}`,
    );
    const last = asked.slice(-LATELY).join('\n    ') || 'nothing';
    return `  the server was asked by ${this.#guest.name} for:\n    ${last}`;
  }

  /** The server's log names addresses; whose they are the DHCP server knows. */
  #isOurs({ client }: LogRecord): boolean {
    return typeof client === 'string' && this.#rack.dhcp.macOf(client) === this.#guest.mac;
  }
}
