import type { HostView } from '../../contract/hosts.ts';
import type { InventoryView } from '../../contract/inventory.ts';
import type { LayoutView } from '../../contract/layouts.ts';

/** A piece of a disk, as it is drawn. */
export type Piece = {
  readonly kind: 'boot' | 'state' | 'slot' | 'data' | 'rest';
  /** `boot`, `state`, `data`, `unused`, or the letter of the slot. */
  readonly name: string;
  /** Null: nobody has said how large the disk is. */
  readonly bytes: number | null;
  /** Of slots. */
  readonly slot: SlotPiece | null;
  /** Share of the drawing's width, 0 to 1. */
  readonly from: number;
  readonly width: number;
};

export type SlotPiece = {
  readonly digest: string | null;
  /** What its host said of it; null: nothing. */
  readonly state: string | null;
  readonly runs: boolean;
  readonly onTrial: boolean;
  readonly isDefault: boolean;
  /** What is to be done with it. */
  readonly next: string | null;
  /** Share that is written, 0 to 1; null: nothing is being written. */
  readonly written: number | null;
};

/** Narrower could not be seen, nor read: a slot says more than the others, and eight of them leave them room. */
const LEAST_WIDTH = 0.085;
const LEAST_SLOT_WIDTH = 0.19;
const MOST_FOR_SLOTS = 0.6;
/** What nobody knows the size of. */
const UNKNOWN_WIDTH = 0.12;
/** The first MiB holds the partition table, the last one its backup. */
const TABLES_BYTES = 2 * 2 ** 20;

/**
 * The host's disk from its first byte to its last: sizes from its layout, what is in the slots from its reports. The one MiB of the
 * BIOS boot partition is left out: it could not be seen.
 * @param diskBytes null: not known
 */
export function diskMap(host: HostView, layout: LayoutView, diskBytes: number | null): readonly Piece[] {
  const fixed = layout.partitions.reduce((sum, { bytes }) => sum + (bytes ?? 0), TABLES_BYTES);
  const rest = diskBytes === null ? null : Math.max(0, diskBytes - fixed);
  const hasData = layout.partitions.some(({ name }) => name === 'data');
  const parts = layout.partitions
    .filter(({ name }) => name !== 'bios')
    .map(({ name, bytes }) => ({ name, bytes: bytes ?? rest }));
  if (!hasData && rest !== 0) parts.push({ name: 'unused', bytes: rest });
  const kinds = parts.map(({ name }) => kindOf(host, name));
  const slots = kinds.filter(({ kind }) => kind === 'slot').length;
  const leastOfSlots = Math.min(LEAST_SLOT_WIDTH, MOST_FOR_SLOTS / slots);
  const widths = widthsOf(
    parts.map(({ bytes }, place) => ({
      bytes,
      least: kinds[place]?.kind === 'slot' ? leastOfSlots : LEAST_WIDTH,
    })),
  );
  let from = 0;
  return parts.map(({ name, bytes }, place) => {
    const width = widths[place] ?? 0;
    const piece = { ...kindOf(host, name), name, bytes, from, width };
    from += width;
    return piece;
  });
}

function kindOf(host: HostView, name: string): Pick<Piece, 'kind' | 'slot'> {
  if (name === 'boot' || name === 'state' || name === 'data') return { kind: name, slot: null };
  return name === 'unused' ? { kind: 'rest', slot: null } : { kind: 'slot', slot: slotOf(host, name) };
}

function slotOf({ observation: seen, next, attempt }: HostView, name: string): SlotPiece {
  const said = seen?.slots[name];
  const runs = seen?.environment === 'os' && seen.slot === name;
  const isNext = next.slot === name && ['install', 'stage', 'switch'].includes(next.action);
  const work = attempt?.outcome === null && isNext && next.action !== 'switch' ? attempt.progress : null;
  return {
    digest: said?.digest ?? null,
    state: said?.state ?? null,
    runs,
    onTrial: runs && seen.trial,
    isDefault: seen?.default === name,
    next: isNext ? next.action : null,
    written: work && work.bytesTotal > 0 ? Math.min(1, work.bytesDone / work.bytesTotal) : null,
  };
}

type Wanted = { readonly bytes: number | null; readonly least: number };

/** To scale, but for those that could not be seen: they are as wide as can be read, and the others share what is left. */
function widthsOf(wanted: readonly Wanted[]): readonly number[] {
  const sum = (some: readonly number[]) => some.reduce((total, each) => total + each, 0);
  const room = 1 - UNKNOWN_WIDTH * wanted.filter(({ bytes }) => bytes === null).length;
  const known = wanted.filter((each): each is Wanted & { bytes: number } => each.bytes !== null);
  let small: readonly Wanted[] = [];
  let scale = 0;
  for (;;) {
    const rest = known.filter((each) => !small.includes(each));
    const free = room - sum(small.map(({ least }) => least));
    scale = free / Math.max(1, sum(rest.map(({ bytes }) => bytes)));
    const narrow = rest.filter(({ bytes, least }) => bytes * scale < least);
    // With nobody left who could give, all are as wide as they have to be.
    if (narrow.length === 0 || narrow.length === rest.length) break;
    small = [...small, ...narrow];
  }
  const widths = wanted.map((each) =>
    each.bytes === null ? UNKNOWN_WIDTH : small.includes(each) ? each.least : Math.max(each.bytes * scale, 0),
  );
  const total = sum(widths);
  return widths.map((width) => width / total);
}

/** The disk that a host was installed on, where its inventory leaves no doubt. */
export function diskOf(inventory: InventoryView | null | undefined): InventoryView['disks'][number] | null {
  const disks = inventory?.disks ?? [];
  const ours = disks.filter(({ content }) => content === 'warmboot');
  if (ours.length > 0) return ours.length === 1 ? (ours[0] ?? null) : null;
  const fixed = disks.filter(({ transport }) => transport !== 'usb');
  return fixed.length === 1 ? (fixed[0] ?? null) : null;
}
