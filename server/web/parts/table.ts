import { type Html, html, type Part } from '../html.ts';

export type Column<Row> = {
  readonly head: Part;
  readonly cell: (row: Row) => Part;
  /** `number`: at the right; `wide`: may break into lines; `code`: in a fixed width. */
  readonly as?: 'number' | 'wide' | 'code';
  /** What the row is called: a `th` of its row. One column at most. */
  readonly names?: boolean;
};

/**
 * A table that becomes a list of cards on a phone, each value with its column's name. Rows keep their place when the page asks for
 * itself again, by `key`.
 * @param caption read out, and shown when `shown`
 */
export function table<Row>(
  caption: string,
  columns: readonly Column<Row>[],
  rows: readonly Row[],
  key: (row: Row) => string,
): Html {
  return html`<div class="scroll" tabindex="0" role="region" aria-label="${caption}"><table>
<caption class="unseen">${caption}</caption>
<thead><tr>${columns.map(({ head, as }) => html`<th scope="col"${as && html` class="${as}"`}>${head}</th>`)}</tr></thead>
<tbody>
${rows.map(
  (row) => html`<tr data-key="${key(row)}">${columns.map((column) => cell(column, row))}</tr>
`,
)}</tbody></table></div>`;
}

function cell<Row>({ head, cell: content, as, names }: Column<Row>, row: Row): Html {
  const label = typeof head === 'string' && head !== '' && html` data-label="${head}"`;
  const kind = as && html` class="${as}"`;
  return names
    ? html`<th scope="row"${kind}${label}>${content(row)}</th>`
    : html`<td${kind}${label}>${content(row)}</td>`;
}

/** Where a table would be and nothing is. @param text what would be here, and how it comes here */
export function nothing(text: Part): Html {
  return html`<p class="nothing">${text}</p>`;
}
