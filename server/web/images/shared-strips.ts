import type { ImageView, SharedView } from '../../contract/images.ts';
import { bytes, percent } from '../../words/quantity.ts';
import { type Html, html } from '../html.ts';
import { count } from '../parts/amounts.ts';
import { imageLink } from './words.ts';

type Other = SharedView['images'][number];

/** More of them are folded away. */
const SHOWN = 8;
const HEIGHT = 20;

/** For each other image which parts of this one it has as well, on the same scale as the layers above. */
export function sharedStrips(
  { dataBytes }: Pick<ImageView, 'dataBytes'>,
  { contentBytes, images }: SharedView,
): Html {
  if (images.length === 0)
    return html`<p class="nothing">No other image has a chunk of it: every host fetches all of it.</p>`;
  const strip = (other: Other) => sharedStrip(other, contentBytes, dataBytes);
  const rest = images.slice(SHOWN);
  return html`<ul class="strips">${images.slice(0, SHOWN).map(strip)}</ul>
${rest.length > 0 && html`<details id="more-shared"><summary>${count(rest.length, 'other image shares', 'other images share')} less</summary><ul class="strips">${rest.map(strip)}</ul></details>`}`;
}

function sharedStrip(other: Other, contentBytes: number, dataBytes: number): Html {
  const share = percent(other.bytes, contentBytes);
  const left = Math.max(0, dataBytes - other.dataBytes);
  return html`<li data-key="${other.digest}"><div class="strip-words">${imageLink(other)} <span class="figures">${share === 0 ? 'less than 1' : share} % shared</span> <span class="quiet">a host that has it fetches ${bytes(left)} of ${bytes(dataBytes)}</span></div>
<svg class="shared" width="100%" height="${HEIGHT}" viewBox="0 0 ${other.parts.length} ${HEIGHT}" preserveAspectRatio="none" aria-hidden="true" focusable="false"><rect class="ground" width="${other.parts.length}" height="${HEIGHT}"/><path d="${outline(other.parts)}"/></svg></li>`;
}

/** Each part as high as much of it is shared, so that it can be seen without colours. */
function outline(parts: readonly number[]): string {
  const tops = parts.map((part) => `V${HEIGHT - (part * HEIGHT) / 100}h1`);
  return `M0 ${HEIGHT}${tops.join('')}V${HEIGHT}Z`;
}
