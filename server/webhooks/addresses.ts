import { BlockList, isIP, isIPv6 } from 'node:net';

/**
 * Addresses that no receiver has and that a machine trusts more than it should: link-local ones, among them the metadata
 * services of clouds (169.254.169.254), their unique-local ones, and what names no single host.
 */
const REFUSED = new BlockList();
REFUSED.addSubnet('0.0.0.0', 8, 'ipv4');
REFUSED.addSubnet('169.254.0.0', 16, 'ipv4');
REFUSED.addAddress('100.100.100.200', 'ipv4');
REFUSED.addSubnet('224.0.0.0', 4, 'ipv4');
REFUSED.addSubnet('240.0.0.0', 4, 'ipv4');
REFUSED.addAddress('::', 'ipv6');
REFUSED.addSubnet('fe80::', 10, 'ipv6');
REFUSED.addAddress('fd00:ec2::254', 'ipv6');
REFUSED.addSubnet('ff00::', 8, 'ipv6');

/** IPv4 within IPv6: as mapped (RFC 4291, 2.5.5.2) and as translated (RFC 6052). */
const WITHIN = new BlockList();
WITHIN.addSubnet('::ffff:0:0', 96, 'ipv6');
WITHIN.addSubnet('64:ff9b::', 96, 'ipv6');

/** @param address an IP address, IPv6 without brackets */
export function isRefused(address: string): boolean {
  if (isIP(address) === 0) return true;
  if (!isIPv6(address)) return REFUSED.check(address, 'ipv4');
  const plain = address.split('%')[0] ?? '';
  if (WITHIN.check(plain, 'ipv6')) return REFUSED.check(lastFourBytes(plain), 'ipv4');
  return REFUSED.check(plain, 'ipv6');
}

function lastFourBytes(address: string): string {
  // The URL parser writes every IPv6 address in one way: the last two groups in hexadecimal.
  const canonical = new URL(`http://[${address}]/`).hostname.slice(1, -1);
  const groups = canonical
    .split(':')
    .slice(-2)
    .map((group) => Number.parseInt(group || '0', 16));
  return groups.flatMap((group) => [group >> 8, group & 255]).join('.');
}
