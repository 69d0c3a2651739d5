/**
 * A machine that is told to boot its disk, and comes back to ask once more without a word of its system: its firmware does not get
 * there. The disk may have lost its boot loader, or the host has moved to one that the BIOS has no number for. The installer gets
 * there, by drivers of its own and kexec. So the fifth time in a row it is the installer that such a machine gets, without an
 * order: GRUB's own way back, three starts of one slot and then another, comes first.
 */

/** By host, when it was told to boot its disk since its system was heard; who was told last comes last. */
export type DisksTold = Map<string, readonly number[]>;

/** Who asks again within one start, by another network entry of its firmware or because it got no answer in time, is told the same. */
const SAME_START_MS = 120_000;
/** From one start to the next, with a firmware that takes its time. Who comes later was switched off. */
const NEXT_START_MS = 3_600_000;
const STARTS = 4;
/** More are forgotten: those begin anew. */
const MOST_HOSTS = 10_000;

/**
 * Notes that a host is about to be told to boot its disk.
 * @param told changed by this
 * @param heardAt when its system, or an installer, said something last; milliseconds since 1970, as `now`
 * @returns whether its disk is given up for this time
 */
export function givesDiskUp(
  told: DisksTold,
  { hostId, heardAt, now }: { readonly hostId: string; readonly heardAt: number; readonly now: number },
): boolean {
  const starts = (told.get(hostId) ?? []).filter((at) => at > heardAt && at <= now);
  const last = starts.at(-1) ?? Number.NEGATIVE_INFINITY;
  // The installer is no better than the disk where nothing was heard of it either: the count begins anew.
  const row =
    now - last > NEXT_START_MS || (starts.length > STARTS && now - last >= SAME_START_MS) ? [] : starts;
  const after = now - last >= SAME_START_MS ? [...row, now] : row;
  told.delete(hostId);
  told.set(hostId, after);
  const [oldest] = told.keys();
  if (told.size > MOST_HOSTS && oldest !== undefined) told.delete(oldest);
  return after.length > STARTS;
}
