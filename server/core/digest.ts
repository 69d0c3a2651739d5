declare const digestBrand: unique symbol;

/** Names an image: `sha256:` and 64 lower-case hex digits, the sha256 of its index.json. */
export type Digest = string & { readonly [digestBrand]: true };

/** @returns the digest, or null when the text is not one. */
export function parseDigest(text: string): Digest | null {
  return /^sha256:[0-9a-f]{64}$/.test(text) ? (text as Digest) : null;
}

/** An image as people name it: a digest, or a name with a tag (`latest` where none is given). */
export type ImageRef =
  | { readonly kind: 'digest'; readonly digest: Digest }
  | { readonly kind: 'tag'; readonly name: string; readonly tag: string };

const NAME = '[a-z0-9](?:[a-z0-9._-]{0,62}[a-z0-9])?';
const REF = new RegExp(`^(${NAME})(?::([A-Za-z0-9_][A-Za-z0-9._-]{0,127}))?$`);

/** Reads `NAME[:TAG]` or `sha256:…`. Null for anything else: path parts and upper-case names included. */
export function parseImageRef(text: string): ImageRef | null {
  const digest = parseDigest(text);
  if (digest) return { kind: 'digest', digest };
  const match = REF.exec(text);
  if (!match?.[1] || match[1] === 'sha256') return null;
  return { kind: 'tag', name: match[1], tag: match[2] ?? 'latest' };
}
