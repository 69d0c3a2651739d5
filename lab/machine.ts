import type { Ovmf } from './firmware.ts';
import type { Accelerator } from './kvm.ts';

export const DISK_BUSES = ['virtio', 'ahci', 'nvme', 'scsi'] as const;
export const NICS = ['virtio', 'e1000', 'e1000e', 'rtl8139'] as const;
export const FIRMWARES = ['uefi', 'bios'] as const;
export type DiskBus = (typeof DISK_BUSES)[number];
export type Nic = (typeof NICS)[number];
export type Firmware = (typeof FIRMWARES)[number];

/** What a virtual machine is made of. */
export interface Machine {
  readonly name: string;
  readonly mac: string;
  /** More cards, of the same model, on the same network. */
  readonly moreMacs: readonly string[];
  readonly firmware: Firmware;
  readonly disk: DiskBus;
  readonly nic: Nic;
  readonly memoryMiB: number;
  readonly diskBytes: number;
  readonly sectorBytes: 512 | 4096;
}

/** The usual machine: 1 GiB of memory, an empty disk of 6 GiB. */
export function machine(parts: Pick<Machine, 'name' | 'mac'> & Partial<Machine>): Machine {
  const usual = { memoryMiB: 1024, diskBytes: 6 * 1024 ** 3, sectorBytes: 512, moreMacs: [] } as const;
  return { firmware: 'uefi', disk: 'virtio', nic: 'virtio', ...usual, ...parts };
}

/** File descriptor of QEMU's that is its control channel. */
export const QMP_FD = 3;

/** The files of one machine. */
export interface MachineFiles {
  readonly disk: string;
  readonly diskFormat: 'raw' | 'qcow2';
  readonly variables: string;
  readonly serial: string;
  /** One for each card. */
  readonly taps: readonly string[];
}

const NIC_MODELS = {
  virtio: 'virtio-net-pci',
  e1000: 'e1000',
  e1000e: 'e1000e',
  rtl8139: 'rtl8139',
} as const;

/**
 * Whether this firmware asks for a network boot program by TFTP. OVMF has a PXE client of its own (on other cards than virtio
 * over the driver in the card's ROM). SeaBIOS has none: there QEMU's card ROMs boot, and those are iPXE already, which asks
 * for `/boot.ipxe` at once.
 */
export function asksForNbp({ firmware }: Pick<Machine, 'firmware'>): boolean {
  return firmware === 'uefi';
}

/** QEMU's arguments. The network is tried first and then the disk, as on a server that is netbooted for its whole life. */
export function qemuArguments(
  parts: Machine,
  files: MachineFiles,
  accelerator: Accelerator,
  ovmf: Ovmf | null,
): string[] {
  // `graphics=off` sends SeaBIOS and the iPXE ROM to the serial port.
  const args = ['-name', parts.name, '-machine', 'q35,graphics=off', ...accelerator.qemuArgs];
  args.push('-smp', '2', '-m', String(parts.memoryMiB), '-nodefaults', '-display', 'none');
  args.push(
    '-uuid',
    uuidOf(parts.mac),
    '-smbios',
    `type=1,manufacturer=Warmboot,product=Lab,serial=${parts.name}`,
  );
  if (ovmf !== null) {
    args.push('-drive', `if=pflash,unit=0,format=raw,readonly=on,file=${ovmf.code}`);
    args.push('-drive', `if=pflash,unit=1,format=raw,file=${files.variables}`);
  }
  // Without random numbers OVMF has no network stack, and a fresh system waits for entropy.
  args.push('-device', 'virtio-rng-pci');

  // OVMF has its own driver for virtio; with the ROM's iPXE driver out of the way nothing but the firmware itself netboots.
  const rom = parts.firmware === 'uefi' && parts.nic === 'virtio' ? ',romfile=' : '';
  for (const [at, mac] of [parts.mac, ...parts.moreMacs].entries()) {
    args.push('-netdev', `tap,id=net${at},ifname=${files.taps[at]},script=no,downscript=no`);
    const boots = at === 0 ? ',bootindex=1' : '';
    args.push('-device', `${NIC_MODELS[parts.nic]},netdev=net${at},mac=${mac}${boots}${rom}`);
  }

  // Not flushing to the real disk is safe here: the virtual power cord is pulled, never that of the machine below.
  const drive = `file=${files.disk},format=${files.diskFormat},if=none,id=disk0,cache=unsafe,discard=unmap,detect-zeroes=unmap`;
  args.push('-drive', drive, ...diskDevice(parts));

  args.push('-chardev', `file,id=serial0,path=${files.serial},append=on`, '-serial', 'chardev:serial0');
  // A socket without a name: nothing to clean up, and no limit to the length of its path.
  args.push('-chardev', `socket,id=qmp0,fd=${QMP_FD}`, '-mon', 'chardev=qmp0,mode=control');
  return args;
}

function diskDevice({ disk, name, sectorBytes }: Machine): string[] {
  const sectors =
    sectorBytes === 512 ? '' : `,logical_block_size=${sectorBytes},physical_block_size=${sectorBytes}`;
  const rest = `drive=disk0,serial=${name}-disk,bootindex=2${sectors}`;
  switch (disk) {
    case 'virtio':
      return ['-device', `virtio-blk-pci,${rest}`];
    case 'ahci':
      return ['-device', `ide-hd,bus=ide.0,${rest}`];
    case 'nvme':
      return ['-device', `nvme,${rest}`];
    case 'scsi':
      return ['-device', 'virtio-scsi-pci,id=scsi0', '-device', `scsi-hd,bus=scsi0.0,${rest}`];
    default:
      return disk satisfies never;
  }
}

/** A board keeps its UUID; ours follows from the MAC. */
function uuidOf(mac: string): string {
  return `77617262-6f6f-4000-8000-${mac.replaceAll(':', '').toLowerCase()}`;
}
