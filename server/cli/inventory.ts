import type { InventoryView } from '../contract/inventory.ts';
import { bytes } from '../words/quantity.ts';
import { relative } from './quantity.ts';
import { details, table } from './table.ts';
import { indent } from './text.ts';

/** What a machine says of itself; `-` and `unknown` are what nobody knows. */
export function inventoryPage(seen: InventoryView, now: number, fitTo?: number): string {
  const { system, board, cpu, firmware, bmc } = seen;
  const width = fitTo === undefined ? undefined : fitTo - 2;
  const parts = [
    `Inventory\n${indent(
      details([
        ['said', `${relative(seen.at, now)}, from ${seen.address}`],
        ['system', maker(system)],
        ['board', maker(board)],
        ['uuid', system.uuid ?? '-'],
        ['cpu', `${cpu.count} × ${cpu.model ?? 'unknown'}, ${seen.architecture}`],
        ['memory', bytes(seen.memoryBytes)],
        ['firmware', firmwareText(firmware)],
        ['bmc', bmc.source === 'unknown' ? 'unknown' : `${bmc.address ?? 'address unknown'} (${bmc.source})`],
        ['watchdog', seen.watchdog === null ? 'unknown' : seen.watchdog ? 'yes' : 'none'],
      ]),
    )}`,
  ];
  if (seen.disks.length > 0) parts.push(`Disks\n${indent(diskTable(seen.disks, width))}`);
  if (seen.nics.length > 0) parts.push(`Network\n${indent(nicTable(seen.nics, width))}`);
  return parts.join('\n');
}

function maker({ vendor, product, serial }: InventoryView['board']): string {
  const name = [vendor, product].filter((text) => text !== null).join(' ');
  return `${name || 'unknown'}, ${serial === null ? 'no serial' : `serial ${serial}`}`;
}

function firmwareText({ kind, bits, secureBoot }: InventoryView['firmware']): string {
  if (kind === 'bios') return 'BIOS';
  const lock = secureBoot === null ? 'unknown' : secureBoot ? 'on' : 'off';
  return `UEFI${bits === null ? '' : `, ${bits} bits`}, Secure Boot ${lock}`;
}

function diskTable(disks: InventoryView['disks'], fitTo?: number): string {
  return table(
    [
      { title: 'DISK' },
      { title: 'SIZE', align: 'right' },
      { title: 'SECTOR', align: 'right' },
      { title: 'KIND' },
      { title: 'HOLDS' },
      { title: 'MODEL', least: 8 },
      { title: 'SERIAL', least: 8, isDear: true },
      { title: 'WWN', least: 8 },
    ],
    disks.map((disk) => [
      disk.name,
      bytes(disk.bytes),
      String(disk.sectorBytes),
      [disk.transport, disk.rotational === null ? null : disk.rotational ? 'rotates' : 'flash']
        .filter((word) => word !== null)
        .join(', ') || '-',
      disk.content ?? '-',
      disk.model ?? '-',
      disk.serial ?? '-',
      disk.wwn ?? '-',
    ]),
    fitTo,
  );
}

function nicTable(nics: InventoryView['nics'], fitTo?: number): string {
  return table(
    [{ title: 'PORT' }, { title: 'MAC' }, { title: 'DRIVER', least: 8 }, { title: 'BUS' }, { title: 'LINK' }],
    nics.map((nic) => [
      nic.name,
      nic.mac ?? '-',
      nic.driver ?? '-',
      nic.bus ?? '-',
      nic.link === null
        ? 'unknown'
        : nic.link
          ? `up${nic.speedMbps === null ? '' : `, ${nic.speedMbps} Mbit/s`}`
          : 'down',
    ]),
    fitTo,
  );
}
