import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Context } from 'hono';

/** So many are turned into JSON before others get their turn: some milliseconds' worth. */
const TOGETHER = 50;

/** Sends a page of a list as `{"NAME": […], "next": …}`. */
export async function sendPage<Item>(
  c: Context,
  name: string,
  items: readonly Item[],
  next: string | null,
  view: (item: Item) => unknown,
): Promise<never> {
  const texts: string[] = [];
  for (let at = 0; at < items.length; at += TOGETHER) {
    if (at > 0) await nextTurn();
    for (const item of items.slice(at, at + TOGETHER)) texts.push(JSON.stringify(view(item)));
  }
  const body = `{${JSON.stringify(name)}:[${texts.join()}],"next":${JSON.stringify(next)}}`;
  // The contract's types are those of c.json(), which takes no text.
  return c.body(body, 200, { 'content-type': 'application/json' }) as never;
}
