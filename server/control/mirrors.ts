import { mirrorsByLabels } from '../core/mirrors.ts';
import type { MirrorStore, MirrorUseCases } from '../core/mirrors-port.ts';
import { event } from './context.ts';

/** Which mirror a host is told; null: none. */
export type MirrorOf = (labels: Readonly<Record<string, string>>) => string | null;

/**
 * Operators' mirrors, kept at hand for manifests. A change wakes nobody and raises no serial: it orders nothing, and each host finds it
 * in the manifest that it reads next.
 */
export async function mirrorCases(
  store: MirrorStore,
): Promise<{ readonly mirrors: MirrorUseCases; readonly mirrorOf: MirrorOf }> {
  let find = mirrorsByLabels((await store.edition()).mirrors);
  return {
    mirrorOf: (labels) => find(labels),
    mirrors: {
      edition: () => store.edition(),
      async set(by, mirrors, expected) {
        const names = mirrors.map(({ name }) => name);
        const told = event('mirrors-changed', null, by, names.join(', ') || 'none', { mirrors });
        const edition = await store.set(mirrors, expected, told);
        if (edition) find = mirrorsByLabels(edition.mirrors);
        return edition;
      },
    },
  };
}
