import type { HostView } from '../../contract/hosts.ts';
import { type Html, html } from '../html.ts';
import { progress } from '../parts/progress.ts';
import { type ImageNames, imageLink } from './image-names.ts';

/** What one look at a host says of it, the same in tables and on its page. */

/** States that call for somebody. */
const TROUBLED = ['failed', 'rolled-back', 'hold', 'unknown'];

export function isOpen({ attempt }: Pick<HostView, 'attempt'>): boolean {
  return attempt !== null && attempt.outcome === null;
}

/** What the host itself said that it runs. */
export function running(host: HostView, names: ImageNames): Html {
  const { observation: seen } = host;
  if (seen === null) return html`<span class="quiet">not heard of</span>`;
  if (seen.environment === 'installer') return html`the installer`;
  const image =
    seen.digest === null
      ? html`<span class="quiet">no image of ours</span>`
      : imageLink(seen.digest, names(seen.digest, host));
  return html`${image}${seen.trial && html` <span class="tag">on trial</span>`}`;
}

export function wanted({ image }: Pick<HostView, 'image'>): Html {
  return image === null ? html`<span class="quiet">none</span>` : imageLink(image.digest, image.ref);
}

/** What a host waits for, does, or is in trouble with. */
export function why(host: HostView): Html {
  const { attempt, next, state } = host;
  const hint = next.hint !== null && html` <strong>${next.hint}</strong>`;
  const moves = attempt !== null && isOpen(host) ? attempt.progress : null;
  if (moves !== null && moves.bytesTotal > 0)
    return html`${moves.phase || attempt?.phase} ${progress(`${moves.phase} of ${host.mac}`, moves.bytesDone, moves.bytesTotal)}${hint}`;
  const held =
    state === 'hold' && host.held !== null && !next.reason.startsWith('held') ? `held: ${host.held}` : null;
  const reason = held ?? (attempt !== null && isOpen(host) ? attempt.reason || next.reason : next.reason);
  return html`${TROUBLED.includes(state) || isOpen(host) ? html`<span>${reason}</span>` : html`<span class="quiet">${reason}</span>`}${hint}`;
}

/** `a runs, default`, `b valid`: a line for each slot. */
export function slotWords({
  observation: seen,
}: HostView): readonly (readonly [slot: string, words: string])[] {
  if (seen === null) return [];
  return Object.entries(seen.slots)
    .toSorted(([one], [other]) => (one < other ? -1 : 1))
    .map(([name, { state }]) => {
      const runs = seen.environment === 'os' && seen.slot === name;
      const words = [runs ? (seen.trial ? 'on trial' : 'runs') : state, seen.default === name && 'default'];
      return [name, words.filter((word) => word !== false).join(', ')] as const;
    });
}

/** Addresses of a host's pages. */
export function hostPath({ mac }: Pick<HostView, 'mac'>, deed = ''): string {
  return `/hosts/${encodeURIComponent(mac).replaceAll('%3A', ':')}${deed === '' ? '' : `/${deed}`}`;
}

export function labelText(labels: HostView['labels']): readonly string[] {
  return Object.entries(labels).map(([name, value]) => (value === '' ? name : `${name}=${value}`));
}
