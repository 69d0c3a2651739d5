import { open } from 'node:fs/promises';
import type { Ovmf } from './firmware.ts';
import type { Accelerator } from './kvm.ts';

/** A machine that boots a disk of ours and has no rack around it. */
export interface DiskMachine {
  readonly disk: string;
  readonly sectorBytes: 512 | 4096;
  readonly memoryMiB: number;
  /** The disk's file stays as it is. */
  readonly snapshot: boolean;
  /** For UEFI, with a copy of the firmware's variables; null for BIOS. */
  readonly ovmf: Ovmf | null;
  /** QEMU's `-serial`. */
  readonly serial: string;
}

const MIB = 1024 * 1024;

/** QEMU's arguments: the disk first, a network behind QEMU's own NAT. */
export function diskMachineArguments(machine: DiskMachine, accelerator: Accelerator): string[] {
  const { disk, sectorBytes, ovmf } = machine;
  const args = ['-name', 'warmboot', '-machine', 'q35,graphics=off', ...accelerator.qemuArgs];
  args.push('-smp', String(accelerator.processors), '-m', String(machine.memoryMiB));
  args.push('-nodefaults', '-display', 'none');
  if (ovmf !== null) {
    args.push('-drive', `if=pflash,unit=0,format=raw,readonly=on,file=${quoted(ovmf.code)}`);
    args.push('-drive', `if=pflash,unit=1,format=raw,file=${quoted(ovmf.variables)}`);
  }
  args.push(
    '-device',
    'virtio-rng-pci',
    '-netdev',
    'user,id=net0',
    '-device',
    'virtio-net-pci,netdev=net0,romfile=',
  );
  const snapshot = machine.snapshot ? ',snapshot=on' : '';
  args.push('-drive', `file=${quoted(disk)},format=raw,if=none,id=disk0,cache=unsafe${snapshot}`);
  args.push(
    '-device',
    `virtio-blk-pci,drive=disk0,bootindex=1,logical_block_size=${sectorBytes},physical_block_size=${sectorBytes}`,
  );
  args.push('-serial', machine.serial);
  return args;
}

/**
 * The sectors that a disk of ours was made for: its boot partition, a MiB or two from the start, says it (offset 11 of a FAT
 * boot sector).
 */
export async function sectorsOf(disk: string): Promise<512 | 4096> {
  const file = await open(disk, 'r');
  try {
    const sector = Buffer.alloc(512);
    for (const at of [MIB, 2 * MIB]) {
      const { bytesRead } = await file.read(sector, 0, sector.length, at);
      const isFat = bytesRead === sector.length && sector.toString('latin1', 82, 87) === 'FAT32';
      if (isFat) return sector.readUInt16LE(11) === 4096 ? 4096 : 512;
    }
    return 512;
  } finally {
    await file.close();
  }
}

/** QEMU ends an option at a comma. */
function quoted(path: string): string {
  return path.replaceAll(',', ',,');
}
