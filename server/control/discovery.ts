import { decide, forgetAt } from '../core/discovery.ts';
import { type EnrolmentTrigger, mayMove, moveEnrolment, requireMove } from '../core/enrolment-moves.ts';
import type { Host } from '../core/host.ts';
import type { Mac } from '../core/mac.ts';
import { gain, isWaiting } from '../core/meet-inventory.ts';
import { nextStep } from '../core/next-step.ts';
import type { Decision, InventoryRecord, Records } from '../core/ports.ts';
import { type Expected, requireRevision } from '../core/revision.ts';
import { requireRoom } from '../core/slot-room.ts';
import type { DiscoveryUseCases } from '../core/use-cases.ts';
import { approved } from './approve.ts';
import { type Context, change, event, layoutOf, slotCountOf } from './context.ts';
import { bootOf } from './manifests.ts';
import { findHost, macOf, notEnrolled, onHost } from './one-host.ts';
import { checked, target } from './orders.ts';
import { ruled, wantedBy } from './rulings.ts';

/** Machines that are looked at together when the rules change: they share a commit. */
const TOGETHER = 100;

/** Machines that nobody has enrolled: the rules for them, and what operators decide. */
export function discoveryCases(context: Context): DiscoveryUseCases {
  const { store, newId } = context;

  /** One decision on a machine, where the table of moves allows it. @returns the host as it is now */
  async function onMachine(
    macText: string,
    expected: Expected,
    on: EnrolmentTrigger,
    decideOn: (host: Host, records: Records, now: number) => Decision<undefined>,
  ): Promise<Host> {
    await onHost(context, macText, expected, (host, records, now) => {
      requireMove(host.enrolment, on);
      return decideOn(host, records, now);
    });
    return findHost(context, macText);
  }

  return {
    policy: () => store.policy(),

    async setPolicy(by, policy, expected) {
      for (const { layout, image } of policy.rules) {
        const disk = layout === undefined ? null : layoutOf(context, layout);
        const wanted = image === undefined ? null : await target(context, image);
        if (disk && wanted) requireRoom(wanted.assignment.ref, wanted.filesystemBytes, disk, context.layouts);
      }
      const isSet = await change(context, {}, (records) => {
        if (records.policy().version !== expected) return { answer: false };
        const names = policy.rules.map(({ name }) => name).join(', ') || 'none';
        const told = event('discovery-changed', null, by, `rules: ${names}; else ${policy.otherwise}`);
        return { answer: true, policy, events: [told] };
      });
      if (!isSet) return null;
      const edition = await store.policy();
      await settleDiscovery(context);
      return edition;
    },

    async approve(by, macText, wish, expected = null) {
      const facts = { ...checked(context, wish), ...(wish.wipe !== undefined && { wipe: wish.wipe }) };
      const wanted = wish.image === undefined ? null : await target(context, wish.image);
      const attemptId = newId();
      return onMachine(macText, expected, 'approve', (waiting, records, now) => {
        const order = {
          facts,
          profile: wish.profile,
          wanted,
          cause: 'operator: approve',
          attemptId,
          now,
        } as const;
        const reason = wanted ? `approved for ${wanted.assignment.ref}` : 'approved without an image';
        const { host, events } = approved(context, records, waiting, { ...order, actor: by, reason });
        return { answer: undefined, hosts: [host], events };
      });
    },

    async approveAs(by, macText, asText, expected = null) {
      const [mac, as] = [macOf(macText), macOf(asText)];
      await change(context, { macs: [mac, as] }, (records) => {
        const of = (one: Mac) => {
          const host = records.hosts.find(({ enrolment }) => enrolment.macs.includes(one));
          if (!host) throw notEnrolled(one);
          return host;
        };
        const waiting = of(mac);
        requireRevision(waiting, expected);
        const host = gain(of(as), waiting);
        const { macs } = waiting.enrolment;
        const record = records.inventory(waiting.enrolment.id);
        return {
          answer: undefined,
          hosts: [host],
          removed: [waiting.enrolment.id],
          inventories: record ? [{ hostId: host.enrolment.id, record }] : [],
          events: [event('merged', host, by, `an operator says that it is now ${macs.join(', ')}`, { macs })],
        };
      });
      return findHost(context, macText);
    },

    setIgnored(by, macText, ignored, expected = null) {
      const on = ignored ? 'ignore' : 'wait';
      return onMachine(macText, expected, on, (waiting, records, now) => {
        const enrolment = {
          ...moveEnrolment(waiting.enrolment, on),
          byHand: true,
          // An operator's word is kept; a machine that waits is not.
          forgetAt: ignored ? null : forgetAt(records.policy().policy, now),
        };
        const host: Host = { ...waiting, enrolment };
        const told = event('discovery-decided', host, by, `${ignored ? 'ignore' : 'hold'}: by hand`);
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
      if (host && !isWaiting(host.enrolment)) return { host, step, boot, discovery: null };
      const { policy } = await store.policy();
      const record = host && (await store.inventory(host.enrolment.id));
      const { by: _, ...ruling } = decide(policy, record);
      const decided = host && (handMade(host) ?? record?.decision);
      return { host, step, boot, discovery: decided ?? ruling };
    },
  };
}

/**
 * Asks the rules about all machines that wait: after a change of them, and at start, for the server may have ended before it
 * had asked about the last. Those about which they say what they said before are not touched.
 */
export async function settleDiscovery(context: Context): Promise<void> {
  const ids = await context.store.undecided();
  for (let at = 0; at < ids.length; at += TOGETHER)
    await Promise.all(ids.slice(at, at + TOGETHER).map((id) => reconsider(context, id)));
}

async function reconsider(context: Context, id: string): Promise<void> {
  const { store, newId } = context;
  const [{ policy }, seen] = [await store.policy(), await store.inventory(id)];
  if (seen === null) return;
  const wanted = await wantedBy(context, policy, seen);
  const attemptId = newId();
  await change(context, { hosts: [id] }, (records, now) => {
    const [host] = records.hosts;
    const record = records.inventory(id);
    if (!host || !record || !mayMove(host.enrolment, 'rule: hold') || host.enrolment.byHand)
      return { answer: undefined };
    const after = ruled(context, records, host, record, record, { wanted, attemptId, now });
    if (JSON.stringify([after.host, after.record]) === JSON.stringify([host, record]))
      return { answer: undefined };
    return {
      answer: undefined,
      hosts: [after.host],
      inventories: [{ hostId: id, record: after.record }],
      events: after.events,
    };
  });
}

const UNKNOWN = {
  action: 'none',
  slot: null,
  digest: null,
  attempt: null,
  reason: 'this machine is not known: it is asked what it is',
  until: 'it has said what it is, or an operator enrols it',
} as const;

/** What an operator decided on a machine that waits. */
function handMade({ enrolment }: Host): InventoryRecord['decision'] {
  if (!enrolment.byHand) return null;
  const action = enrolment.status === 'ignored' ? 'ignore' : 'hold';
  return { action, rule: null, reason: 'an operator decided so' };
}
