/** Networks in CIDR form, IPv4 and IPv6 (RFC 4632, RFC 4291 2.3), as sockets and operators write them. */

/** An address as one number of so many bits. */
type Address = { readonly value: bigint; readonly bits: 32 | 128 };

/** @returns null for what is no address. An IPv4 address inside an IPv6 one (`::ffff:10.0.0.1`) is the IPv4 address. */
function parseAddress(text: string): Address | null {
  const plain = text.replace(/%.*$/, '').toLowerCase();
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/.exec(plain);
  const four = parseFour(mapped?.[1] ?? plain);
  if (four !== null) return { value: four, bits: 32 };
  const six = parseSix(plain);
  return six === null ? null : { value: six, bits: 128 };
}

function parseFour(text: string): bigint | null {
  if (!/^\d{1,3}(\.\d{1,3}){3}$/.test(text)) return null;
  const parts = text.split('.').map(Number);
  return parts.some((part) => part > 255)
    ? null
    : parts.reduce((sum, part) => (sum << 8n) | BigInt(part), 0n);
}

function parseSix(text: string): bigint | null {
  if (!/^[0-9a-f:]{2,39}$/.test(text)) return null;
  const halves = text.split('::');
  if (halves.length > 2) return null;
  const [front = [], back = []] = halves.map((half) => (half === '' ? [] : half.split(':')));
  const missing = 8 - front.length - back.length;
  if (halves.length === 2 ? missing < 1 : missing !== 0) return null;
  const groups = [...front, ...Array<string>(missing).fill('0'), ...back];
  if (groups.some((group) => !/^[0-9a-f]{1,4}$/.test(group))) return null;
  return groups.reduce((sum, group) => (sum << 16n) | BigInt(`0x${group}`), 0n);
}

function parseSubnet(text: string): { readonly address: Address; readonly prefix: number } | null {
  const [, host = '', length] = /^([^/]+)(?:\/(\d{1,3}))?$/.exec(text) ?? [];
  const address = parseAddress(host);
  if (address === null) return null;
  const prefix = length === undefined ? address.bits : Number(length);
  return prefix > address.bits ? null : { address, prefix };
}

/** Whether a text is `ADDRESS/PREFIX`, or one address alone. */
export function isSubnet(text: string): boolean {
  return parseSubnet(text) !== null;
}

/** @returns false also when either text cannot be read: a rule must not fit by mistake */
export function isInSubnet(address: string, subnet: string): boolean {
  const one = parseAddress(address);
  const net = parseSubnet(subnet);
  if (one === null || net === null || one.bits !== net.address.bits) return false;
  const shift = BigInt(one.bits - net.prefix);
  return one.value >> shift === net.address.value >> shift;
}
