import { clean, fit, pad, width } from './text.ts';

export interface Column {
  readonly title: string;
  readonly align?: 'left' | 'right';
  /** May be cut down to this width where the terminal is too narrow; other columns are never cut. */
  readonly least?: number;
}

const GAP = 2;

/**
 * Aligned columns under their titles, one line a row, each line ended. Cells are cleaned here. Where a terminal's
 * width is given, the columns that may be cut share what is missing, the widest first.
 */
export function table(
  columns: readonly Column[],
  rows: readonly (readonly string[])[],
  fitTo?: number,
): string {
  const cells = [columns.map(({ title }) => title), ...rows.map((row) => row.map((cell) => clean(cell)))];
  const widths = columns.map((_, at) => cells.reduce((most, row) => Math.max(most, width(row[at] ?? '')), 0));
  if (fitTo !== undefined) narrow(columns, widths, fitTo);
  const line = (row: readonly string[]): string =>
    columns
      .map(({ align }, at) => pad(fit(row[at] ?? '', widths[at] ?? 0), widths[at] ?? 0, align))
      .join(' '.repeat(GAP))
      .trimEnd();
  return cells.map((row) => `${line(row)}\n`).join('');
}

function narrow(columns: readonly Column[], widths: number[], fitTo: number): void {
  const total = (): number => widths.reduce((sum, each) => sum + each + GAP, -GAP);
  while (total() > fitTo) {
    let widest = -1;
    columns.forEach(({ least }, at) => {
      const here = widths[at] ?? 0;
      if (least !== undefined && here > least && (widest < 0 || here > (widths[widest] ?? 0))) widest = at;
    });
    if (widest < 0) return;
    widths[widest] = (widths[widest] ?? 0) - 1;
  }
}

/** `name   value` lines with the values below each other. */
export function details(rows: readonly (readonly [string, string])[]): string {
  const names = Math.max(...rows.map(([name]) => width(name)));
  return rows.map(([name, value]) => `${pad(name, names)}  ${clean(value)}\n`).join('');
}
