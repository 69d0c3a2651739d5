import type { By } from '../core/by.ts';
import { parseImageRef } from '../core/digest.ts';
import { WarmbootError } from '../core/errors.ts';
import type { NewEvent } from '../core/events.ts';
import { noImage } from '../core/no-image.ts';
import type { Store } from '../core/ports.ts';
import type { ImageNeed } from '../core/upkeep-port.ts';
import type { StoreUseCases } from '../core/use-cases.ts';
import { event } from './context.ts';
import type { ImageKeeper } from './image-keeper.ts';

/** Hosts named in a refusal; the others are counted. */
const NAMED = 5;

/** Takes images away: tags at once, the rest as soon as nobody needs it. */
export function imageRemoval(context: {
  readonly store: Pick<Store, 'image' | 'upkeep'>;
  readonly keeper: Pick<ImageKeeper, 'collect'>;
}): StoreUseCases['remove'] {
  return async (by, text) => {
    const ref = parseImageRef(text);
    const none = noImage('not-found', text);
    if (!ref) throw none;
    const done = await context.store.upkeep.removeTags(ref, ({ digest, tagsLeft, needs }) => {
      const working = needs.filter(({ why }) => why !== 'slot');
      if (tagsLeft === 0 && working.length > 0) throw inUse(text, working);
      return [removed(by, text, digest)];
    });
    if (!done) throw none;
    const { digest, tagsRemoved } = done;
    const { freedBytes } = await context.keeper.collect();
    // Not only this collection may have taken it: another one can have been on its way.
    const isGone = (await context.store.image({ kind: 'digest', digest })) === null;
    const needs = isGone ? [] : await context.store.upkeep.needs(digest);
    return { digest, tagsRemoved, isGone, freedBytes, keptFor: [...new Set(needs.map(({ mac }) => mac))] };
  };
}

function inUse(text: string, needs: readonly ImageNeed[]): WarmbootError {
  const ref = text.slice(0, 128);
  const byHosts = needs.filter(({ why }) => why !== 'rollout' && why !== 'rollback');
  if (byHosts.length > 0) {
    const { named, isOne } = hostsOf(byHosts);
    const why = isOne
      ? 'is assigned to it, runs it or is on the way to it'
      : 'are assigned to it, run it or are on the way to it';
    return new WarmbootError('conflict', `${ref} stays: ${named} ${why}. Assign another image first.`);
  }
  const toCome = needs.filter(({ why }) => why === 'rollout');
  const { named } = hostsOf(toCome.length > 0 ? toCome : needs);
  const what =
    toCome.length > 0
      ? `is to bring ${named} to it`
      : `has brought ${named} from it, and could be rolled back`;
  return new WarmbootError(
    'conflict',
    `${ref} stays: a rollout that is not over ${what}. Wait for its end, or abort it: warmboot rollout list.`,
  );
}

function hostsOf(needs: readonly ImageNeed[]): { readonly named: string; readonly isOne: boolean } {
  const macs = [...new Set(needs.map(({ mac }) => mac))];
  const more = macs.length > NAMED ? ` and ${macs.length - NAMED} more` : '';
  return { named: `${macs.slice(0, NAMED).join(', ')}${more}`, isOne: macs.length === 1 };
}

function removed(by: By, ref: string, digest: string): NewEvent {
  return event('image-removed', null, by, 'removed', { ref: ref.slice(0, 256), digest });
}
