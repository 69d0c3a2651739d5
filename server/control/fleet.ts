import { parseImageRef } from '../core/digest.ts';
import { WarmbootError } from '../core/errors.ts';
import type { HostPlace } from '../core/fleet-port.ts';
import type { Host } from '../core/host.ts';
import { fits, type HostFilter, mayFit, searched } from '../core/host-filter.ts';
import { HOST_STATES, type HostState } from '../core/host-state.ts';
import { noImage } from '../core/no-image.ts';
import type { Store } from '../core/ports.ts';
import { parseSelector, type Selector } from '../core/selector.ts';
import type { HostPage, HostQuery } from '../core/use-cases.ts';

/** Many hosts: which of them somebody means, and a page of them at a time. */

/** Hosts that are looked for together by who wants them all. */
const TOGETHER = 100;

/** @throws WarmbootError for a selector, a state or an image that does not say which hosts are meant */
export async function hostFilter(
  store: Pick<Store, 'image' | 'lookups'>,
  { labels, states, image, profile, text }: Omit<HostQuery, 'after' | 'limit'>,
): Promise<HostFilter> {
  return {
    selector: labels.flatMap(selectorOf),
    states: states.flatMap((each) => each.split(',')).map(stateOf),
    image: image === undefined ? null : await digestOf(store, image),
    profile: profile ?? null,
    text: text ? await textFilter(store, text) : null,
  };
}

/** A page of the hosts that fit, with the place where the next one begins. */
export async function hostPage(
  { fleet }: Pick<Store, 'fleet'>,
  filter: HostFilter,
  { after, limit }: Pick<HostQuery, 'after' | 'limit'>,
): Promise<HostPage> {
  const found: Host[] = [];
  let place = after;
  do {
    // One more than the page holds: only then is there a next one.
    const seen = await fleet.look(place, limit + 1 - found.length, (host) => mayFit(filter, host));
    found.push(...seen.hosts.filter((host) => fits(filter, host)));
    place = seen.next;
  } while (place !== null && found.length <= limit);
  const hosts = found.slice(0, limit);
  const last = found.length > limit ? hosts.at(-1) : undefined;
  return { hosts, next: last ? { createdAt: last.enrolment.createdAt, id: last.enrolment.id } : null };
}

/** All hosts that fit, a handful at a time; who is enrolled or removed meanwhile may be among them or not. */
export async function* everyHost(
  { fleet }: Pick<Store, 'fleet'>,
  filter: HostFilter,
): AsyncGenerator<readonly Host[]> {
  let place: HostPlace | null = null;
  do {
    const seen = await fleet.look(place, TOGETHER, (host) => mayFit(filter, host));
    const hosts = seen.hosts.filter((host) => fits(filter, host));
    if (hosts.length > 0) yield hosts;
    place = seen.next;
  } while (place !== null);
}

async function textFilter({ lookups }: Pick<Store, 'lookups'>, text: string): Promise<HostFilter['text']> {
  const [byInventory, images] = await Promise.all([
    lookups.hostsDescribedBy(text),
    lookups.imagesNamed(text),
  ]);
  return { ...searched(text), byInventory, images };
}

/** @throws WarmbootError in the selector's own words */
export function selectorOf(text: string): Selector {
  const selector = parseSelector(text);
  if (!('refused' in selector)) return selector;
  throw new WarmbootError('malformed', `The label selector cannot be read: ${selector.refused}.`);
}

function stateOf(text: string): HostState {
  const state = HOST_STATES.find((each) => each === text.trim());
  if (state) return state;
  throw new WarmbootError(
    'malformed',
    `"${text.slice(0, 40)}" is no state of a host. States: ${HOST_STATES.join(', ')}.`,
  );
}

/** A digest is taken as it is: a host may run what is not stored any more. */
async function digestOf(store: Pick<Store, 'image'>, text: string): Promise<HostFilter['image']> {
  const ref = parseImageRef(text);
  if (ref?.kind === 'digest') return ref.digest;
  const image = ref && (await store.image(ref));
  if (image) return image.digest;
  throw noImage('invalid', text);
}
