import type { Answer, Client, Schema } from './client.ts';

/** One page of a list: `next` is the cursor of the one after it. */
type Page = { readonly next?: string | null | undefined };

/**
 * A whole list, however many pages it has.
 * @param name of the list in each page
 * @returns as one page: `raw` is the last answer with every entry in it, as the server sent them
 */
export async function everyPage<Name extends string, Item>(
  client: Client,
  path: string,
  query: URLSearchParams,
  name: Name,
  schema: Schema<Page & { [name in Name]: Item[] }>,
): Promise<Answer<Item[]>> {
  const [raw, data]: [unknown[], Item[]] = [[], []];
  const asked = new URLSearchParams(query);
  for (;;) {
    const page = await client.get(asked.size > 0 ? `${path}?${asked}` : path, schema);
    const sent = page.raw as Record<string, unknown[]>;
    raw.push(...(sent[name] ?? []));
    data.push(...page.data[name]);
    if (!page.data.next) return { raw: { ...sent, [name]: raw }, data };
    asked.set('cursor', page.data.next);
  }
}
