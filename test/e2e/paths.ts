import type { DhcpAnswers } from '../../lab/dhcp.ts';
import type { Machine } from '../../lab/machine.ts';
import { runsAll } from '../all.ts';

/** Ways from power-on to the installer's kernel, by network. */

export interface Network {
  readonly name: string;
  readonly dhcp: DhcpAnswers;
  readonly serve: readonly string[];
  readonly paths: readonly Path[];
}

export interface Path {
  readonly name: string;
  readonly parts: Partial<Machine>;
  /** Boot programs that come by TFTP, and how often at most. */
  readonly nbp: { readonly file: string; readonly times: number } | null;
}

type Kind = Pick<Machine, 'firmware' | 'start' | 'nic'>;

const SHORT: Readonly<Record<Machine['start'], string>> = {
  pxe: 'PXE',
  http: 'HTTP boot',
  disc: 'iPXE on a disc',
  stick: 'iPXE on a USB stick',
};

/** @param nbp null where firmware or medium bring an iPXE, or HTTP does */
function path(kind: Kind, nbp: Path['nbp'] = null): Path {
  const name = `${kind.firmware === 'uefi' ? 'UEFI' : 'BIOS'} ${SHORT[kind.start]}, ${kind.nic}`;
  return { name, parts: kind, nbp };
}

const bios = (nic: Machine['nic']) => path({ firmware: 'bios', start: 'pxe', nic });
const uefi = (nic: Machine['nic']) =>
  path({ firmware: 'uefi', start: 'pxe', nic }, { file: 'ipxe.efi', times: 1 });
const http = (nic: Machine['nic']) => path({ firmware: 'uefi', start: 'http', nic });
const medium = (firmware: Machine['firmware'], start: 'disc' | 'stick', nic: Machine['nic']) =>
  path({ firmware, start, nic });
/** The card's own iPXE takes the boot file first; then the iPXE that it holds gets our script instead of itself. */
const biosOneFile = (nic: Machine['nic']) =>
  path({ firmware: 'bios', start: 'pxe', nic }, { file: 'undionly.kpxe', times: 2 });

/** On every run: each way, each network and each card once. The rest of the table with --all. */
function some(short: readonly Path[], rest: readonly Path[]): readonly Path[] {
  return runsAll() ? [...short, ...rest] : short;
}

export const NETWORKS: readonly Network[] = [
  {
    name: 'a DHCP server set up as documented',
    dhcp: 'documented',
    serve: [],
    paths: some(
      [bios('virtio'), uefi('e1000'), http('virtio'), medium('bios', 'disc', 'e1000e')],
      [
        bios('e1000'),
        bios('e1000e'),
        bios('rtl8139'),
        uefi('virtio'),
        uefi('e1000e'),
        uefi('rtl8139'),
        http('e1000'),
        http('e1000e'),
        http('rtl8139'),
        medium('bios', 'stick', 'virtio'),
        medium('uefi', 'disc', 'virtio'),
        medium('uefi', 'disc', 'e1000'),
        medium('uefi', 'stick', 'rtl8139'),
      ],
    ),
  },
  {
    name: 'a DHCP server that gives addresses only, and our proxyDHCP',
    dhcp: 'addresses',
    serve: ['--proxy-dhcp'],
    paths: some(
      [bios('rtl8139'), uefi('virtio'), http('virtio')],
      [
        bios('virtio'),
        bios('e1000'),
        bios('e1000e'),
        uefi('e1000'),
        uefi('e1000e'),
        uefi('rtl8139'),
        http('e1000'),
        medium('bios', 'disc', 'virtio'),
        medium('uefi', 'stick', 'virtio'),
      ],
    ),
  },
  {
    name: 'a DHCP server with one boot file for all, for BIOS',
    dhcp: { bootFile: 'undionly.kpxe' },
    serve: [],
    paths: some(
      [biosOneFile('e1000')],
      [biosOneFile('virtio'), biosOneFile('e1000e'), biosOneFile('rtl8139')],
    ),
  },
  {
    name: 'a DHCP server with one boot file for all, for UEFI',
    dhcp: { bootFile: 'ipxe.efi' },
    serve: [],
    paths: some([uefi('e1000e')], [uefi('virtio'), uefi('e1000'), uefi('rtl8139')]),
  },
];
