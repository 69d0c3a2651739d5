import type { ImageDetailView } from '../../contract/images.ts';
import { bytes } from '../../words/quantity.ts';
import { type Html, html } from '../html.ts';

type Layers = NonNullable<ImageDetailView['layers']>;

/** Narrower ones have no room for their number. */
const NUMBERED = 2;

/**
 * The content of the partition from its start to its end, drawn to scale: what the filesystem keeps for itself, then each layer.
 * All places are shares of the width, so that it is as wide as it can be and its numbers keep their form.
 */
export function layerBar(layers: Layers, bytesBefore: number): Html {
  const total = layers.reduce((sum, layer) => sum + layer.bytes, bytesBefore);
  let at = bytesBefore;
  const drawn = layers.map((layer, index) => {
    const start = at;
    at += layer.bytes;
    return layer.bytes === 0 ? null : segment(index, share(start, total), share(layer.bytes, total), layer);
  });
  const label = `${layers.length} layers to scale, the base at the left: ${layers
    .flatMap((layer, index) => (layer.bytes > 0 ? [`${index + 1}: ${bytes(layer.bytes)}`] : []))
    .join(', ')}`;
  return html`<svg class="layers" width="100%" height="34" role="img" aria-label="${label}"><rect class="itself" x="0%" y="0" width="${share(bytesBefore, total)}%" height="34"/>${drawn}</svg>`;
}

function segment(index: number, x: number, width: number, { madeBy, bytes: length }: Layers[number]): Html {
  const kind = index % 2 === 0 ? 'even' : 'odd';
  const number = html`<text x="${x + width / 2}%" y="22" text-anchor="middle">${index + 1}</text>`;
  return html`<g class="layer ${kind}"><title>${index + 1}: ${madeBy ?? 'not known'}, ${bytes(length)}</title><rect x="${x}%" y="0" width="${width}%" height="34"/>${width >= NUMBERED && number}</g>`;
}

/** In percent, as exact as a pixel of a wide screen needs. */
function share(part: number, total: number): number {
  return total === 0 ? 0 : Math.round((part / total) * 10_000) / 100;
}
