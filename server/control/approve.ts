import { start } from '../core/assign.ts';
import type { Actor } from '../core/by.ts';
import { moveEnrolment } from '../core/enrolment-moves.ts';
import type { NewEvent } from '../core/events.ts';
import type { Enrolment, Host } from '../core/host.ts';
import type { Records } from '../core/ports.ts';
import { type Context, event } from './context.ts';
import { assignable, began, type Facts, orderFor, type Target } from './orders.ts';
import { settled } from './profiles.ts';

type Approval = {
  readonly facts: Facts & { readonly wipe?: boolean };
  readonly profile: string | null | undefined;
  readonly wanted: Target | null;
  readonly actor: Actor;
  readonly reason: string;
  readonly cause: string;
  readonly attemptId: string;
  readonly now: number;
};
export type Changed = { readonly host: Host; readonly events: readonly NewEvent[] };

/**
 * A machine that waited, or was retired, takes part from now on; with an image, that is the order to install it.
 * @throws WarmbootError when the image is gone, or does not fit onto the layout
 */
export function approved(context: Context, records: Records, waiting: Host, given: Approval): Changed {
  const { facts, profile, wanted, actor, reason, cause, attemptId, now } = given;
  const { wipe, ...said } = facts;
  const taken: Enrolment = {
    ...moveEnrolment(waiting.enrolment, actor === 'server' ? 'rule: enrol' : 'approve'),
    byHand: false,
    forgetAt: null,
    ...(wipe !== undefined && { wipe }),
  };
  const enrolment = settled(records, taken, said, profile);
  const bare: Host = { ...waiting, enrolment };
  const told = event('approved', bare, actor, reason);
  if (wanted === null) return { host: bare, events: [told] };
  const assignment = assignable(context, records, wanted, enrolment.layout);
  const { host } = start(bare, orderFor(assignment, cause, attemptId, now));
  return { host, events: [told, began(host, actor)] };
}
