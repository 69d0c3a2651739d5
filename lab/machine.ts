export const DISK_BUSES = ['virtio', 'ahci', 'nvme', 'scsi', 'megasas', 'mptsas', 'usb'] as const;
export const NICS = ['virtio', 'e1000', 'e1000e', 'rtl8139', 'i82551'] as const;
export const FIRMWARES = ['uefi', 'bios'] as const;
export type DiskBus = (typeof DISK_BUSES)[number];
export type Nic = (typeof NICS)[number];
export type Firmware = (typeof FIRMWARES)[number];

/**
 * What the machine tries first: its network card (PXE on BIOS and UEFI), UEFI's HTTP boot, or iPXE on a disc or a stick. The disk
 * comes behind it.
 */
export type Start = 'pxe' | 'http' | 'disc' | 'stick';

/** What a virtual machine is made of. */
export interface Machine {
  readonly name: string;
  readonly mac: string;
  /** More cards, of the same model, on the same network. */
  readonly moreMacs: readonly string[];
  /** Cards of the same model that come before all others: their link is up and nothing ever answers there. */
  readonly deadCards: number;
  readonly firmware: Firmware;
  readonly disk: DiskBus;
  readonly nic: Nic;
  readonly memoryMiB: number;
  readonly diskBytes: number;
  readonly sectorBytes: 512 | 4096;
  readonly start: Start;
  /** Empty disks that come before `disk`. */
  readonly disksBefore: number;
  /** Disks with something on them, beside `disk`, that the firmware never tries. They are files, raw. */
  readonly beside: readonly { readonly file: string; readonly bus: 'virtio' | 'usb' }[];
  /** A hardware watchdog (i6300esb) that resets the machine when nobody feeds it. */
  readonly watchdog: boolean;
  /** arm64 is always translated, and always UEFI. */
  readonly processor: 'x86-64' | 'x86-32' | 'arm64';
}

/** The usual machine: 1 GiB of memory, an empty disk of 6 GiB. */
export function machine(parts: Pick<Machine, 'name' | 'mac'> & Partial<Machine>): Machine {
  const size = { memoryMiB: 1024, diskBytes: 6 * 1024 ** 3, sectorBytes: 512 } as const;
  const usual = {
    moreMacs: [],
    deadCards: 0,
    disksBefore: 0,
    beside: [],
    watchdog: false,
    firmware: 'uefi',
    disk: 'virtio',
    nic: 'virtio',
    start: 'pxe',
    processor: 'x86-64',
  } as const;
  return { ...size, ...usual, ...parts };
}

/** What is wrong with a machine for as long as its power is on. */
export interface Ailments {
  /** What its clock says at power-on, in UTC, such as `2006-01-01T00:00:00`; it goes on from there. */
  readonly clock?: string;
  readonly disk?: DiskFault;
}

/** A disk that takes no writes, or one that fails where this sector (of 512 bytes) is read or written. */
export type DiskFault = 'read-only' | { readonly fails: 'read' | 'write'; readonly sector: number };

/** The WWN of a machine's own disk where its bus has such numbers (SCSI, SAS, AHCI). */
export const DISK_WWN = '5000c5000a5e1d15';

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

/**
 * Whether this firmware asks for a network boot program by TFTP. OVMF has a PXE client of its own (on other cards than virtio
 * over the driver in the card's ROM). SeaBIOS has none: there QEMU's card ROMs boot, and those are iPXE already, which asks
 * for `/boot.ipxe` at once.
 */
export function asksForNbp({ firmware }: Pick<Machine, 'firmware'>): boolean {
  return firmware === 'uefi';
}
