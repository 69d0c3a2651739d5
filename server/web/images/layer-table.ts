import type { ImageDetailView, SharedView } from '../../contract/images.ts';
import { bytes, percent } from '../../words/quantity.ts';
import { type Html, html } from '../html.ts';
import { table } from '../parts/table.ts';
import { imageLink } from './words.ts';

type Layer = NonNullable<ImageDetailView['layers']>[number];
type Row = Layer & { readonly index: number };

/** Longer instructions are folded. */
const SHORT = 140;

export function layerTable(layers: readonly Layer[], shared: SharedView | null): Html {
  const rows = layers.map((layer, index) => ({ ...layer, index }));
  return table(
    'Layers, the base first',
    [
      { head: '#', cell: ({ index }: Row) => index + 1, as: 'number', names: true },
      { head: 'Made by', cell: ({ madeBy }) => instruction(madeBy), as: 'wide' },
      { head: 'Files', cell: ({ files }) => files.toLocaleString('en'), as: 'number' },
      { head: 'Content', cell: ({ contentBytes }) => bytes(contentBytes), as: 'number' },
      { head: 'On the disk', cell: (layer) => bytes(layer.bytes), as: 'number' },
      { head: 'Shared with', cell: (row) => sharers(row, shared) },
    ],
    rows,
    ({ index }) => String(index),
  );
}

function instruction(madeBy: string | null): Html {
  if (madeBy === null) return html`<span class="quiet">Docker does not say</span>`;
  if (madeBy.length <= SHORT && !madeBy.includes('\n')) return html`<code>${madeBy}</code>`;
  const [first = ''] = madeBy.split('\n');
  return html`<details><summary><code>${first.slice(0, SHORT)}…</code></summary><pre>${madeBy}</pre></details>`;
}

/** The image that has most of it, and how many others have some. */
function sharers({ bytes: all, index }: Row, shared: SharedView | null): Html | null {
  if (shared === null || all === 0) return null;
  const found = shared.images
    .map((image) => ({ image, share: percent(image.layerBytes?.[index] ?? 0, all) }))
    .filter(({ share }) => share > 0)
    .sort((a, b) => b.share - a.share);
  const [most] = found;
  if (most === undefined) return html`<span class="quiet">nobody</span>`;
  const more = found.length > 1 && html` <span class="quiet">and ${found.length - 1} more</span>`;
  return html`<span>${imageLink(most.image)} ${most.share} %${more}</span>`;
}
