import { open } from 'node:fs/promises';
import { execa } from 'execa';
import { expect } from 'vitest';
import type { HostView } from '../../lab/feed.ts';
import type { Guest } from '../../lab/guest.ts';
import type { Ailments, Machine } from '../../lab/machine.ts';
import type { Rack } from '../../lab/rack.ts';
import { until } from '../../lab/wait.ts';
import { FIRST_IMAGE, installedHost, SNAPSHOT_PARTS } from './snapshot.ts';
import { image, newGuest, plan, startRack } from './support.ts';

export interface Order {
  readonly image: string;
  /** Kernel arguments of the host, which bring the fault. */
  readonly append?: string;
  /** Real seconds: a guest's clock runs as fast as ours, however slowly its processor is translated. */
  readonly trialSeconds?: number;
}

export interface Ordered {
  readonly attempt: string;
  /** Where the feed stood before it was ordered. */
  readonly since: number;
}

export interface End {
  readonly outcome: 'succeeded' | 'failed' | 'rolled-back';
  /** What the server must say of it. */
  readonly reason?: RegExp;
  /** The image that runs at the end, from the boot default, on no trial. */
  readonly runs: string;
}

/**
 * One machine that goes through many rows of the matrix, one after another, with nothing set right in between: what a row leaves
 * behind, the next one meets.
 */
export class MatrixHost {
  readonly rack: Rack;
  readonly guest: Guest;

  private constructor(rack: Rack, guest: Guest) {
    this.rack = rack;
    this.guest = guest;
  }

  /** A machine that was put into the rack otherwise. */
  static of(rack: Rack, guest: Guest): MatrixHost {
    return new MatrixHost(rack, guest);
  }

  /** A new machine, installed with {@link FIRST_IMAGE}. */
  static async install(rack: Rack, name: string, parts: Partial<Machine> = {}): Promise<MatrixHost> {
    const { guest, story } = await newGuest(rack, name, { firmware: 'bios', ...parts });
    await story.enrol(image(FIRST_IMAGE));
    story.close();
    // Not followed by what it asks for: where its requests are changed on their way, they come from another address.
    await guest.powerOn();
    const host = new MatrixHost(rack, guest);
    await host.runs(FIRST_IMAGE, 0, 300);
    return host;
  }

  /** A rack in which such a machine stands and runs already: the snapshot that all files of a run share. */
  static async restore(rackName: string, options: Parameters<typeof startRack>[1] = {}): Promise<MatrixHost> {
    const { folder, data, mac, leases } = await installedHost();
    const rack = await startRack(rackName, { ...options, data });
    rack.dhcp.learn(leases);
    const guest = await rack.addGuest({ ...SNAPSHOT_PARTS, mac }, { snapshot: folder });
    await guest.powerOn();
    return new MatrixHost(rack, guest);
  }

  /** The host as the server shows it now; undefined while the server is away. */
  now(): Promise<HostView | undefined> {
    return this.rack.api.host(this.guest.mac).catch(() => undefined);
  }

  until(what: string, seconds: number, holds: (host: HostView) => boolean): Promise<HostView> {
    const look = async () => {
      const host = await this.now();
      return host !== undefined && holds(host) ? host : undefined;
    };
    return until(look, {
      what: `${this.guest.name}: ${what}`,
      timeoutMs: this.rack.patience(seconds),
      everyMs: 250,
    });
  }

  /** Waits until it has said, since then, that this image runs, for good. */
  runs(name: string, since: number, seconds = 120): Promise<HostView> {
    const { digest } = image(name);
    return this.until(
      `${name} running for good`,
      seconds,
      (host) => host.observation?.digest === digest && isSettled(host, since),
    );
  }

  /** On, in an OS and on no trial, whatever the row before did. */
  async ready(): Promise<HostView> {
    if (!this.guest.isOn) await this.guest.powerOn();
    return this.until('rest after the row before', 150, (host) => isSettled(host));
  }

  /** Power off and on again, as it may be done at any moment. */
  async cutPower(ailments: Ailments = {}): Promise<void> {
    await this.guest.powerOff();
    await this.guest.powerOn(ailments);
  }

  /** The operator's order; a retry where this image failed last. */
  async order({ image: name, append = '', trialSeconds = 300 }: Order): Promise<Ordered> {
    await this.ready();
    const { api, feed } = this.rack;
    const since = feed.mark();
    const { mac } = this.guest;
    const { image: assigned, attempt } = await api.change(mac, { append, trialSeconds });
    const { digest } = image(name);
    const failed = assigned?.digest === digest && ['failed', 'rolled-back'].includes(attempt?.outcome ?? '');
    const answer = failed ? await api.retry(mac) : await api.assign(mac, digest);
    if (answer.attempt === null) throw new Error(`${this.guest.name} runs ${name} already`);
    return { attempt: answer.attempt, since };
  }

  /** An image that no slot holds, so that its order has to be staged. */
  async absentImage(): Promise<string> {
    const { observation } = await this.ready();
    const held = Object.values(observation?.slots ?? {}).map(({ digest }) => digest);
    const absent = ['debian-13', 'debian-12', 'debian-11'].find((name) => !held.includes(image(name).digest));
    if (absent === undefined) throw new Error('a disk of two slots holds three images');
    return absent;
  }

  /** The image that the other slot holds. */
  async otherImage(): Promise<string> {
    const { observation } = await this.ready();
    const [, other] =
      Object.entries(observation?.slots ?? {}).find(([slot]) => slot !== observation?.slot) ?? [];
    const found = plan().images.find(({ digest }) => digest === other?.digest);
    if (found === undefined) throw new Error('the other slot holds no image');
    return found.name;
  }

  async runningImage(): Promise<string> {
    const { observation } = await this.ready();
    return plan().images.find(({ digest }) => digest === observation?.digest)?.name ?? 'none of ours';
  }

  /** Waits for the attempt's end and looks at what the server then says and the machine then runs. */
  async ends(ordered: Ordered, end: End, seconds = 240): Promise<void> {
    const { attempt } = await this.until(
      `the end of the attempt`,
      seconds,
      ({ attempt }) => attempt?.id === ordered.attempt && attempt.outcome !== null,
    );
    const { outcome, reason } = attempt ?? {};
    process.stderr.write(`    ${this.guest.name}: ended as ${outcome}, ${reason}\n`);
    expect({ outcome, reason }).toEqual({
      outcome: end.outcome,
      reason: end.reason === undefined ? reason : expect.stringMatching(end.reason),
    });
    const { state } = await this.runs(end.runs, 0);
    expect(state).toBe(end.outcome === 'succeeded' ? 'active' : end.outcome);
  }

  /** Waits for a line on its serial port. */
  says(line: RegExp, { since }: Pick<Ordered, 'since'>, seconds = 120): Promise<unknown> {
    return this.rack.feed.seen({
      source: 'serial',
      guest: this.guest.name,
      since,
      what: `${line} on the serial port`,
      timeoutMs: this.rack.patience(seconds),
      match: (seen) => line.test(seen.line),
    });
  }

  /** What it has said on its serial port. */
  said({ since }: Pick<Ordered, 'since'>): string {
    return this.rack.feed
      .since(since, 'serial', this.guest.name)
      .map(({ line }) => line)
      .join('\n');
  }

  /** Where a partition of its disk begins, in sectors of 512 bytes. The disk must be a raw one. */
  async firstSector(role: string): Promise<number> {
    const { stdout } = await execa('/sbin/sfdisk', ['-J', this.guest.diskFile]);
    const { partitions } = (JSON.parse(stdout) as Sfdisk).partitiontable;
    const found = partitions.find(({ name }) => name === `warmboot-${role}`);
    if (found === undefined) throw new Error(`the disk has no partition warmboot-${role}`);
    return found.start;
  }

  /**
   * A sector (of 512 bytes) of the boot partition that is written when anything of this slot changes: that of its folder, or of the
   * one it will be made in.
   */
  async bootFolderSector(slot: string): Promise<number> {
    const { diskFile } = this.guest;
    const start = await this.firstSector('boot');
    const show = (path: string) => execa('mshowfat', ['-i', `${diskFile}@@${start * 512}`, path]);
    const { stdout } = await show(`::/warmboot/${slot}`).catch(() => show('::/warmboot'));
    const file = await open(diskFile, 'r');
    const { buffer } = await file.read(Buffer.alloc(512), 0, 512, start * 512);
    await file.close();
    // FAT32: reserved sectors, tables and their size, then clusters, numbered from 2.
    const first = buffer.readUInt16LE(14) + buffer.readUInt8(16) * buffer.readUInt32LE(36);
    const cluster = Number(/<(\d+)/.exec(stdout)?.[1]);
    return start + first + (cluster - 2) * buffer.readUInt8(13);
  }

  /** The slot that neither runs nor is the boot default. */
  async freeSlot(): Promise<string> {
    const { observation } = await this.ready();
    return observation?.slot === 'a' ? 'b' : 'a';
  }
}

interface Sfdisk {
  readonly partitiontable: {
    readonly partitions: readonly { readonly name?: string; readonly start: number }[];
  };
}

function isSettled({ observation }: HostView, since = 0): boolean {
  if (observation === null || observation.at < since) return false;
  const { environment, trial, slot } = observation;
  return environment === 'os' && !trial && slot !== null && observation.default === slot;
}
