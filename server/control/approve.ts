import { start } from '../core/assign.ts';
import type { NewEvent } from '../core/events.ts';
import type { Enrolment, Host } from '../core/host.ts';
import type { Records } from '../core/ports.ts';
import { type Actor, type Context, event } from './context.ts';
import { assignable, began, orderFor, type Target } from './orders.ts';

type Approval = {
  readonly facts: Partial<Enrolment>;
  readonly wanted: Target | null;
  readonly actor: Actor;
  readonly reason: string;
  readonly cause: string;
  readonly attemptId: string;
  readonly now: number;
};
export type Changed = { readonly host: Host; readonly events: readonly NewEvent[] };

/**
 * A machine that waited takes part from now on; with an image, that is the order to install it.
 * @throws WarmbootError when the image is gone, or does not fit onto the layout
 */
export function approved(context: Context, records: Records, waiting: Host, given: Approval): Changed {
  const { facts, wanted, actor, reason, cause, attemptId, now } = given;
  const enrolment: Enrolment = {
    ...waiting.enrolment,
    status: 'approved',
    byHand: false,
    forgetAt: null,
    ...facts,
  };
  const bare: Host = { ...waiting, enrolment };
  const told = event('approved', bare, actor, reason);
  if (wanted === null) return { host: bare, events: [told] };
  const assignment = assignable(context, records, wanted, enrolment.layout);
  const { host } = start(bare, orderFor(assignment, cause, attemptId, now));
  return { host, events: [told, began(host, actor)] };
}
