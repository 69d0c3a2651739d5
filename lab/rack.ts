import { mkdir } from 'node:fs/promises';
import { Api } from './api.ts';
import { Closers } from './closers.ts';
import { Dhcp, type DhcpAnswers } from './dhcp.ts';
import { Feed } from './feed.ts';
import { Guest, type GuestPlace } from './guest.ts';
import { type Accelerator, probeAccelerator } from './kvm.ts';
import { type Machine, machine } from './machine.ts';
import { type Meddle, Meddler } from './meddler.ts';
import { insideNamespaces } from './namespace.ts';
import { makeBridge, makeTap, removeLink } from './network.ts';
import { Server } from './server.ts';
import { Watch } from './watch.ts';

const BRIDGE = 'rack0';
const BOOT_PORT = 8080;
/** Where the server listens when something stands between it and the hosts. */
const HIDDEN_PORT = 8090;

export interface RackOptions {
  /** For disks, logs and sockets; made if it is not there. */
  readonly folder: string;
  /** The server's data folder. */
  readonly data: string;
  readonly accelerator?: Accelerator;
  /** Spoils answers of the boot plane on their way to the hosts, by path. */
  readonly meddle?: Meddle;
  /** What the network's own DHCP server says; what our documentation tells an operator to write, unless given. */
  readonly dhcp?: DhcpAnswers;
  /** Further arguments of `serve`. */
  readonly serve?: readonly string[];
}

interface RackParts {
  readonly feed: Feed;
  readonly accelerator: Accelerator;
  readonly dhcp: Dhcp;
  readonly server: Server;
  readonly closers: Closers;
}

const LONGEST_MS = 20 * 60_000;

/** A virtual rack: a network with a DHCP server, the product's server, and machines that come and go. */
export class Rack {
  readonly feed: Feed;
  readonly accelerator: Accelerator;
  readonly server: Server;
  readonly api: Api;
  readonly dhcp: Dhcp;
  readonly #options: RackOptions;
  readonly #closers: Closers;
  readonly #watch: Watch;
  readonly #guests: Guest[] = [];
  /** Also those that are just being put in. */
  #machines = 0;

  private constructor(options: RackOptions, parts: RackParts) {
    this.#options = options;
    this.feed = parts.feed;
    this.accelerator = parts.accelerator;
    this.dhcp = parts.dhcp;
    this.server = parts.server;
    this.#closers = parts.closers;
    this.api = new Api(parts.server);
    this.#watch = new Watch(this.api, parts.feed);
    this.#closers.defer(() => this.#watch.close());
  }

  /** Builds the rack up. One at a time, and only inside namespaces of our own. */
  static async start(options: RackOptions): Promise<Rack> {
    if (!insideNamespaces())
      throw new Error(
        'a rack stands only in network namespaces of its own: run ./warmboot demo or ./warmboot test e2e',
      );
    await mkdir(options.folder, { recursive: true });
    const feed = new Feed();
    const accelerator = options.accelerator ?? (await probeAccelerator());
    const { folder, data, meddle, dhcp: answers = 'documented', serve = [] } = options;
    const closers = new Closers();
    try {
      await makeBridge(BRIDGE);
      closers.defer(() => removeLink(BRIDGE));
      const dhcp = await Dhcp.start({ folder, bridge: BRIDGE, bootPort: BOOT_PORT, answers });
      closers.defer(() => dhcp.close());
      const bootPort = meddle === undefined ? BOOT_PORT : HIDDEN_PORT;
      const server = await Server.start({ data, folder, feed, bootPort, namedPort: BOOT_PORT, serve });
      closers.defer(() => server.close());
      if (meddle !== undefined) {
        const meddler = await Meddler.start({ port: BOOT_PORT, serverPort: bootPort }, meddle);
        closers.defer(() => meddler.close());
      }
      return new Rack(options, { feed, accelerator, dhcp, server, closers });
    } catch (error) {
      await closers.close();
      throw error;
    }
  }

  /** A time-out for this machine, from what it takes with KVM. A bound for what hangs: below that of a test, so that it is said what hung. */
  patience(seconds: number): number {
    const ms = seconds * 1000 * this.accelerator.slowness * Math.max(1, this.#guests.length);
    return Math.min(ms, LONGEST_MS);
  }

  /** Puts a machine into the rack, switched off. */
  async addGuest(
    parts: Pick<Machine, 'name' | 'mac'> & Partial<Machine>,
    from: Pick<GuestPlace, 'baseDisk' | 'snapshot'> = {},
  ): Promise<Guest> {
    const at = this.#machines++;
    const taps = [parts.mac, ...(parts.moreMacs ?? [])].map((_, card) => `tap${at}-${card}`);
    for (const tap of taps) {
      await makeTap(tap, BRIDGE);
      this.#closers.defer(() => removeLink(tap));
    }
    const guest = await Guest.create(machine(parts), {
      folder: this.#options.folder,
      taps,
      feed: this.feed,
      accelerator: this.accelerator,
      ...from,
    });
    this.#closers.defer(() => guest.close());
    this.#guests.push(guest);
    this.#watch.add(guest.mac, guest.name);
    return guest;
  }

  /** Where to look when something went wrong. */
  logs(): string[] {
    return [...this.#guests.map((guest) => guest.serialLog), this.server.log, this.dhcp.log];
  }

  async close(): Promise<void> {
    await this.#closers.close();
    this.feed.break(new Error('the rack was taken down'));
  }
}
