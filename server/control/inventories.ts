import { WarmbootError } from '../core/errors.ts';
import type { NewEvent } from '../core/events.ts';
import { type Host, newEnrolment } from '../core/host.ts';
import { inventoryOf, macsOf, nameOfMachine } from '../core/inventory.ts';
import type { Mac } from '../core/mac.ts';
import { contradiction, isWaiting, type Meeting, meetInventory } from '../core/meet-inventory.ts';
import type { InventoryRecord, Records } from '../core/ports.ts';
import { rateLimit } from '../core/rate-limit.ts';
import type { MachineUseCases } from '../core/use-cases.ts';
import { type Context, change, event } from './context.ts';
import { macOf } from './one-host.ts';
import { authorize } from './reports.ts';
import { ruled, wantedBy } from './rulings.ts';
import { STRANGERS } from './strangers.ts';

/** What machines say of themselves: whose record it is, and for one that waits what the rules make of it. */
export function inventoryCases(context: Context): Pick<MachineUseCases, 'takeInventory'> {
  const { store, newId } = context;
  const waitOf = rateLimit(STRANGERS.each, STRANGERS.all);
  return {
    async takeInventory(macText, said, address, caller) {
      const mac = macOf(macText);
      const waitMs = waitOf(address, context.clock());
      if (waitMs > 0)
        throw new WarmbootError(
          'too-many',
          'Too many inventories come at once. Send it again later.',
          waitMs,
        );
      const facts = inventoryOf(said);
      const wanted = await wantedBy(context, (await store.policy()).policy, { facts, address });
      const [id, attemptId] = [newId(), newId()];
      return change(context, { macs: macsOf(mac, facts) }, (records, now) => {
        const seen = { facts, address, at: now };
        const holders = records.hosts.map((host) => ({
          host,
          facts: records.inventory(host.enrolment.id)?.facts ?? null,
        }));
        const { home, macs, absorbed, refused } = meetInventory(mac, facts, holders);
        if (home) authorize(home, caller);
        const before = home && records.inventory(home.enrolment.id);
        const isNews = JSON.stringify(before?.facts) !== JSON.stringify(facts);
        const news = (host: Host) =>
          isNews ? [...changed(host, before, seen), ...apart(host, refused)] : [];
        if (home && !isWaiting(home.enrolment)) {
          const record = { ...seen, decision: before?.decision ?? null };
          const inventories = [{ hostId: home.enrolment.id, record }];
          return { answer: home, inventories, events: news(home) };
        }
        if (home === null) requireRoomFor(records);
        const found = joined(home ?? bareHost(id, macs, now), macs, absorbed);
        const after = ruled(context, records, found, before, seen, { wanted, attemptId, now });
        const machine = `${nameOfMachine(facts)}, from ${address}`;
        return {
          answer: after.host,
          hosts: [after.host],
          removed: absorbed.map(({ enrolment }) => enrolment.id),
          inventories: [{ hostId: found.enrolment.id, record: after.record }],
          events: [
            ...(home ? [] : [event('discovered', found, 'host', machine, { macs, address })]),
            ...absorbed.map(({ enrolment }) =>
              event('merged', found, 'server', `one inventory names the cards of both: ${machine}`, {
                macs,
                other: enrolment.macs[0],
              }),
            ),
            ...news(found),
            ...after.events,
          ],
        };
      });
    },
  };
}

function bareHost(id: string, macs: readonly Mac[], now: number): Host {
  return { enrolment: newEnrolment(id, macs, now), attempt: null, observation: null };
}

/** Another machine under the same MAC: a board that was replaced, a card that was moved, or somebody who only says so. */
function changed(
  host: Host,
  before: InventoryRecord | null,
  { facts, address }: Pick<InventoryRecord, 'facts' | 'address'>,
): NewEvent[] {
  const difference = before && contradiction(before.facts, facts);
  return difference
    ? [event('machine-changed', host, 'host', `it has another ${difference}`, { address })]
    : [];
}

/** Hosts that have a MAC of this machine, and are others all the same. */
function apart(host: Host, refused: Meeting['refused']): NewEvent[] {
  return refused.map(({ host: other, reason }) =>
    event('merge-refused', host, 'server', reason, { other: other.enrolment.macs[0] }),
  );
}

/** With the MACs and labels of all, and with what an operator had decided on one of them. */
function joined(home: Host, macs: readonly Mac[], absorbed: readonly Host[]): Host {
  const all = [home, ...absorbed].map(({ enrolment }) => enrolment);
  const { status, byHand, forgetAt } = all.find((each) => each.byHand) ?? home.enrolment;
  const labels = Object.fromEntries(all.toReversed().flatMap((each) => Object.entries(each.labels)));
  return { ...home, enrolment: { ...home.enrolment, macs, labels, status, byHand, forgetAt } };
}

/** @throws WarmbootError when as many wait as the operator allows */
function requireRoomFor(records: Records): void {
  const { maxWaiting } = records.policy().policy;
  if (records.waiting() < maxWaiting) return;
  throw new WarmbootError(
    'unavailable',
    `${maxWaiting} machines wait for approval, and no more are taken. Approve or remove some, or raise maxWaiting.`,
  );
}
