import { createHash } from 'node:crypto';
import { mkdirSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { type ManifestKey, manifestKey, newManifestKeyPem } from './manifest-key.ts';
import { readSecret, removeSecret, writeSecret } from './secret-file.ts';

/** The private halves of the manifest keys: `DATA/keys/manifest.pem`, the first, and `manifest-ID.pem` for each that followed. */
export type Keyring = {
  readonly ids: readonly string[];
  /** Names of their files → ids. */
  readonly names: ReadonlyMap<string, string>;
  /** @throws Error for one that is not there */
  get(id: string): ManifestKey;
  /** On the disk before its id is known to anybody. */
  add(): { readonly id: string; readonly publicPem: string };
  /** For good. */
  remove(id: string): void;
};

const NAME = /^manifest(-[0-9a-f]{16})?\.pem$/;

export function openKeyring(folder: string): Keyring {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const found = new Map<string, { file: string; key: ManifestKey }>();
  const take = (file: string, pem: string) => {
    const key = manifestKey(pem);
    const id = keyId(key.publicPem);
    found.set(id, { file, key });
    return { id, publicPem: key.publicPem };
  };
  for (const name of readdirSync(folder).filter((entry) => NAME.test(entry))) {
    const file = path.join(folder, name);
    take(file, readSecret(file) ?? '');
  }
  return {
    get ids() {
      return [...found.keys()];
    },
    get names() {
      return new Map([...found].map(([id, { file }]) => [path.basename(file), id]));
    },
    get(id) {
      const known = found.get(id);
      if (known) return known.key;
      throw new Error(
        `the private half of manifest key ${id} is not in ${folder}: put it there from a backup`,
      );
    },
    add() {
      const pem = newManifestKeyPem();
      const name = found.size === 0 ? 'manifest.pem' : keyFileName(keyId(manifestKey(pem).publicPem));
      const file = path.join(folder, name);
      writeSecret(file, pem);
      return take(file, pem);
    },
    remove(id) {
      const known = found.get(id);
      if (!known) return;
      removeSecret(known.file);
      found.delete(id);
    },
  };
}

/** Of a key that is not the first. */
export function keyFileName(id: string): string {
  return `manifest-${id}.pem`;
}

/** As hosts name a key: the beginning of the sha256 of its PEM. */
function keyId(publicPem: string): string {
  return createHash('sha256').update(publicPem).digest('hex').slice(0, 16);
}
