import { activeKey, announcedKey, type KeyRecord } from './manifest-keys.ts';
import { shellText } from './shell-text.ts';

/** Where hosts ask, and by what they know that they are right. */
export type TrustPlace = {
  /** For everything that a host says and is told. */
  readonly url: string;
  /** The boot plane: for image files, and for this document where `url` cannot be reached. */
  readonly bootUrl: string;
  /** Of the authority that vouches for `url`, PEM; null where that is plain HTTP. */
  readonly caPem: string | null;
};

/** `GET /boot/trust`: what a host shall trust from now on, as lines for a shell. It takes it only under a key that it holds. */
export function trustText(edition: number, content: string): string {
  return shellText({ trust: 1, edition }) + content;
}

/** All of it but the edition: another content is another edition. */
export function trustContent(keys: readonly KeyRecord[], { url, bootUrl, caPem }: TrustPlace): string {
  const next = announcedKey(keys);
  return shellText({
    url,
    bootUrl,
    ca: caPem && bare(caPem),
    key: bare(activeKey(keys).publicPem),
    keyNext: next && bare(next.publicPem),
  });
}

/** PEM without its lines: base64. */
function bare(pem: string): string {
  return pem.replaceAll(/-----[^-]+-----|\s/g, '');
}
