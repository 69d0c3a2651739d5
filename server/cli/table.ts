import { clean, cut, pad, width } from './text.ts';

export interface Column {
  readonly title: string;
  readonly align?: 'left' | 'right';
  /** May be cut down to this width where the terminal is too narrow; other columns are never cut. */
  readonly least?: number;
  /** Is cut only when all the others are at their least. */
  readonly isDear?: boolean;
}

const GAP = 2;

/**
 * Aligned columns under their titles, one line a row, each line ended. Cells are cleaned here. Where a terminal's
 * width is given, the columns that may be cut share what is missing, the widest first, the dear ones last.
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
      .map(({ align }, at) => pad(cut(row[at] ?? '', widths[at] ?? 0), widths[at] ?? 0, align))
      .join(' '.repeat(GAP))
      .trimEnd();
  return cells.map((row) => `${line(row)}\n`).join('');
}

function narrow(columns: readonly Column[], widths: number[], fitTo: number): void {
  const total = (): number => widths.reduce((sum, each) => sum + each + GAP, -GAP);
  const widest = (isDear: boolean): number =>
    columns.reduce((found, column, at) => {
      const here = widths[at] ?? 0;
      const mayBeCut = (column.isDear ?? false) === isDear && here > (column.least ?? here);
      return mayBeCut && here > (widths[found] ?? 0) ? at : found;
    }, -1);
  while (total() > fitTo) {
    const cheap = widest(false);
    const at = cheap >= 0 ? cheap : widest(true);
    if (at < 0) return;
    widths[at] = (widths[at] ?? 0) - 1;
  }
}

/** `name   value` lines with the values below each other. */
export function details(rows: readonly (readonly [string, string])[]): string {
  const cells = rows.map(([name, value]) => [clean(name), clean(value)] as const);
  const names = Math.max(...cells.map(([name]) => width(name)));
  return cells.map(([name, value]) => `${pad(name, names)}  ${value}\n`).join('');
}
