import { parseArgs } from 'node:util';
import { DISK_BUSES, type DiskBus, FIRMWARES, type Firmware, NICS, type Nic } from './machine.ts';

/** What the demo can be asked for. */
export interface DemoOptions {
  readonly guests: number;
  readonly disk: DiskBus;
  readonly nic: Nic;
  readonly firmware: Firmware;
  /** Leave disks and logs behind. */
  readonly keep: boolean;
  /** The server's data folder; images built before are found there again. */
  readonly data: string | null;
}

export const DEMO_USAGE = `Usage: ./warmboot demo [options]

The main job on a virtual server: builds two OS images from Dockerfiles, netboots a virtual machine, flashes its disk,
reassigns it by REST, jumps by kexec, cuts its power, goes back, and prints the timeline.

  --guests N        machines at once, each with an OS of its own   1 (up to 4)
  --disk BUS        ${DISK_BUSES.join(', ')}                       virtio
  --nic MODEL       ${NICS.join(', ')}                 virtio
  --firmware KIND   ${FIRMWARES.join(', ')}                                      uefi
  --keep            leave the machines' disks and all logs behind
  --data DIR        data folder of the demo's server                .cache/lab in the checkout
`;

/** @throws Error with one sentence about what is wrong. */
export function parseDemoOptions(args: readonly string[]): DemoOptions | 'help' {
  const { values } = parseArgs({
    args: [...args],
    options: {
      guests: { type: 'string', default: '1' },
      disk: { type: 'string', default: 'virtio' },
      nic: { type: 'string', default: 'virtio' },
      firmware: { type: 'string', default: 'uefi' },
      keep: { type: 'boolean', default: false },
      data: { type: 'string' },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  if (values.help) return 'help';
  const guests = Number(values.guests);
  if (!Number.isInteger(guests) || guests < 1 || guests > 4)
    throw new Error(`--guests ${values.guests}: a number from 1 to 4 is needed`);
  return {
    guests,
    disk: oneOf('--disk', values.disk, DISK_BUSES),
    nic: oneOf('--nic', values.nic, NICS),
    firmware: oneOf('--firmware', values.firmware, FIRMWARES),
    keep: values.keep,
    data: values.data ?? null,
  };
}

function oneOf<T extends string>(option: string, value: string, all: readonly T[]): T {
  const found = all.find((known) => known === value);
  if (found === undefined) throw new Error(`${option} ${value}: it can be ${all.join(', ')}`);
  return found;
}
