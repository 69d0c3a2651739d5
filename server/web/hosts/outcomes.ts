import { type Html, html } from '../html.ts';
import { count } from '../parts/amounts.ts';
import { badge, type Tone } from '../parts/badge.ts';
import { table } from '../parts/table.ts';
import type { Site } from '../site.ts';
import type { Sent } from '../visit.ts';
import { hostPath } from './words.ts';

/** What came of a change of many hosts, host by host. */
export type Outcome = {
  readonly mac: string;
  readonly tone: Tone;
  readonly word: string;
  readonly text: string;
};

type Kept = {
  readonly title: string;
  readonly owner: string;
  readonly outcomes: Promise<readonly Outcome[]>;
};

/** So many results are kept, the newest, and none over a restart: the event log has all of it. */
const MOST_KEPT = 100;
/** Of the API's at once: operators who look on, and hosts, come in between. */
const AT_ONCE = 8;

/** The results of changes of many hosts, each under the number of the form that ordered it: two clicks are one change. */
export class Outcomes {
  readonly #kept = new Map<string, Kept>();

  /** Does it once, and shows what came of it. */
  async of(
    { once, formToken, c, refusal }: Sent,
    title: string,
    work: () => Promise<readonly Outcome[]>,
  ): Promise<Response> {
    if (once === null || !/^[\w-]{8,64}$/.test(once))
      return refusal({ status: 400, detail: 'The form has no number. Load its page again.' });
    const known = this.#kept.get(once);
    if (known && known.owner !== formToken)
      return refusal({
        status: 409,
        detail: 'Somebody else sent a form of this number. Load its page again.',
      });
    const kept = known ?? { title, owner: formToken, outcomes: work() };
    this.#kept.set(once, kept);
    const [oldest] = this.#kept.keys();
    if (this.#kept.size > MOST_KEPT && oldest !== undefined) this.#kept.delete(oldest);
    try {
      await kept.outcomes;
    } catch (error) {
      this.#kept.delete(once);
      throw error;
    }
    return c.redirect(`/hosts/outcomes/${once}`, 303);
  }

  addTo({ look }: Site): void {
    look('/hosts/outcomes/:id', async ({ param, page, refusal, formToken }) => {
      const kept = this.#kept.get(param('id'));
      if (!kept || kept.owner !== formToken)
        return refusal({
          status: 404,
          detail:
            'This result is not kept any more, or is of another session. The events tell what was done.',
        });
      return page({ title: kept.title, body: outcomePage(await kept.outcomes) });
    });
  }
}

function outcomePage(outcomes: readonly Outcome[]): Html {
  const words = [...new Set(outcomes.map(({ word }) => word))];
  const sums = words.map((word) => {
    const those = outcomes.filter((each) => each.word === word);
    return html`<li><strong>${those.length}</strong> ${badge(word, those[0]?.tone)}</li>`;
  });
  // What did not go as it was meant is to be seen first.
  const sorted = outcomes.toSorted((one, other) => rank(one) - rank(other));
  return html`<p>${count(outcomes.length, 'host')}. <a href="/hosts">To the hosts</a></p>
<ul class="counts">${sums}</ul>
${table(
  'What came of it',
  [
    {
      head: 'Host',
      names: true,
      cell: ({ mac }: Outcome) => html`<a href="${hostPath({ mac })}">${mac}</a>`,
    },
    { head: 'Outcome', cell: ({ word, tone }) => badge(word, tone) },
    { head: 'What', as: 'wide', cell: ({ text }) => text },
  ],
  sorted,
  ({ mac }) => mac,
)}`;
}

function rank({ tone }: Outcome): number {
  return tone === 'bad' ? 0 : tone === 'warn' ? 1 : 2;
}

/** Some at a time, each once, in the order given. */
export async function inTurns<Item, Result>(
  items: readonly Item[],
  work: (item: Item) => Promise<Result>,
): Promise<readonly Result[]> {
  const results: Result[] = [];
  let next = 0;
  const worker = async () => {
    while (next < items.length) {
      const place = next++;
      results[place] = await work(items[place] as Item);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
  return results;
}
