import { decide, forgetAt } from '../core/discovery.ts';
import { WarmbootError } from '../core/errors.ts';
import type { Host } from '../core/host.ts';
import { isWaiting } from '../core/meet-inventory.ts';
import { nextStep } from '../core/next-step.ts';
import type { Decision, InventoryRecord, Records } from '../core/ports.ts';
import { requireRoom } from '../core/slot-room.ts';
import type { DiscoveryUseCases } from '../core/use-cases.ts';
import { approved } from './approve.ts';
import { type Context, change, event, layoutOf, slotCountOf } from './context.ts';
import { macOf, notEnrolled } from './hosts.ts';
import { bootOf } from './manifests.ts';
import { checked, target } from './orders.ts';
import { ruled, wantedBy } from './rulings.ts';

/** Machines that are looked at together when the rules change: they share a commit. */
const TOGETHER = 100;

/** Machines that nobody has enrolled: the rules for them, and what operators decide. */
export function discoveryCases(context: Context): DiscoveryUseCases {
  const { store, newId } = context;

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
      const boot = bootOf(context, host);
      const step = host ? nextStep(host, slotCountOf(context, host)) : UNKNOWN;
      if (host && !isWaiting(host.enrolment)) return { isKnown: true, step, boot, discovery: null };
      const { policy } = await store.policy();
      const record = host && (await store.inventory(host.enrolment.id));
      const { by: _, ...ruling } = decide(policy, record);
      const decided = host && (handMade(host) ?? record?.decision);
      return { isKnown: host !== null, step, boot, discovery: decided ?? ruling };
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
