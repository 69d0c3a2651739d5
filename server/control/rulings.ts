import { type DiscoveryDecision, type DiscoveryPolicy, decide, forgetAt } from '../core/discovery.ts';
import { moveEnrolment } from '../core/enrolment-moves.ts';
import { WarmbootError } from '../core/errors.ts';
import type { Host } from '../core/host.ts';
import type { InventoryRecord, Records } from '../core/ports.ts';
import { approved, type Changed } from './approve.ts';
import { type Context, event } from './context.ts';
import { checked, type Target, target } from './orders.ts';

/** What the rules for discovery make of a machine that waits. */

/** An image that a rule wants, looked up: it has to be there before the change begins. */
type Wanted = Target | WarmbootError | null;

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
        profile: by.profile,
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
  const enrolment = moveEnrolment(isHeard.enrolment, action === 'ignore' ? 'rule: ignore' : 'rule: hold');
  return { host: { ...isHeard, enrolment }, events: told, record };
}

/** @throws WarmbootError when there is no such image, or another one was looked up */
function imageFor(ref: string | undefined, wanted: Wanted): Target | null {
  if (ref === undefined) return null;
  if (wanted instanceof WarmbootError) throw wanted;
  if (wanted?.assignment.ref === ref) return wanted;
  throw new WarmbootError('conflict', 'The rules were changed at that moment.');
}
