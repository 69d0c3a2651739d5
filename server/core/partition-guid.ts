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
