import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync } from 'node:fs';
import { copyFile, open, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Duplex } from 'node:stream';
import { execa } from 'execa';
import type { Feed } from './feed.ts';
import { findArmFirmware, findOvmf, type Ovmf } from './firmware.ts';
import type { Accelerator } from './kvm.ts';
import { type Ailments, type Machine, type MachineFiles, QMP_FD } from './machine.ts';
import { qemuArguments } from './machine-arguments.ts';
import { Qmp, type QmpEvent, saysNoRoom } from './qmp.ts';
import { plainText, Tail } from './tail.ts';

export interface GuestPlace {
  /** For its disk, firmware settings, sockets and logs; exists. */
  readonly folder: string;
  /** Attached to the rack's bridge, one for each of its cards. */
  readonly taps: readonly string[];
  readonly feed: Feed;
  readonly accelerator: Accelerator;
  /** A disk to begin from instead of an empty one; it is not written to. */
  readonly baseDisk?: string;
}

/** A virtual machine: disk and firmware settings stay while its power comes and goes. */
export class Guest {
  readonly parts: Machine;
  readonly #place: GuestPlace;
  readonly #files: MachineFiles;
  readonly #ovmf: Ovmf | null;
  readonly #tail: Tail;
  #qemu: ChildProcess | undefined;
  #qmp: Qmp | undefined;

  private constructor(parts: Machine, place: GuestPlace, files: MachineFiles, ovmf: Ovmf | null) {
    this.parts = parts;
    this.#place = place;
    this.#files = files;
    this.#ovmf = ovmf;
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
    if (ovmf !== null) await copyFile(ovmf.variables, files.variables);
    if (place.baseDisk === undefined) await makeEmptyDisk(files.disk, parts.diskBytes);
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
    const errors = join(this.#place.folder, `${this.name}.qemu.log`);
    const errorsFd = openSync(errors, 'a');
    // A process group of its own: Ctrl-C at the terminal is for the demo, which then switches the machine off.
    const qemu = spawn(program, args, {
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

  /** Its disk as a power cut would leave it in this moment, to begin other machines from. The machine stands still meanwhile. */
  async copyDisk(to: string): Promise<void> {
    await this.#qmp?.run('stop');
    try {
      await execa('cp', ['--sparse=always', this.diskFile, to]);
    } finally {
      await this.#qmp?.run('cont');
    }
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

async function makeEmptyDisk(path: string, sizeBytes: number): Promise<void> {
  const file = await open(path, 'wx');
  await file.truncate(sizeBytes);
  await file.close();
}
