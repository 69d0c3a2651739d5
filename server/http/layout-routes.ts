import { type LayoutView, listLayouts } from '../contract/layouts.ts';
import { type DiskLayout, placePartitions, smallestDisk } from '../core/disk-layout.ts';
import { slotNames } from '../core/host.ts';
import type { AdminApp } from './admin-app.ts';

/** Sizes in a layout are whole MiB, so either size of sectors tells them. */
const SECTOR_BYTES = 512;

/** Which disk layouts there are; they are read when the server starts. */
export function addLayoutRoutes(app: AdminApp, layouts: ReadonlyMap<string, DiskLayout>): void {
  const shown = [...layouts.values()].map(layoutView).sort((one, other) => (one.name < other.name ? -1 : 1));
  app.openapi(listLayouts, (c) => c.json({ layouts: shown }, 200));
}

function layoutView(layout: DiskLayout): LayoutView {
  const slots = slotNames(layout.slots);
  const leastDiskBytes = smallestDisk(layout, slots);
  const placed = placePartitions(
    layout,
    { bytes: leastDiskBytes, sectorBytes: SECTOR_BYTES },
    slots,
    () => '',
  );
  // An extended partition only holds others.
  const partitions =
    'partitions' in placed ? placed.partitions.filter(({ label }) => label !== 'extended') : [];
  return {
    name: layout.name,
    table: layout.table,
    leastDiskBytes,
    partitions: partitions.map(({ label, sectors }) => ({
      name: label.replace(/^warmboot-/, ''),
      bytes: label === 'warmboot-data' ? null : sectors * SECTOR_BYTES,
    })),
  };
}
