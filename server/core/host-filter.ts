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
  /** A part of a MAC, of a label's name or of its value, in any case, or a host that was found by a part of its serial. */
  readonly text: { readonly part: string; readonly bySerial: ReadonlySet<string> } | null;
};

export const EVERY_HOST: HostFilter = { selector: [], states: [], image: null, profile: null, text: null };

/** False where the first record alone shows that the host does not fit. */
export function mayFit(filter: HostFilter, enrolment: Enrolment): boolean {
  const { status, labels } = enrolment;
  // Of these the state follows from the enrolment alone.
  if (status !== 'approved' && !isState(filter, status)) return false;
  if (filter.profile !== null && enrolment.profile !== filter.profile) return false;
  return matchesSelector(filter.selector, labels) && (filter.text === null || holds(enrolment, filter.text));
}

export function fits(filter: HostFilter, host: Host): boolean {
  const { enrolment, observation } = host;
  if (!mayFit(filter, enrolment) || !isState(filter, hostState(host))) return false;
  const { image } = filter;
  return image === null || enrolment.assignment?.digest === image || observation?.digest === image;
}

function isState({ states }: HostFilter, state: HostState): boolean {
  return states.length === 0 ? state !== 'ignored' : states.includes(state);
}

function holds(
  { id, macs, labels }: Enrolment,
  { part, bySerial }: NonNullable<HostFilter['text']>,
): boolean {
  if (bySerial.has(id)) return true;
  const wanted = part.toLowerCase();
  const asMac = wanted.replaceAll('-', ':');
  if (macs.some((mac) => mac.includes(asMac))) return true;
  return Object.entries(labels).some(([name, value]) => `${name}=${value}`.toLowerCase().includes(wanted));
}
