import type { Host } from './host.ts';
import { nextStep } from './next-step.ts';

/** What a machine that netboots gets: its own disk, the installer with an order, or the installer without one. */
export type BootChoice = { readonly kind: 'disk' | 'installer' | 'discovery'; readonly reason: string };

/** @param host null for a machine that nobody has enrolled */
export function bootChoice(host: Host | null, slotCount: number): BootChoice {
  if (host === null) return { kind: 'discovery', reason: 'this machine is not known' };
  const { action, reason } = nextStep(host, slotCount);
  if (host.enrolment.status === 'discovered') return { kind: 'discovery', reason };
  if (host.enrolment.status === 'ignored') return { kind: 'disk', reason };
  if (action === 'install') return { kind: 'installer', reason };
  // A disk that never got an image cannot be booted: the installer stays up and waits for the operator's word.
  const slots = Object.values(host.observation?.slots ?? {});
  const hasImage = slots.some(({ state }) => state === 'valid' || state === 'modified');
  if (hasImage || host.enrolment.status === 'retired') return { kind: 'disk', reason };
  return { kind: 'discovery', reason };
}
