import type { ImageView } from '../../contract/images.ts';
import { at, queryText } from '../api.ts';
import { shortDigest } from '../hosts/image-names.ts';
import { type Html, html } from '../html.ts';
import { count } from '../parts/amounts.ts';

export function imagePath(digest: string): string {
  return at`/images/${digest}`;
}

/** Its first tag, or what its digest begins with. */
export function nameOf({ tags, digest }: Pick<ImageView, 'tags' | 'digest'>): string {
  return tags[0] ?? shortDigest(digest);
}

export function imageLink(image: Pick<ImageView, 'tags' | 'digest'>): Html {
  return html`<a href="${imagePath(image.digest)}">${nameOf(image)}</a>`;
}

/** How many hosts run it and shall run it, as a link to them. */
export function hostsLink({ digest, hosts }: Pick<ImageView, 'digest' | 'hosts'>): Html {
  const { assigned, running } = hosts ?? { assigned: 0, running: 0 };
  if (assigned === 0 && running === 0) return html`<span class="quiet">none</span>`;
  const path = `/hosts${queryText({ image: digest })}`;
  const words =
    running === 0
      ? count(assigned, 'host shall run it', 'hosts shall run it')
      : `${count(running, 'host runs it', 'hosts run it')}, ${assigned.toLocaleString('en')} shall`;
  return html`<a href="${path}">${words}</a>`;
}
