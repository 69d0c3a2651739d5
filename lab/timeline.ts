/** One line of the timeline. Every one is made from something that was seen; `seenBy` says what saw it. */
export interface Entry {
  readonly guest: string;
  readonly phase: string;
  /** When it was seen, milliseconds since 1970. */
  readonly at: number;
  /** How long this phase took, when its beginning was seen too. */
  readonly tookMs?: number;
  readonly bytes?: number;
  readonly seenBy: string;
}

export function formatBytes(bytes: number): string {
  if (bytes < 1000) return `${bytes} B`;
  const units = ['kB', 'MB', 'GB', 'TB'];
  let value = bytes / 1000;
  let unit = 0;
  while (value >= 999.95 && unit < units.length - 1) {
    value /= 1000;
    unit += 1;
  }
  return `${value.toFixed(1)} ${units[unit]}`;
}

export function formatSeconds(ms: number): string {
  return (ms / 1000).toFixed(1);
}

/** The table: seconds since the beginning, seconds the phase took, bytes, who saw it. */
export function formatTimeline(entries: readonly Entry[], beganAt: number): string {
  const several = new Set(entries.map((entry) => entry.guest).filter((guest) => guest !== '')).size > 1;
  const head = ['at (s)', 'took (s)', 'bytes', ...(several ? ['guest'] : []), 'phase', 'seen by'];
  const rows = [...entries]
    .sort((one, other) => one.at - other.at)
    .map((entry) => [
      formatSeconds(entry.at - beganAt),
      entry.tookMs === undefined ? '' : formatSeconds(entry.tookMs),
      entry.bytes === undefined ? '' : formatBytes(entry.bytes),
      ...(several ? [entry.guest] : []),
      entry.phase,
      entry.seenBy,
    ]);
  const widths = head.map((title, column) =>
    Math.max(...[head, ...rows].map((row) => row[column]?.length ?? 0), title.length),
  );
  const isNumber = (column: number) => column < 3;
  const line = (row: readonly string[]) =>
    row
      .map((cell, column) =>
        isNumber(column) ? cell.padStart(widths[column] ?? 0) : cell.padEnd(widths[column] ?? 0),
      )
      .join('  ')
      .trimEnd();
  return [line(head), line(widths.map((width) => '-'.repeat(width))), ...rows.map(line)].join('\n');
}
