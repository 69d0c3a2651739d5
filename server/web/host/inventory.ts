import type { InventoryView } from '../../contract/inventory.ts';
import { bytes } from '../../words/quantity.ts';
import { type Html, html } from '../html.ts';
import { count } from '../parts/amounts.ts';
import { facts } from '../parts/facts.ts';
import { table } from '../parts/table.ts';
import { ago } from '../parts/time.ts';

type Disk = InventoryView['disks'][number];
type Nic = InventoryView['nics'][number];

/** What a machine says of itself: nothing of it is proven. */
export function inventoryFacts(seen: InventoryView, now: number): Html {
  const { system, board, cpu, firmware, bmc } = seen;
  return html`${facts([
    ['Said', html`${ago(seen.at, now)}, from ${seen.address}`],
    ['System', maker(system)],
    ['Board', maker(board)],
    ['UUID', system.uuid],
    ['Processors', `${cpu.count} × ${cpu.model ?? 'unknown'}, ${seen.architecture}`],
    ['Memory', bytes(seen.memoryBytes)],
    ['Firmware', firmwareWords(firmware)],
    ['BMC', bmc.source === 'unknown' ? 'unknown' : `${bmc.address ?? 'address unknown'} (${bmc.source})`],
    [
      'Watchdog',
      seen.watchdog === null ? 'unknown' : seen.watchdog ? 'yes' : 'none: a hang in a trial needs somebody',
    ],
  ])}
${seen.disks.length > 0 && html`<h3>${count(seen.disks.length, 'disk')}</h3>${diskTable(seen.disks)}`}
${seen.nics.length > 0 && html`<h3>${count(seen.nics.length, 'network card')}</h3>${nicTable(seen.nics)}`}`;
}

/** `Dell PowerEdge R640, serial ABC123`. */
export function maker({ vendor, product, serial }: InventoryView['board']): string {
  const name = [vendor, product].filter((text) => text !== null).join(' ');
  return `${name || 'unknown'}, ${serial === null ? 'no serial' : `serial ${serial}`}`;
}

function firmwareWords({ kind, bits, secureBoot }: InventoryView['firmware']): string {
  if (kind === 'bios') return 'BIOS';
  const lock = secureBoot === null ? 'unknown' : secureBoot ? 'on' : 'off';
  return `UEFI${bits === null ? '' : `, ${bits} bits`}, Secure Boot ${lock}`;
}

function diskTable(disks: readonly Disk[]): Html {
  return table(
    'Disks',
    [
      { head: 'Disk', names: true, cell: ({ name }: Disk) => name },
      { head: 'Size', as: 'number', cell: (disk) => bytes(disk.bytes) },
      { head: 'Sector', as: 'number', cell: ({ sectorBytes }) => sectorBytes },
      {
        head: 'Kind',
        cell: ({ transport, rotational }) =>
          [transport, rotational === null ? null : rotational ? 'rotates' : 'flash']
            .filter(Boolean)
            .join(', '),
      },
      { head: 'Holds', cell: ({ content }) => content ?? 'unknown' },
      { head: 'Model', cell: ({ model }) => model },
      { head: 'Serial', cell: ({ serial }) => serial },
      { head: 'WWN', cell: ({ wwn }) => wwn },
    ],
    disks,
    ({ name }) => name,
  );
}

function nicTable(nics: readonly Nic[]): Html {
  return table(
    'Network cards',
    [
      { head: 'Port', names: true, cell: ({ name }: Nic) => name },
      { head: 'MAC', cell: ({ mac }) => mac },
      { head: 'Driver', cell: ({ driver }) => driver },
      { head: 'Bus', cell: ({ bus }) => bus },
      {
        head: 'Link',
        cell: ({ link, speedMbps }) =>
          link === null
            ? 'unknown'
            : link
              ? `up${speedMbps === null ? '' : `, ${speedMbps} Mbit/s`}`
              : 'down',
      },
    ],
    nics,
    ({ name, mac }) => `${name} ${mac}`,
  );
}
