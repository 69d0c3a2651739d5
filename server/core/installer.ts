import { WarmbootError } from './errors.ts';
import type { StoredImage } from './ports.ts';

/** What machines netboot into, and what the boot loader of composed disks comes from. */
export const INSTALLER = { kind: 'tag', name: 'installer', tag: 'latest' } as const;

type Kind = StoredImage['kind'];

/**
 * An OS under the installer's name would be handed, kernel and all, to every machine that netboots.
 * @throws WarmbootError
 */
export function requireInstallerKind({ name, tag }: { name: string; tag: string }, kind: Kind): void {
  if (name !== INSTALLER.name || tag !== INSTALLER.tag || kind === 'installer') return;
  throw new WarmbootError(
    'invalid',
    `An image of kind "${kind}" cannot be ${INSTALLER.name}:${INSTALLER.tag}: machines that netboot are given that. Choose another name or tag.`,
  );
}

/**
 * The stored installer, as machines and disks get it.
 * @param found what its tag names
 * @throws WarmbootError when there is none, or an older version let something else have its name
 */
export function installerOf(found: StoredImage | null): StoredImage {
  if (found?.kind === 'installer') return found;
  throw new WarmbootError(
    'unavailable',
    found
      ? `${INSTALLER.name}:${INSTALLER.tag} is an image of kind "${found.kind}" and no installer. Run: warmboot build installer`
      : 'No installer was built yet; machines netboot into it, and disks have its boot loader. Run: warmboot build installer',
  );
}
