import { isOpen } from './attempt.ts';
import type { Digest } from './digest.ts';
import type { Host } from './host.ts';

/**
 * The images that a host needs: it shall run them, is brought to them, runs them, or holds them in a slot that could be
 * booted. A slot that is written in part holds nothing, and a retired host needs nothing. The store asks the same of its rows (`store/image-needs.ts`).
 */
export function imagesOf({ enrolment, attempt, observation }: Host): ReadonlySet<Digest> {
  if (enrolment.status === 'retired') return new Set();
  const slots = Object.values(observation?.slots ?? {});
  const all = [
    enrolment.assignment?.digest,
    isOpen(attempt) ? attempt.digest : null,
    observation?.digest,
    ...slots.map(({ state, digest }) => (state === 'valid' || state === 'modified' ? digest : null)),
  ];
  return new Set(all.filter((digest) => digest !== null && digest !== undefined));
}

/** The images that a host needed and needs no longer. @param after null: it is no host any more */
export function imagesLetGo(before: Host, after: Host | null): readonly Digest[] {
  const kept = after ? imagesOf(after) : new Set<Digest>();
  return [...imagesOf(before)].filter((digest) => !kept.has(digest));
}
