import type { RolloutSummaryView } from '../../contract/rollouts.ts';
import { imageLink } from '../hosts/image-names.ts';
import { type Html, html, type Part } from '../html.ts';

/** What tells that a rollout, or a host of one, went on. */
export const ROLLOUT_EVENTS = [
  'rollout-began',
  'rollout-wave',
  'rollout-paused',
  'rollout-resumed',
  'rollout-aborted',
  'rollout-ended',
  'assigned',
  'attempt-began',
  'attempt-moved',
  'attempt-ended',
  'held',
  'resumed',
  'retired',
  'host-removed',
] as const;

export function pathOfRollout(id: string): string {
  return `/rollouts/${encodeURIComponent(id)}`;
}

/** By its name; who has none is called by its id. */
export function rolloutLink({ id, name }: Pick<RolloutSummaryView, 'id' | 'name'>): Html {
  return html`<a href="${pathOfRollout(id)}">${name ?? html`<span class="code">${id}</span>`}</a>`;
}

/** The image that its hosts are brought to, or that they go back. */
export function targetText({ image, rollbackOf }: Pick<RolloutSummaryView, 'image' | 'rollbackOf'>): Part {
  if (image !== null) return namedImage(image);
  return rollbackOf !== null && html`back, before <a href="${pathOfRollout(rollbackOf)}">${rollbackOf}</a>`;
}

export function namedImage({ ref, digest }: { readonly ref: string; readonly digest: string }): Html {
  return imageLink(digest, ref === digest ? null : ref);
}

export function hostLink(mac: string): Html {
  return html`<a class="code" href="/hosts/${encodeURIComponent(mac)}">${mac}</a>`;
}

/** A sentence of the server in which the hosts that it names are links. */
export function withHostLinks(text: string): Html {
  const parts = text.split(/\b((?:[0-9a-f]{2}:){5}[0-9a-f]{2})\b/);
  return html`${parts.map((part, at) => (at % 2 === 1 ? hostLink(part) : part))}`;
}
