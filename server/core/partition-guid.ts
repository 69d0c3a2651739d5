import {
  type DiskLayout,
  type DiskNames,
  firstSlotNumber,
  type PartitionId,
  type TableKind,
} from './disk-layout.ts';

/** Gives the sha256 of a text as 64 hex digits: hashing is a capability, handed in. */
export type Sha256Hex = (text: string) => string;

/**
 * The GUID of the disk that an install attempt partitions. Two installs never share one, so that two
 * Warmboot disks in one machine differ.
 */
export function diskGuid(hostId: string, installAttempt: string, sha256Hex: Sha256Hex): string {
  return guid(sha256Hex(`warmboot disk ${hostId} ${installAttempt}`));
}

/** The GUID of a partition, from its disk's GUID and its GPT name. */
export function partitionGuid(disk: string, label: string, sha256Hex: Sha256Hex): string {
  return guid(sha256Hex(`warmboot partition ${disk} ${label}`));
}

/**
 * The GUID of a disk that is composed and not installed: the same inputs give the same disk.
 * @param inputs all that the disk is made of, as one text
 */
export function composedDiskGuid(inputs: string, sha256Hex: Sha256Hex): string {
  return guid(sha256Hex(`warmboot composed disk ${inputs}`));
}

/** The UUID of something else that belongs to the disk: its state filesystem, its boot partition's serial number. */
export function disksOwnUuid(disk: string, what: string, sha256Hex: Sha256Hex): string {
  return guid(sha256Hex(`warmboot ${what} ${disk}`));
}

/** What the tables call this disk, and how a host names it in its reports. */
export function diskNames(layout: DiskLayout, disk: string, sha256Hex: Sha256Hex): DiskNames {
  const signature = diskSignature(disk, sha256Hex);
  const identity = layout.table === 'gpt' ? disk : `${signature}-${twoDigits(firstSlotNumber(layout))}`;
  return { guid: disk, signature, identity };
}

/** What stands in a table that an install wrote, whichever kind it is: the `label-id` of sfdisk(8). */
export function tableIds(disk: string, sha256Hex: Sha256Hex): readonly string[] {
  return [disk, `0x${diskSignature(disk, sha256Hex)}`];
}

/** PARTUUIDs for a table: on GPT a GUID by role; on msdos the kernel's own, the disk's signature and the number. */
export function partitionIds(table: TableKind, disk: string, sha256Hex: Sha256Hex): PartitionId {
  if (table === 'gpt') return (label) => partitionGuid(disk, label, sha256Hex);
  const signature = diskSignature(disk, sha256Hex);
  return (_, number) => `${signature}-${twoDigits(number)}`;
}

/**
 * The PARTUUID of a slot.
 * @param identity of the disk as hosts report it: a GPT's GUID, or on msdos the PARTUUID of slot a
 */
export function slotPartUuid(identity: string, slot: string, sha256Hex: Sha256Hex): string {
  const msdos = /^([0-9a-f]{8})-([0-9a-f]{2})$/.exec(identity);
  if (!msdos) return partitionGuid(identity, `warmboot-${slot}`, sha256Hex);
  const [, signature = '', first = ''] = msdos;
  return `${signature}-${twoDigits(Number.parseInt(first, 16) + slot.charCodeAt(0) - 'a'.charCodeAt(0))}`;
}

/** 32 bits in hex, not all zero: a signature of 0 means none. */
function diskSignature(disk: string, sha256Hex: Sha256Hex): string {
  const signature = sha256Hex(`warmboot signature ${disk}`).slice(0, 8);
  return signature === '00000000' ? '77617262' : signature;
}

function twoDigits(number: number): string {
  return number.toString(16).padStart(2, '0');
}

/** A UUID made from a hash: RFC 9562 version 8, lower case. */
function guid(hex: string): string {
  const variant = ((Number.parseInt(hex.charAt(16), 16) & 0x3) | 0x8).toString(16);
  return [
    hex.slice(0, 8),
    hex.slice(8, 12),
    `8${hex.slice(13, 16)}`,
    `${variant}${hex.slice(17, 20)}`,
    hex.slice(20, 32),
  ].join('-');
}
