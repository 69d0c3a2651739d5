import { start } from '../core/assign.ts';
import { type DiscoveryDecision, type DiscoveryPolicy, decide, forgetAt } from '../core/discovery.ts';
import { WarmbootError } from '../core/errors.ts';
import type { NewEvent } from '../core/events.ts';
import type { Enrolment, Host } from '../core/host.ts';
import type { InventoryRecord, Records } from '../core/ports.ts';
import { type Actor, type Context, event } from './context.ts';
import { assignable, began, checked, orderFor, type Target, target } from './orders.ts';

/** An image that was looked up for an approval: it has to be there before the change begins. */
export type Wanted = Target | WarmbootError | null;

type Approval = {
  readonly facts: Partial<Enrolment>;
  readonly wanted: Target | null;
  readonly actor: Actor;
  readonly reason: string;
  readonly cause: string;
  readonly attemptId: string;
  readonly now: number;
};
type Changed = { readonly host: Host; readonly events: readonly NewEvent[] };

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

/** The image that the rules want for a machine; null when they want none. */
export async function wantedBy(
  context: Context,
  policy: DiscoveryPolicy,
  seen: Pick<InventoryRecord, 'facts' | 'address'>,
): Promise<Wanted> {
  const ref = decide(policy, seen).by?.image;
  if (ref === undefined) return null;
  return target(context, ref).catch((error: unknown) => {
    if (error instanceof WarmbootError) return error;
    throw error;
  });
}

/**
 * What the rules make of a machine that waits, and its inventory with what they said of it.
 * @param before what was recorded of it so far
 * @param wanted of `wantedBy`; where the rules were changed meanwhile it is another image, and the machine waits
 */
export function ruled(
  context: Context,
  records: Records,
  host: Host,
  before: InventoryRecord | null,
  seen: Omit<InventoryRecord, 'decision'>,
  given: { readonly wanted: Wanted; readonly attemptId: string; readonly now: number },
): Changed & { readonly record: InventoryRecord } {
  const { policy } = records.policy();
  const isHeard = { ...host, enrolment: { ...host.enrolment, forgetAt: forgetAt(policy, seen.at) } };
  if (host.enrolment.byHand) {
    const stays = host.enrolment.status === 'ignored' ? host : isHeard;
    return { host: stays, events: [], record: { ...seen, decision: null } };
  }
  const { by, ...said } = decide(policy, seen);
  let decision: DiscoveryDecision = said;
  let enrolled: Changed | null = null;
  if (by?.action === 'enrol') {
    try {
      enrolled = approved(context, records, host, {
        facts: checked(context, { layout: by.layout, labels: by.labels }),
        wanted: imageFor(by.image, given.wanted),
        actor: 'server',
        reason: said.reason,
        cause: `rule: ${by.name}`,
        attemptId: given.attemptId,
        now: given.now,
      });
    } catch (error) {
      if (!(error instanceof WarmbootError)) throw error;
      decision = {
        ...said,
        action: 'hold',
        reason: `${said.reason}; it waits all the same: ${error.message}`,
      };
    }
  }
  const { action, rule, reason } = decision;
  const isNew = JSON.stringify(decision) !== JSON.stringify(before?.decision);
  const told = isNew
    ? [event('discovery-decided', host, 'server', `${action}: ${reason}`, { action, rule })]
    : [];
  const record = { ...seen, decision };
  if (enrolled) return { host: enrolled.host, events: [...told, ...enrolled.events], record };
  const status = action === 'ignore' ? 'ignored' : 'discovered';
  return { host: { ...isHeard, enrolment: { ...isHeard.enrolment, status } }, events: told, record };
}

/** @throws WarmbootError when there is no such image, or another one was looked up */
function imageFor(ref: string | undefined, wanted: Wanted): Target | null {
  if (ref === undefined) return null;
  if (wanted instanceof WarmbootError) throw wanted;
  if (wanted?.assignment.ref === ref) return wanted;
  throw new WarmbootError('conflict', 'The rules were changed at that moment.');
}
