import {
  createHash,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  sign,
} from 'node:crypto';
import { promisify } from 'node:util';

/** Signs what hosts act on. Hosts hold the public half from their installation on. */
export type ManifestKey = {
  /** SubjectPublicKeyInfo as PEM. */
  readonly publicPem: string;
  /** Base64 of the DER ECDSA signature (P-256, SHA-256) over exactly these bytes; OpenSSL 1.0.2 verifies it. */
  sign(body: Uint8Array): Promise<string>;
};

/** @returns a new private key as PEM (PKCS #8) */
export function newManifestKeyPem(): string {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  return privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
}

const signAside = promisify(sign);

/** ECDSA signatures are random; the same body gets the same one for as long as it is among the last so many. */
const KEPT_SIGNATURES = 20_000;

export function manifestKey(privatePem: string): ManifestKey {
  const key: KeyObject = createPrivateKey(privatePem);
  const kept = new Map<string, Promise<string>>();
  return {
    publicPem: createPublicKey(key).export({ type: 'spki', format: 'pem' }).toString(),
    sign(body) {
      const hash = createHash('sha256').update(body).digest('base64');
      const known = kept.get(hash);
      if (known !== undefined) return known;
      // On a thread of libuv's: ten thousand hosts that are told of a change at once would hold the event loop for half a second.
      const signature = signAside('sha256', body, { key, dsaEncoding: 'der' }).then((der) =>
        der.toString('base64'),
      );
      if (kept.size >= KEPT_SIGNATURES) kept.delete(kept.keys().next().value ?? '');
      kept.set(hash, signature);
      return signature;
    },
  };
}
