import { closeSync, ftruncateSync, openSync, readSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { DiskIdentity } from './disk-identity.ts';
import { DiskState } from './disk-state.ts';
import { parseGrubenv } from './grub.ts';
import { type Expected, expectedOf } from './grub-expected.ts';
import { type Known, startOf } from './judge.ts';
import { type Firmware, startDisk } from './real-grub.ts';
import { DISK_BYTES } from './record.ts';
import { type Entry, SECTOR } from './write-log.ts';

/**
 * Starts a machine from what a power cut left, with the GRUB that lies there, and holds what it does against the model: what it starts
 * and with which arguments, what it writes and where, and then the same for the next power-on.
 */

/** How many machines run at once. */
const AT_ONCE = 2;
/** Power-ons until nothing changes any more: a trial, then three of each slot. */
const MOST_IN_A_ROW = 9;

export type BootEffort = {
  /** Of the states with nothing new in GRUB's eyes, each so-many-th is booted too. */
  readonly every: number;
  /** Of what is booted, each so-many-th is booted by UEFI as well; it takes four times as long. */
  readonly uefiEvery: number;
  /** Whether what is new in GRUB's eyes is started again and again until all tries are used up, and not only once more. */
  readonly toTheEnd: boolean;
};

export class RealBoots {
  /** Differences from the model, each with what it was seen after. */
  readonly wrong: { readonly what: string; readonly where: string }[] = [];
  /** Power-ons. */
  boots = 0;
  readonly #folder: string;
  readonly #bootAt: number;
  readonly #effort: BootEffort;
  readonly #bytes: number;
  readonly #identity: DiskIdentity;
  readonly #states = new Set<bigint>();
  readonly #kinds = new Set<string>();
  #booted = 0;
  readonly #running = new Set<Promise<void>>();

  constructor(folder: string, known: Known, effort: BootEffort) {
    this.#folder = folder;
    this.#bootAt = startOf(known, 'warmboot-boot');
    this.#effort = effort;
    // Table, GRUB and the boot partition; the slots lie behind.
    this.#bytes = startOf(known, 'warmboot-state');
    this.#identity = new DiskIdentity(this.#bytes);
  }

  /** States that differ in what GRUB can read. */
  get states(): number {
    return this.#states.size;
  }

  /** States that differ in what it does. */
  get kinds(): number {
    return this.#kinds.size;
  }

  flush(entries: readonly Entry[]): void {
    this.#identity.flush(entries);
  }

  /** Returns once a machine is free for the next; what was found wrong may come later. */
  async see(disk: DiskState, where: string): Promise<void> {
    const identity = this.#identity.of(disk);
    if (this.#states.has(identity)) return;
    this.#states.add(identity);
    const { every, uefiEvery, toTheEnd } = this.#effort;
    const isNew = this.#isNewKind(expectedOf(disk, this.#bootAt));
    if (!isNew && this.#states.size % every !== 0) return;
    this.#booted += 1;
    const inARow = isNew && toTheEnd ? MOST_IN_A_ROW : isNew ? 2 : 1;
    const content = disk.read(0, this.#bytes);
    await this.#run(() => this.#startsAs(content, where, inARow, 'bios'));
    if (this.#booted % uefiEvery === 1 % uefiEvery)
      await this.#run(() => this.#startsAs(content, where, 1, 'uefi'));
  }

  async end(): Promise<void> {
    await Promise.all(this.#running);
  }

  #isNewKind({ answer, valid, before }: Expected): boolean {
    const kind = JSON.stringify([answer, valid, before && [...before]]);
    if (this.#kinds.has(kind)) return false;
    this.#kinds.add(kind);
    return true;
  }

  async #run(work: () => Promise<void>): Promise<void> {
    while (this.#running.size >= AT_ONCE) await Promise.race(this.#running);
    const running = work().finally(() => this.#running.delete(running));
    this.#running.add(running);
  }

  async #startsAs(content: Buffer, where: string, inARow: number, firmware: Firmware): Promise<void> {
    this.boots += 1;
    const file = join(this.#folder, `boot-${this.boots}`);
    write(file, content);
    const expected = expectedOf(new DiskState(content), this.#bootAt);
    const seen = await startDisk(file, firmware);
    const after = read(file, this.#bytes);
    rmSync(file);
    const wrong = [
      ...(seen === expected.answer ? [] : [`GRUB does not start "${expected.answer}" but "${seen}"`]),
      ...wrongWrites(content, after, expected),
    ];
    this.wrong.push(...wrong.map((what) => ({ what, where: `${firmware}, ${where}` })));
    const isTheSame = after.equals(content);
    if (inARow > 1 && !isTheSame)
      await this.#startsAs(after, `power-on after ${where}`, inARow - 1, firmware);
  }
}

/** What GRUB wrote must be the environment, in its place. */
function wrongWrites(before: Buffer, after: Buffer, { after: expected, written }: Expected): string[] {
  const wrong = new Set<string>();
  const rest = Buffer.from(before);
  for (const { offset, bytes } of written) after.copy(rest, offset, offset, offset + bytes);
  for (let at = 0; at < before.length; at += SECTOR)
    if (rest.compare(after, at, at + SECTOR, at, at + SECTOR) !== 0)
      wrong.add(`GRUB wrote to sector ${at / SECTOR}`);
  const block = Buffer.concat(written.map(({ offset, bytes }) => after.subarray(offset, offset + bytes)));
  const text = (variables: ReadonlyMap<string, string> | null) =>
    JSON.stringify(variables && [...variables].filter(([, value]) => value !== '').sort());
  const left = text(parseGrubenv(block));
  if (expected !== null && left !== text(expected)) wrong.add(`GRUB leaves ${left}, not ${text(expected)}`);
  return [...wrong];
}

/** Zeros are left out of the file, as most of the disk is. */
function write(file: string, content: Buffer): void {
  const part = 64 * 1024;
  const zeros = Buffer.alloc(part);
  const fd = openSync(file, 'w');
  ftruncateSync(fd, DISK_BYTES);
  for (let at = 0; at < content.length; at += part) {
    const data = content.subarray(at, at + part);
    if (!data.equals(zeros.subarray(0, data.length))) writeSync(fd, data, 0, data.length, at);
  }
  closeSync(fd);
}

function read(file: string, bytes: number): Buffer {
  const content = Buffer.alloc(bytes);
  const fd = openSync(file, 'r');
  readSync(fd, content, 0, bytes, 0);
  closeSync(fd);
  return content;
}
