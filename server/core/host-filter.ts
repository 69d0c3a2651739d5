import type { Digest } from './digest.ts';
import type { Enrolment, Host } from './host.ts';
import { type HostState, hostState } from './host-state.ts';
import { matchesSelector, type Selector } from './selector.ts';

/** Which hosts somebody asks for: all that is given must fit. */
export type HostFilter = {
  readonly selector: Selector;
  /** Any of them; empty: every one but `ignored`. */
  readonly states: readonly HostState[];
  /** Hosts that shall run it, or run it. */
  readonly image: Digest | null;
  readonly profile: string | null;
  readonly text: TextFilter | null;
};

/** A text that is looked for in MACs, labels and names of images, and what the store knows of it. */
export type TextFilter = SearchedText & {
  /** Ids of hosts whose inventory holds it. */
  readonly byInventory: ReadonlySet<string>;
  /** Images whose tags hold it: hosts that run one are meant. */
  readonly images: ReadonlySet<Digest>;
};

/** The text as it is compared. */
export type SearchedText = {
  readonly lower: string;
  /** As a part of a MAC with colons, or without any sign between its bytes; null: it can be none. */
  readonly mac: { readonly text: string; readonly isBare: boolean } | null;
};

/** MACs are found however somebody writes them: `52:54`, `52-54-00`, `5254.0000.0001`, `525400000001`. */
export function searched(text: string): SearchedText {
  const lower = text.toLowerCase();
  const bare = lower.replaceAll(/[:.-]/g, '');
  if (!/^[0-9a-f]+$/.test(bare)) return { lower, mac: null };
  const colons = lower.replaceAll('-', ':');
  // Two digits are a byte, not the ends of two.
  const isBare = bare.length > 2 && !colons.includes(':');
  return { lower, mac: { text: isBare ? bare : colons, isBare } };
}

export const EVERY_HOST: HostFilter = { selector: [], states: [], image: null, profile: null, text: null };

/** False where the first record alone shows that the host does not fit. */
export function mayFit(filter: HostFilter, enrolment: Enrolment): boolean {
  const { status, labels } = enrolment;
  // Of these the state follows from the enrolment alone.
  if (status !== 'approved' && !isState(filter, status)) return false;
  if (filter.profile !== null && enrolment.profile !== filter.profile) return false;
  const { text } = filter;
  // Of what runs another record tells.
  const isFound = text === null || text.images.size > 0 || holds(enrolment, text);
  return isFound && matchesSelector(filter.selector, labels);
}

export function fits(filter: HostFilter, host: Host): boolean {
  const { enrolment, observation } = host;
  if (!mayFit(filter, enrolment) || !isState(filter, hostState(host))) return false;
  const { image, text } = filter;
  if (text !== null && !holds(enrolment, text) && !runsOne(observation, text)) return false;
  return image === null || enrolment.assignment?.digest === image || observation?.digest === image;
}

function isState({ states }: HostFilter, state: HostState): boolean {
  return states.length === 0 ? state !== 'ignored' : states.includes(state);
}

function holds({ id, macs, labels, assignment }: Enrolment, text: TextFilter): boolean {
  const { lower, mac, byInventory } = text;
  if (byInventory.has(id)) return true;
  if (mac !== null && macs.some((each) => (mac.isBare ? each.replaceAll(':', '') : each).includes(mac.text)))
    return true;
  if (assignment?.ref.toLowerCase().includes(lower)) return true;
  return Object.entries(labels).some(([name, value]) => `${name}=${value}`.toLowerCase().includes(lower));
}

function runsOne(observation: Host['observation'], { images }: TextFilter): boolean {
  return observation?.digest != null && images.has(observation.digest);
}
