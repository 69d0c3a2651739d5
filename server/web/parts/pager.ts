import { type Query, queryText } from '../api.ts';
import { type Html, html } from '../html.ts';

/**
 * Links to the first and the next page of a list. Cursors lead on only: the way back is the browser's own.
 * @param path of the page @param query its filters, without the cursor
 */
export function pager(
  path: string,
  query: Query,
  { isFirst, next }: { readonly isFirst: boolean; readonly next: string | null },
): Html | null {
  if (isFirst && next === null) return null;
  return html`<nav class="pager" aria-label="More of the list">
${!isFirst && html`<a href="${path}${queryText(query)}" rel="first">First page</a>`}
${next !== null && html`<a href="${path}${queryText({ ...query, cursor: next })}" rel="next">Next page</a>`}
</nav>`;
}
