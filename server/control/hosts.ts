import { assign, start } from '../core/assign.ts';
import { isOpen } from '../core/attempt.ts';
import { WarmbootError } from '../core/errors.ts';
import { type Enrolment, type Host, newEnrolment } from '../core/host.ts';
import { type Mac, parseMac } from '../core/mac.ts';
import { isWaiting } from '../core/meet-inventory.ts';
import { nextStep } from '../core/next-step.ts';
import type { Decision, Records } from '../core/ports.ts';
import { requireRoom } from '../core/slot-room.ts';
import type { HostChanges, HostUseCases, NewHost, Reassigned } from '../core/use-cases.ts';
import { type Context, change, event, layoutOf, slotCountOf } from './context.ts';
import { assignable, began, checked, decided, orderFor, target } from './orders.ts';

/** What operators do with hosts. */
export function hostCases(context: Context): HostUseCases {
  const { store, newId } = context;

  /** Reads a host or explains that there is none. */
  async function find(macText: string): Promise<Host> {
    const mac = macOf(macText);
    const host = await store.host({ mac });
    if (!host) throw notEnrolled(mac);
    return host;
  }

  /** One host, one decision, with the host known to exist. */
  function onHost<Answer>(
    macText: string,
    decide: (host: Host, records: Records, now: number) => Decision<Answer>,
  ): Promise<Answer> {
    const mac = macOf(macText);
    return change(context, { macs: [mac] }, (records, now) => {
      const [host] = records.hosts;
      if (!host) throw notEnrolled(mac);
      return decide(host, records, now);
    });
  }

  return {
    find,
    list: (): Promise<readonly Host[]> => store.hosts(),
    attempts: async (macText: string) => store.attempts((await find(macText)).enrolment.id),

    stepOf: (host) => nextStep(host, slotCountOf(context, host)),

    /** Enrols a machine; with an image, that is the order to install it. */
    async enrol(wish: NewHost): Promise<Host> {
      const macs = [...new Set(wish.macs.map(macOf))];
      if (macs.length === 0)
        throw new WarmbootError('invalid', 'A host needs at least one MAC: give `macs`.');
      const facts = checked(context, wish);
      const wanted = wish.image === undefined ? null : await target(context, wish.image);
      const [id, attemptId] = [newId(), newId()];
      await change(context, { macs }, (records, now) => {
        const [known] = records.hosts;
        if (known)
          throw new WarmbootError(
            'conflict',
            isWaiting(known.enrolment)
              ? `${known.enrolment.macs.join(', ')} was discovered already. Approve it: POST /api/v1/hosts/MAC/approve, or warmboot approve MAC.`
              : `${known.enrolment.macs.join(', ')} is enrolled already. Change that host, or remove it first.`,
          );
        const enrolment: Enrolment = {
          ...newEnrolment(id, macs, now),
          status: 'approved',
          wipe: wish.wipe ?? false,
          ...facts,
        };
        const bare: Host = { enrolment, attempt: null, observation: null };
        const told = event('host-enrolled', bare, 'operator', 'enrolled');
        if (!wanted) return { answer: undefined, hosts: [bare], events: [told] };
        const assignment = assignable(context, records, wanted, enrolment.layout);
        const order = orderFor(assignment, 'operator: enrol', attemptId, now);
        const { host } = start(bare, order);
        return { answer: undefined, hosts: [host], events: [told, began(host)] };
      });
      return find(macs[0] ?? '');
    },

    /** Changes what operators say about a host. Its image is changed by `reassign`. */
    async update(macText: string, changes: HostChanges): Promise<Host> {
      const facts = checked(context, changes);
      const { assignment } = (await find(macText)).enrolment;
      // It would be installed into slots that cannot hold it.
      if (assignment && changes.layout !== undefined) {
        const index = await context.library.index(assignment.digest);
        const layout = layoutOf(context, changes.layout);
        requireRoom(assignment.ref, index?.filesystem?.bytes ?? 0, layout, context.layouts);
      }
      await onHost(macText, (host) => {
        const after: Host = { ...host, enrolment: { ...host.enrolment, ...facts } };
        return {
          answer: undefined,
          hosts: [after],
          events: [event('host-changed', after, 'operator', 'changed', { fields: Object.keys(facts) })],
        };
      });
      return find(macText);
    },

    remove(macText: string): Promise<void> {
      return onHost(macText, (host) => ({
        answer: undefined,
        removed: [host.enrolment.id],
        events: [event('host-removed', host, 'operator', 'removed')],
      }));
    },

    /** Gives the host another image; the reference is resolved now and frozen. */
    async reassign(macText: string, image: string, fresh: boolean): Promise<Reassigned> {
      const attemptId = newId();
      await find(macText);
      const wanted = await target(context, image);
      return onHost(macText, (host, records, now) => {
        const assignment = assignable(context, records, wanted, host.enrolment.layout);
        const order = { ...orderFor(assignment, 'operator: assign', attemptId, now), fresh };
        const assigned = assign(host, order);
        return decided(assigned, { host: assigned.host, attempt: assigned.pending }, order);
      });
    },

    /** Tries the assigned image once more after a failure or a rollback. */
    retry(macText: string): Promise<Reassigned> {
      const attemptId = newId();
      return onHost(macText, (host, _records, now) => {
        const { assignment } = host.enrolment;
        if (!assignment)
          throw new WarmbootError('conflict', 'There is nothing to retry: no image is assigned. Assign one.');
        if (isOpen(host.attempt)) return { answer: { host, attempt: host.attempt } };
        const outcome = host.attempt?.outcome;
        if (!host.attempt || (outcome !== 'failed' && outcome !== 'rolled-back'))
          throw new WarmbootError('conflict', 'There is nothing to retry: the last attempt did not fail.');
        const { fresh } = host.attempt;
        const order = { ...orderFor(assignment, 'operator: retry', attemptId, now), fresh };
        const again = host.attempt.kind === 'install' ? { wipe: host.attempt.wipe } : undefined;
        const assigned = start(host, order, again);
        return decided(assigned, { host: assigned.host, attempt: assigned.host.attempt }, order);
      });
    },

    /** Installs from the start, at the machine's next netboot. `wipe` allows to overwrite foreign data. */
    reinstall(macText: string, wipe: boolean): Promise<Reassigned> {
      const attemptId = newId();
      return onHost(macText, (host, _records, now) => {
        const { assignment } = host.enrolment;
        if (!assignment)
          throw new WarmbootError(
            'conflict',
            'There is nothing to install: no image is assigned. Assign one.',
          );
        // Fresh: an image that comes up from the old disk, because the netboot failed, is no install.
        const order = { ...orderFor(assignment, 'operator: reinstall', attemptId, now), fresh: true };
        const assigned = start(host, order, { wipe });
        return decided(assigned, { host: assigned.host, attempt: assigned.host.attempt }, order);
      });
    },

    async events({ mac, ...query }) {
      const host = mac === undefined ? null : await find(mac);
      return store.events({ ...query, ...(host && { hostId: host.enrolment.id }) });
    },
  };
}

export function macOf(text: string): Mac {
  const mac = parseMac(text);
  if (mac) return mac;
  throw new WarmbootError(
    'malformed',
    `"${text.slice(0, 40)}" is not a MAC of a network card. Write six hex bytes, as in 52:54:00:12:34:56.`,
  );
}

export function notEnrolled(mac: Mac): WarmbootError {
  return new WarmbootError('not-found', `No host has the MAC ${mac}. Enrol it with POST /api/v1/hosts.`);
}
