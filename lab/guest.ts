import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync } from 'node:fs';
import { copyFile, mkdir, open, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Duplex } from 'node:stream';
import { execa } from 'execa';
import { startProgram } from './child.ts';
import type { Feed } from './feed.ts';
import { findArmFirmware, findOvmf, type Ovmf } from './firmware.ts';
import type { Accelerator } from './kvm.ts';
import { type Ailments, type Machine, type MachineFiles, QMP_FD } from './machine.ts';
import { qemuArguments } from './machine-arguments.ts';
import { Qmp, type QmpEvent, saysNoRoom } from './qmp.ts';
import { plainText, Tail } from './tail.ts';
import { until } from './wait.ts';

export interface GuestPlace {
  /** For its disk, firmware settings, sockets and logs; exists. */
  readonly folder: string;
  /** Attached to the rack's bridge, one for each of its cards. */
  readonly taps: readonly string[];
  readonly feed: Feed;
  readonly accelerator: Accelerator;
  /** A disk to begin from instead of an empty one; it is not written to. */
  readonly baseDisk?: string;
  /** A folder that {@link Guest.save} wrote: the first power-on goes on from there. */
  readonly snapshot?: string;
}

/** Files of a snapshot. */
const SNAPSHOT = { memory: 'memory', disk: 'disk.raw', variables: 'variables.fd' } as const;

/** A virtual machine: disk and firmware settings stay while its power comes and goes. */
export class Guest {
  readonly parts: Machine;
  readonly #place: GuestPlace;
  readonly #files: MachineFiles;
  readonly #ovmf: Ovmf | null;
  readonly #tail: Tail;
  /** What the next power-on restores, if anything. */
  #memory: string | undefined;
  #qemu: ChildProcess | undefined;
  #qmp: Qmp | undefined;

  private constructor(parts: Machine, place: GuestPlace, files: MachineFiles, ovmf: Ovmf | null) {
    this.parts = parts;
    this.#place = place;
    this.#files = files;
    this.#ovmf = ovmf;
    this.#memory = place.snapshot && join(place.snapshot, SNAPSHOT.memory);
    this.#tail = new Tail(files.serial, (line) => {
      const text = plainText(line);
      if (text !== '') place.feed.push(parts.name, { source: 'serial', line: text });
    });
  }

  static async create(parts: Machine, place: GuestPlace): Promise<Guest> {
    const path = (suffix: string) => join(place.folder, `${parts.name}${suffix}`);
    const diskFormat = place.baseDisk === undefined ? 'raw' : 'qcow2';
    const files: MachineFiles = {
      disk: path(`.${diskFormat}`),
      diskFormat,
      variables: path('.vars.fd'),
      serial: path('.serial.log'),
      taps: place.taps,
    };
    const ovmf = firmwareOf(parts);
    const { snapshot } = place;
    if (ovmf !== null)
      await copyFile(snapshot ? join(snapshot, SNAPSHOT.variables) : ovmf.variables, files.variables);
    if (snapshot !== undefined) await copySparse(join(snapshot, SNAPSHOT.disk), files.disk);
    else if (place.baseDisk === undefined) await makeEmptyDisk(files.disk, parts.diskBytes);
    else
      await execa('qemu-img', ['create', '-q', '-f', 'qcow2', '-F', 'raw', '-b', place.baseDisk, files.disk]);
    return new Guest(parts, place, files, ovmf);
  }

  get name(): string {
    return this.parts.name;
  }
  get mac(): string {
    return this.parts.mac;
  }
  get diskFile(): string {
    return this.#files.disk;
  }
  /** Everything the machine ever wrote to its serial port. */
  get serialLog(): string {
    return this.#files.serial;
  }
  get isOn(): boolean {
    return this.#qemu !== undefined;
  }

  async powerOn(ailments: Ailments = {}): Promise<void> {
    if (this.#qemu !== undefined) throw new Error(`${this.name} is on already`);
    const { accelerator } = this.#place;
    const { program, args } = qemuArguments(this.parts, this.#files, accelerator, this.#ovmf, ailments);
    if (this.#memory !== undefined) args.push('-incoming', `file:${this.#memory}`);
    this.#memory = undefined;
    const errors = join(this.#place.folder, `${this.name}.qemu.log`);
    const errorsFd = openSync(errors, 'a');
    // A process group of its own: Ctrl-C at the terminal is for the demo, which then switches the machine off.
    const qemu = startProgram(program, args, {
      stdio: ['ignore', errorsFd, errorsFd, 'pipe'],
      detached: true,
    });
    closeSync(errorsFd);
    this.#qemu = qemu;
    qemu.once('exit', (code, signal) => {
      this.#qemu = undefined;
      this.#qmp?.close();
      this.#qmp = undefined;
      this.#note(code === 0 ? 'POWEROFF' : `QEMU ended with ${signal ?? `code ${code}`}`);
    });
    try {
      this.#qmp = await Qmp.open(qemu.stdio[QMP_FD] as Duplex, (event) => this.#heard(event));
    } catch (error) {
      const said = (await readFile(errors, 'utf8').catch(() => '')).trim();
      await this.powerOff();
      throw new Error(`QEMU did not start for ${this.name}: ${said || (error as Error).message}`);
    }
    this.#note('POWERON');
  }

  /** Pulls the power cord: the machine gets no chance to write anything more. */
  async powerOff(): Promise<void> {
    const qemu = this.#qemu;
    if (qemu === undefined) return;
    const gone = once(qemu, 'exit');
    // `quit` lets QEMU finish its own disk file; the guest notices nothing.
    this.#qmp?.run('quit').catch(() => {});
    const timer = setTimeout(() => qemu.kill('SIGKILL'), this.#qmp === undefined ? 0 : 5_000);
    await gone;
    clearTimeout(timer);
  }

  /**
   * Writes memory, devices and disk of the running machine into a folder and switches it off. Its disk must be a raw file, and no
   * NVMe disk: QEMU does not migrate those.
   */
  async save(folder: string): Promise<void> {
    const qmp = this.#qmp;
    if (qmp === undefined) throw new Error(`${this.name} is off: there is no memory to save`);
    await mkdir(folder, { recursive: true });
    await qmp.run('migrate-set-parameters', { 'max-bandwidth': 2 ** 40 });
    // The machine is not stopped first: the copy would then start stopped too.
    await qmp.run('migrate', { uri: `file:${join(folder, SNAPSHOT.memory)}` });
    await until(() => migrationIsComplete(qmp), { what: `the snapshot of ${this.name}`, timeoutMs: 120_000 });
    await copySparse(this.diskFile, join(folder, SNAPSHOT.disk));
    if (this.#ovmf !== null) await copyFile(this.#files.variables, join(folder, SNAPSHOT.variables));
    await this.powerOff();
  }

  /** The reset button. */
  async reset(): Promise<void> {
    await this.#qmp?.run('system_reset');
  }

  #heard(event: QmpEvent): void {
    this.#note(event.event);
    if (saysNoRoom(event))
      this.#place.feed.break(
        new Error(`${this.name} stands still: no space is left in ${this.#place.folder}. Make room there.`),
      );
  }

  #note(event: string): void {
    this.#place.feed.push(this.name, { source: 'machine', event });
  }

  async close(): Promise<void> {
    await this.powerOff();
    this.#tail.close();
  }
}

function firmwareOf({ firmware, processor }: Machine): Ovmf | null {
  if (processor === 'arm64') return findArmFirmware();
  return firmware === 'uefi' ? findOvmf() : null;
}

async function migrationIsComplete(qmp: Qmp): Promise<true | undefined> {
  const answer = (await qmp.run('query-migrate')) as { status?: string; 'error-desc'?: string };
  if (answer.status === 'failed') throw new Error(`QEMU cannot save the machine: ${answer['error-desc']}`);
  return answer.status === 'completed' || undefined;
}

async function copySparse(from: string, to: string): Promise<void> {
  await execa('cp', ['--sparse=always', '--reflink=auto', from, to]);
}

async function makeEmptyDisk(path: string, sizeBytes: number): Promise<void> {
  const file = await open(path, 'wx');
  await file.truncate(sizeBytes);
  await file.close();
}
