import type { Api, Query, Told } from './api.ts';

/** As many as the API gives at once. */
const LIMIT = 1000;

type Paged = { readonly next?: string | null | undefined };

/**
 * All of a list, page after page.
 * @param itemsOf what is listed on a page
 * @param most then it ends, with what there is so far
 */
export async function everyPage<Page extends Paged, Item>(
  api: Api,
  path: string,
  schema: { parse(value: unknown): Page },
  query: Query,
  itemsOf: (page: Page) => readonly Item[],
  most = Number.POSITIVE_INFINITY,
): Promise<Told<readonly Item[]>> {
  const items: Item[] = [];
  let cursor: string | undefined;
  for (;;) {
    const told = await api.get(path, schema, { ...query, limit: LIMIT, cursor });
    if (!told.ok) return told;
    items.push(...itemsOf(told.value));
    const { next } = told.value;
    if (next == null || items.length >= most) return { ...told, value: items };
    cursor = next;
  }
}
