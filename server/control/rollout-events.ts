import type { Actor } from '../core/by.ts';
import type { EventKind, NewEvent } from '../core/events.ts';
import type { Rollout } from '../core/rollout.ts';
import type { Planned } from '../core/rollout-plan.ts';
import { event } from './context.ts';

export function rolloutEvent(
  kind: EventKind,
  { id, name, wave }: Rollout,
  actor: Actor,
  reason: string,
  data: Readonly<Record<string, unknown>> = {},
): NewEvent {
  return event(kind, null, actor, reason, { rollout: id, name, wave: wave + 1, ...data });
}

/** Tells who takes part, and who was meant and does not. */
export function beganEvent(
  rollout: Rollout,
  by: Actor,
  hosts: number,
  leftOut: Planned['leftOut'],
): NewEvent {
  const { image, rollbackOf, why } = rollout;
  const count = leftOut.length === 1 ? '1 host is' : `${leftOut.length} hosts are`;
  const reason = `${why || 'began'}${leftOut.length > 0 ? ` (${count} left out)` : ''}`;
  return rolloutEvent('rollout-began', rollout, by, reason, {
    hosts,
    image,
    rollbackOf,
    leftOut: byReason(leftOut),
  });
}

/** Each reason once: an event goes to everybody who follows the log. */
function byReason(leftOut: Planned['leftOut']): { readonly reason: string; readonly macs: string[] }[] {
  const found = new Map<string, string[]>();
  for (const { mac, reason } of leftOut) {
    const macs = found.get(reason);
    if (macs) macs.push(mac);
    else found.set(reason, [mac]);
  }
  return [...found].map(([reason, macs]) => ({ reason, macs }));
}
