import type { HostView } from '../../contract/hosts.ts';
import type { InventoryView } from '../../contract/inventory.ts';
import type { LayoutView } from '../../contract/layouts.ts';
import { bytes, percent } from '../../words/quantity.ts';
import { type ImageNames, imageLink } from '../hosts/image-names.ts';
import { type Html, html } from '../html.ts';
import { nothing, table } from '../parts/table.ts';
import { diskMap, diskOf, type Piece } from './disk-map.ts';

/** The disk as a drawing, and the same as a table for who does not see it. */
export function diskDrawing(
  host: HostView & { readonly inventory?: InventoryView | null | undefined },
  layouts: readonly LayoutView[],
  names: ImageNames,
): Html {
  const layout = layouts.find(({ name }) => name === host.layout);
  if (!layout)
    return nothing(
      `The server has no disk layout ${host.layout} any more, and so nobody knows what lies where.`,
    );
  const disk = diskOf(host.inventory);
  const pieces = diskMap(host, layout, disk?.bytes ?? null);
  const about = [
    disk === null
      ? 'disk not known'
      : `${disk.name}${disk.model === null ? '' : `, ${disk.model}`}, ${bytes(disk.bytes)}`,
    `layout ${layout.name} (${layout.table})`,
    'small parts are drawn wider than they are',
  ].join(' · ');
  return html`<p class="quiet">${about}</p>
<svg class="disk" width="100%" height="84" role="img" aria-label="The disk; the table below says the same">${pieces.map((piece) => pieceShape(piece, host, names))}</svg>
${table(
  'What lies on the disk',
  [
    {
      head: 'Partition',
      names: true,
      cell: ({ name, kind }: Piece) => (kind === 'slot' ? `slot ${name}` : name),
    },
    { head: 'Size', as: 'number', cell: ({ bytes: size }) => (size === null ? 'the rest' : bytes(size)) },
    { head: 'Holds', cell: (piece) => holds(piece, host, names) },
    { head: 'State', as: 'wide', cell: stateWords },
  ],
  pieces,
  ({ name }) => name,
)}`;
}

/** Positions are shares of the width, so that letters keep their size whatever the page's. */
function pieceShape(piece: Piece, host: HostView, names: ImageNames): Html {
  const { kind, name, slot, from, width, bytes: size } = piece;
  const look = slot === null ? kind : `slot ${lookOf(piece)}`;
  const holds = slot?.digest ? (names(slot.digest, host) ?? '').replace(/:latest$/, '') : '';
  const written = slot?.written;
  return html`<svg class="piece ${look}" x="${share(from)}" width="${share(width)}" height="84" data-key="${name}"><rect class="fill" x="1" y="1" width="99.5%" height="82" rx="3"/>${written != null && html`<rect class="written" x="1" y="1" width="${share(written)}" height="82" rx="3"/>`}<text class="name" x="8" y="22">${name}</text><text x="8" y="40">${size === null ? '?' : bytes(size)}</text>${holds !== '' && html`<text x="8" y="57">${holds}</text>`}${slot !== null && html`<text x="8" y="74">${stateWords(piece)}</text>`}</svg>`;
}

function share(part: number): string {
  return `${(part * 100).toFixed(2)}%`;
}

/** Class of a slot: what counts most of it. */
function lookOf({ slot }: Piece): string {
  if (slot?.onTrial) return 'trial';
  if (slot?.runs) return 'runs';
  if (slot?.written != null) return 'writing';
  return slot?.state ?? 'empty';
}

function stateWords({ slot, kind }: Piece): string {
  if (slot === null) return STANDS[kind];
  const { state, runs, onTrial, isDefault, next, written } = slot;
  const words = [
    onTrial
      ? 'on trial'
      : runs
        ? 'active'
        : written !== null
          ? `writing, ${percent(written, 1)}%`
          : (state ?? 'not known'),
    runs && state !== null && state !== 'modified' && state,
    isDefault && 'boot default',
    next !== null && written === null && `next: ${next}`,
  ];
  return words.filter((word) => word !== false).join(', ');
}

const STANDS: Readonly<Record<Piece['kind'], string>> = {
  boot: 'GRUB, kernels',
  state: "the host's own",
  data: 'mounted at /data',
  rest: 'not partitioned',
  slot: '',
};

function holds({ slot }: Piece, host: HostView, names: ImageNames): Html | null {
  if (slot === null) return null;
  return slot.digest === null
    ? html`<span class="quiet">–</span>`
    : imageLink(slot.digest, names(slot.digest, host));
}
