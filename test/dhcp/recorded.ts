import { readFileSync } from 'node:fs';
import { type DhcpPacket, decode } from '../../server/dhcp/packet.ts';

export const RECORDED = [
  'ipxe-efi-discover',
  'ipxe-rom-boot-server',
  'ipxe-rom-discover',
  'ovmf-http-discover',
  'ovmf-pxe-boot-server',
  'ovmf-pxe-discover',
] as const;

/** What real firmware sent, recorded from the wire: `test/fixtures/dhcp/NAME.hex`. */
export function recorded(name: (typeof RECORDED)[number]): Buffer {
  const text = readFileSync(new URL(`../fixtures/dhcp/${name}.hex`, import.meta.url), 'utf8');
  return Buffer.from(text.replace(/^#.*\n/, '').replace(/\s/g, ''), 'hex');
}

/** @throws when it is none */
export function decoded(datagram: Buffer): DhcpPacket {
  const packet = decode(datagram);
  if ('refused' in packet) throw new Error(packet.refused);
  return packet;
}

export function recordedPacket(name: (typeof RECORDED)[number]): DhcpPacket {
  return decoded(recorded(name));
}

/** The same with other options. */
export function withOptions(packet: DhcpPacket, options: Record<number, Buffer | null>): DhcpPacket {
  const all = new Map(packet.options);
  for (const [code, value] of Object.entries(options)) {
    if (value === null) all.delete(Number(code));
    else all.set(Number(code), value);
  }
  return { ...packet, options: all };
}
