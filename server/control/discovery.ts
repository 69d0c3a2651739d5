import { bootChoice } from '../core/boot-choice.ts';
import { decide, forgetAt } from '../core/discovery.ts';
import { WarmbootError } from '../core/errors.ts';
import type { NewEvent } from '../core/events.ts';
import { type Host, newEnrolment } from '../core/host.ts';
import { inventoryOf, macsOf, nameOfMachine } from '../core/inventory.ts';
import type { Mac } from '../core/mac.ts';
import { contradiction, isWaiting, meetInventory } from '../core/meet-inventory.ts';
import { nextStep } from '../core/next-step.ts';
import type { Decision, InventoryRecord, Records } from '../core/ports.ts';
import { rateLimit } from '../core/rate-limit.ts';
import { requireRoom } from '../core/slot-room.ts';
import type { DiscoveryUseCases, MachineUseCases } from '../core/use-cases.ts';
import { approved, ruled, wantedBy } from './approve.ts';
import { type Context, change, event, layoutOf, slotCountOf } from './context.ts';
import { macOf, notEnrolled } from './hosts.ts';
import { checked, target } from './orders.ts';
import { authorize } from './reports.ts';
import { STRANGERS } from './strangers.ts';

/** Machines that are looked at together when the rules change: they share a commit. */
const TOGETHER = 100;

/** Machines that nobody has enrolled: what they say, what the rules make of it, and what operators decide. */
export function discoveryCases(context: Context): DiscoveryUseCases & Pick<MachineUseCases, 'takeInventory'> {
  const { store, newId } = context;
  const mayCall = rateLimit(STRANGERS.each, STRANGERS.all);

  /** One decision on a machine that waits. @returns the host as it is now */
  async function onWaiting(
    macText: string,
    decideOn: (host: Host, records: Records, now: number) => Decision<undefined>,
  ): Promise<Host> {
    const mac = macOf(macText);
    await change(context, { macs: [mac] }, (records, now) => {
      const [host] = records.hosts;
      if (!host) throw notEnrolled(mac);
      if (isWaiting(host.enrolment)) return decideOn(host, records, now);
      throw new WarmbootError(
        'conflict',
        `The host is ${host.enrolment.status} already. PATCH changes what is said of it, PUT …/os its image.`,
      );
    });
    const host = await store.host({ mac });
    if (!host) throw notEnrolled(mac);
    return host;
  }

  /** Asks the rules once more about a machine that waits. */
  async function reconsider(id: string): Promise<void> {
    const [{ policy }, seen] = [await store.policy(), await store.inventory(id)];
    if (seen === null) return;
    const wanted = await wantedBy(context, policy, seen);
    const attemptId = newId();
    await change(context, { hosts: [id] }, (records, now) => {
      const [host] = records.hosts;
      const record = records.inventory(id);
      if (!host || !record || !isWaiting(host.enrolment) || host.enrolment.byHand)
        return { answer: undefined };
      const after = ruled(context, records, host, record, record, { wanted, attemptId, now });
      return {
        answer: undefined,
        hosts: [after.host],
        inventories: [{ hostId: id, record: after.record }],
        events: after.events,
      };
    });
  }

  return {
    async takeInventory(macText, said, address, caller) {
      const mac = macOf(macText);
      if (!mayCall(address, context.clock()))
        throw new WarmbootError('too-many', 'Too many inventories come at once. Send it again in a minute.');
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
        const apart = (host: Host) =>
          refused.map(({ host: other, reason }) =>
            event('merge-refused', host, 'server', reason, { other: other.enrolment.macs[0] }),
          );
        if (home && !isWaiting(home.enrolment)) {
          const record = { ...seen, decision: before?.decision ?? null };
          const inventories = [{ hostId: home.enrolment.id, record }];
          return {
            answer: home,
            inventories,
            events: isNews ? [...changed(home, before, seen), ...apart(home)] : [],
          };
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
            ...(home && isNews ? changed(found, before, seen) : []),
            ...(isNews ? apart(found) : []),
            ...after.events,
          ],
        };
      });
    },

    policy: () => store.policy(),

    async setPolicy(policy, expected) {
      for (const { layout, image } of policy.rules) {
        const disk = layout === undefined ? null : layoutOf(context, layout);
        const wanted = image === undefined ? null : await target(context, image);
        if (disk && wanted) requireRoom(wanted.assignment.ref, wanted.filesystemBytes, disk, context.layouts);
      }
      const isSet = await change(context, {}, (records) => {
        if (records.policy().version !== expected) return { answer: false };
        const names = policy.rules.map(({ name }) => name).join(', ') || 'none';
        const told = event(
          'discovery-changed',
          null,
          'operator',
          `rules: ${names}; else ${policy.otherwise}`,
        );
        return { answer: true, policy, events: [told] };
      });
      if (!isSet) return null;
      const edition = await store.policy();
      const ids = await store.undecided();
      for (let at = 0; at < ids.length; at += TOGETHER)
        await Promise.all(ids.slice(at, at + TOGETHER).map(reconsider));
      return edition;
    },

    async approve(macText, wish) {
      const facts = { ...checked(context, wish), ...(wish.wipe !== undefined && { wipe: wish.wipe }) };
      const wanted = wish.image === undefined ? null : await target(context, wish.image);
      const attemptId = newId();
      return onWaiting(macText, (waiting, records, now) => {
        const order = { facts, wanted, cause: 'operator: approve', attemptId, now } as const;
        const reason = wanted ? `approved for ${wanted.assignment.ref}` : 'approved without an image';
        const { host, events } = approved(context, records, waiting, { ...order, actor: 'operator', reason });
        return { answer: undefined, hosts: [host], events };
      });
    },

    setIgnored(macText, ignored) {
      return onWaiting(macText, (waiting, records, now) => {
        const enrolment = {
          ...waiting.enrolment,
          status: ignored ? ('ignored' as const) : ('discovered' as const),
          byHand: true,
          // An operator's word is kept; a machine that waits is not.
          forgetAt: ignored ? null : forgetAt(records.policy().policy, now),
        };
        const host: Host = { ...waiting, enrolment };
        const told = event('discovery-decided', host, 'operator', `${ignored ? 'ignore' : 'hold'}: by hand`);
        return { answer: undefined, hosts: [host], events: [told] };
      });
    },

    async inventory(macText) {
      const host = await store.host({ mac: macOf(macText) });
      return host && store.inventory(host.enrolment.id);
    },

    async next(macText) {
      const host = await store.host({ mac: macOf(macText) });
      const slots = host ? slotCountOf(context, host) : 0;
      const boot = { ...bootChoice(host, slots), append: host?.enrolment.append ?? '' };
      if (host && !isWaiting(host.enrolment))
        return { isKnown: true, step: nextStep(host, slots), boot, discovery: null };
      const { policy } = await store.policy();
      const record = host && (await store.inventory(host.enrolment.id));
      const { by: _, ...ruling } = decide(policy, record);
      if (host === null) return { isKnown: false, step: UNKNOWN, boot, discovery: ruling };
      return {
        isKnown: true,
        step: nextStep(host, slots),
        boot,
        discovery: handMade(host) ?? record?.decision ?? ruling,
      };
    },
  };
}

const UNKNOWN = {
  action: 'none',
  slot: null,
  digest: null,
  attempt: null,
  reason: 'this machine is not known: it is asked what it is',
} as const;

/** What an operator decided on a machine that waits. */
function handMade({ enrolment }: Host): InventoryRecord['decision'] {
  if (!enrolment.byHand) return null;
  const action = enrolment.status === 'ignored' ? 'ignore' : 'hold';
  return { action, rule: null, reason: 'an operator decided so' };
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
