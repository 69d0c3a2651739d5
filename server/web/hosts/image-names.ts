import type { HostView } from '../../contract/hosts.ts';
import { imageListSchema } from '../../contract/images.ts';
import type { Api } from '../api.ts';
import { everyPage } from '../every-page.ts';
import { type Html, html } from '../html.ts';

/** The name by which people know an image that a host runs, holds or shall run; null: nobody gave it one. */
export type ImageNames = (digest: string, host: Pick<HostView, 'image' | 'attempt'>) => string | null;

/** So many digits of a digest tell two images of one name apart. */
const DIGITS = 8;

/**
 * What the operator of a host called its image, else a tag of it. Tags are asked for only when a host has an image that it was not
 * given by a name; where they cannot be had, digests have to do.
 */
export async function imageNames(api: Api, hosts: readonly HostView[]): Promise<ImageNames> {
  const tags = new Map<string, string>();
  if (hosts.some(hasUnnamed)) {
    const told = await everyPage(api, '/api/v1/images', imageListSchema, {}, ({ images }) => images);
    for (const { digest, tags: all } of told.ok ? told.value : [])
      if (all[0] !== undefined) tags.set(digest, all[0]);
  }
  return (digest, host) => nameByOrder(digest, host) ?? tags.get(digest) ?? null;
}

function hasUnnamed(host: HostView): boolean {
  const { observation } = host;
  if (observation === null) return false;
  const slots = Object.values(observation.slots).map(({ digest }) => digest);
  return [observation.digest, ...slots].some(
    (digest) => digest !== null && nameByOrder(digest, host) === null,
  );
}

/** A reference by digest names nothing. */
function nameByOrder(digest: string, { image, attempt }: Pick<HostView, 'image' | 'attempt'>): string | null {
  if (image?.digest === digest && !isDigest(image.ref)) return image.ref;
  return attempt?.digest === digest && !isDigest(attempt.image) ? attempt.image : null;
}

function isDigest(ref: string): boolean {
  return ref.startsWith('sha256:');
}

/** `debian-13 1f9a03bc`, as a link to the image. */
export function imageLink(digest: string, name: string | null): Html {
  // `latest` is what a name alone means.
  const plain = name?.replace(/:latest$/, '') ?? null;
  const short = html`<code class="digest" title="${digest}">${shortDigest(digest)}</code>`;
  return html`<a class="image" href="/images/${encodeURIComponent(digest)}">${plain !== null && html`${plain} `}${short}</a>`;
}

export function shortDigest(digest: string): string {
  return digest.replace(/^sha256:/, '').slice(0, DIGITS);
}
