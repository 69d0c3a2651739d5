import { placePartitions } from '../../server/core/disk-layout.ts';
import { cuts } from './cuts.ts';
import { DiskState } from './disk-state.ts';
import { readFat } from './fat.ts';
import { firmwareFiles, judge, type Known, startOf } from './judge.ts';
import { IMAGE_NAMES, powerCutImage } from './payload.ts';
import { type BootEffort, RealBoots } from './real-boots.ts';
import { DISK_BYTES, TINY } from './record.ts';
import { readState, type StateFiles } from './state-partition.ts';
import { type Entry, readWriteLog, SECTOR, type Write } from './write-log.ts';

/** Cuts the power at every write of a recorded run, and judges what is left. */

export type Judged = {
  readonly cuts: number;
  /** What was found wrong, and how often; with the first cut that showed it. */
  readonly wrong: ReadonlyMap<string, { readonly first: string; count: number }>;
  readonly marks: readonly string[];
  /** How many cuts leave a machine that starts this: a slot, a slot on trial, or nothing. */
  readonly starts: Readonly<Record<string, number>>;
  readonly states: number;
  readonly boots: { readonly states: number; readonly kinds: number; readonly powerOns: number };
};

export type Effort = {
  /** Random cuts between two flushes. */
  readonly samples: number;
  /** Of the cuts that change the order of writes, only each so-many-th. */
  readonly outOfOrderEvery?: number;
  /** Of the cuts that touch the state partition, whose check takes long, only each so-many-th. */
  readonly stateEvery: number;
  /** What of it is really booted; nothing when left out. */
  readonly boots?: BootEffort;
};

const MARK = 'warmboot mark: ';
const MARK_SECTOR = DISK_BYTES / SECTOR - 1024;

/** @param folder an empty one @param payload what the kernels of the run were made of */
export async function judgeRecord(
  log: Buffer,
  folder: string,
  payload: string,
  { samples, outOfOrderEvery = 1, stateEvery, boots }: Effort,
): Promise<Judged> {
  const entries = readWriteLog(log);
  const marks = marksOf(entries);
  const known = await whatIsKnown(entries, folder, payload);
  const real = boots && new RealBoots(folder, known, boots);
  const stateAt = startOf(known, 'warmboot-state');
  const readStateOf = (disk: DiskState) => readState(folder, disk.read(stateAt, TINY.stateBytes));
  const inState = (index: number) => {
    const { sector = 0 } = entries[index] as Write;
    return sector * SECTOR >= stateAt && sector * SECTOR < stateAt + TINY.stateBytes;
  };

  let [installed, isDefault] = [false, 'a'];
  let since = -1;
  let flushedUntil = 0;
  let settled: StateFiles | undefined;
  const wrong = new Map<string, { first: string; count: number }>();
  const starts: Record<string, number> = {};
  let [count, states, outOfOrder] = [0, 0, 0];

  const flushed = (disk: DiskState, index: number): void => {
    const { boots } = judge(disk, known, { installed: false, mayBoot: new Set('ab') });
    installed ||= boots !== null;
    const moved = boots !== null && boots !== isDefault && healthy(index).has(boots);
    if (moved) [isDefault, since] = [boots, index];
    real?.flush(entries.slice(flushedUntil, index));
    flushedUntil = index;
  };
  // What proved itself since the default last moved, and where a person ordered it back to.
  const healthy = (until: number) =>
    new Set(
      [...marks].flatMap(([at, text]) => {
        const slot = /^(?:healthy|back to) ([a-h])$/.exec(text)?.[1];
        return at > since && at <= until && slot ? [slot] : [];
      }),
    );
  const find = (what: string, where: string): void => {
    const found = wrong.get(what);
    if (found) found.count += 1;
    else wrong.set(what, { first: where, count: 1 });
  };

  for (const cut of cuts(entries, DISK_BYTES, samples, flushed)) {
    if (!cut.inOrder) outOfOrder += 1;
    if (!cut.inOrder && outOfOrder % outOfOrderEvery !== 1 % outOfOrderEvery) continue;
    count += 1;
    const before = { installed, mayBoot: healthy(cut.last).add(isDefault) };
    const verdict = judge(cut.disk, known, before);
    for (const each of verdict.wrong) find(each, cut.name);
    const start = verdict.trial === null ? `${verdict.boots}` : `${verdict.trial} on trial`;
    starts[start] = (starts[start] ?? 0) + 1;
    if (installed || verdict.boots !== null) await real?.see(cut.disk, cut.name);
    // What was flushed was looked at when it was all there.
    if (!installed || !cut.kept.some(inState)) continue;
    states += 1;
    if (states % stateEvery !== 1 % stateEvery) continue;
    const state = await readStateOf(cut.disk);
    if (typeof state === 'string') find(state, cut.name);
    else if (settled === undefined) settled = state;
    else if (state.kept !== settled.kept) find(`the state partition has lost ${state.kept}`, cut.name);
  }
  await real?.end();
  for (const { what, where } of real?.wrong ?? []) find(what, where);
  const booted = { states: real?.states ?? 0, kinds: real?.kinds ?? 0, powerOns: real?.boots ?? 0 };
  return { cuts: count, wrong, marks: [...marks.values()], starts, states, boots: booted };
}

function marksOf(entries: readonly Entry[]): Map<number, string> {
  const marks = new Map<number, string>();
  for (const [index, entry] of entries.entries()) {
    if (entry === 'flush' || entry.sector !== MARK_SECTOR) continue;
    const text = entry.data.toString('latin1').trim();
    if (text.startsWith(MARK)) marks.set(index, text.slice(MARK.length));
  }
  return marks;
}

/** The run's end is the measure for what was written once; the images are made here again. */
async function whatIsKnown(entries: readonly Entry[], folder: string, payload: string): Promise<Known> {
  const end = new DiskState(Buffer.alloc(DISK_BYTES));
  for (const entry of entries) if (entry !== 'flush') end.put(entry);
  const images = [];
  for (const name of IMAGE_NAMES) images.push(await powerCutImage(folder, name, payload));
  const disk = { bytes: DISK_BYTES, sectorBytes: SECTOR } as const;
  const placed = placePartitions({ name: 'tiny', ...TINY }, disk, ['a', 'b'], (_label, number) =>
    guidOf(end, number),
  );
  if (!('partitions' in placed)) throw new Error('the layout has no room on the disk');
  const { partitions } = placed;
  const boot = readFat(end, startOf({ partitions }, 'warmboot-boot'));
  if (boot === null) throw new Error('the run left no boot partition');
  return { images, partitions, firmware: firmwareFiles(end, boot) };
}

/** A partition's own GUID in the GPT, as the kernel writes it. */
function guidOf(disk: DiskState, number: number): string {
  const entry = disk.read(2 * SECTOR + (number - 1) * 128, 128);
  const parts = [
    entry.readUInt32LE(16).toString(16).padStart(8, '0'),
    entry.readUInt16LE(20).toString(16).padStart(4, '0'),
    entry.readUInt16LE(22).toString(16).padStart(4, '0'),
    entry.toString('hex', 24, 26),
    entry.toString('hex', 26, 32),
  ];
  return parts.join('-');
}
