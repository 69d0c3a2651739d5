import { type Mac, parseMac } from '../core/mac.ts';
import { IPXE_FEATURE, OPTION } from './option-codes.ts';
import { type Options, readSubOptions } from './options.ts';
import type { DhcpPacket } from './packet.ts';

/** What a machine that netboots says about itself. */
export type NetbootClient = {
  /**
   * - `pxe`   firmware that loads by TFTP (vendor class `PXEClient`)
   * - `http`  firmware that loads by HTTP (vendor class `HTTPClient`, UEFI 2.10, 24.7)
   * - `ipxe`  iPXE that can do HTTP, wherever it came from
   */
  readonly kind: 'pxe' | 'http' | 'ipxe';
  /** Option 93, at least one; a client that sends none is plain PXE: 0 (RFC 4578, 2.1). */
  readonly architectures: readonly number[];
  /** Null where it is no Ethernet address that a machine can have. */
  readonly mac: Mac | null;
  /** How logs name it: its hardware address. */
  readonly name: string;
  /** Option 97, a type byte and 16 of UUID (RFC 4578, 2.3), to be sent back as it came; null: none, or one of another length. */
  readonly machineId: Buffer | null;
};

const ETHERNET = 1;
const MACHINE_ID_BYTES = 17;

/** @returns null for an ordinary DHCP client, which is none of a boot server's business */
export function netbootClient(packet: DhcpPacket): NetbootClient | null {
  const vendorClass = packet.options.get(OPTION.vendorClass)?.toString('latin1') ?? '';
  const ipxe = ipxeOf(packet.options);
  const isHttp = vendorClass.startsWith('HTTPClient');
  if (!isHttp && !vendorClass.startsWith('PXEClient') && ipxe === null) return null;
  const machineId = packet.options.get(OPTION.machineId);
  const name = [...packet.hardware].map((byte) => byte.toString(16).padStart(2, '0')).join(':');
  return {
    // One that was built without HTTP gets our own iPXE, like the firmware it may well be.
    kind: ipxe?.hasHttp ? 'ipxe' : isHttp ? 'http' : 'pxe',
    architectures: architecturesOf(packet.options.get(OPTION.architecture)),
    mac: packet.hardwareType === ETHERNET ? parseMac(name) : null,
    name,
    machineId: machineId?.length === MACHINE_ID_BYTES ? machineId : null,
  };
}

/**
 * iPXE says so twice: by option 175, which lists what it was built with, and by user class `iPXE`, for DHCP servers that know
 * only that. Some networks strip the former.
 */
function ipxeOf(options: Options): { readonly hasHttp: boolean } | null {
  const encapsulated = options.get(OPTION.ipxe);
  if (encapsulated) {
    const features = readSubOptions(encapsulated);
    // A list that names no feature at all is no statement about one.
    if ('refused' in features || features.size === 0) return { hasHttp: true };
    return { hasHttp: features.get(IPXE_FEATURE.http)?.[0] === 1 };
  }
  const userClass = options.get(OPTION.userClass);
  return userClass && userClasses(userClass).includes('iPXE') ? { hasHttp: true } : null;
}

/** RFC 3004 wants each class behind its length; iPXE and most others send the one class as it is. */
function userClasses(value: Buffer): string[] {
  const classes = [value.toString('latin1')];
  for (let at = 0; at < value.length; ) {
    const bytes = value[at] ?? 0;
    classes.push(value.toString('latin1', at + 1, at + 1 + bytes));
    at += 1 + bytes;
  }
  return classes;
}

function architecturesOf(value: Buffer | undefined): readonly number[] {
  const architectures: number[] = [];
  for (let at = 0; value && at + 2 <= value.length; at += 2) architectures.push(value.readUInt16BE(at));
  return architectures.length > 0 ? architectures : [0];
}
