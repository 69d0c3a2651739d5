import { assign, start } from '../core/assign.ts';
import { isOpen } from '../core/attempt.ts';
import type { By } from '../core/by.ts';
import { requireMove } from '../core/enrolment-moves.ts';
import { WarmbootError } from '../core/errors.ts';
import { type Enrolment, type Host, newEnrolment } from '../core/host.ts';
import { nextStep } from '../core/next-step.ts';
import { requireRoom } from '../core/slot-room.ts';
import type { HostChanges, HostUseCases, NewHost, Reassigned } from '../core/use-cases.ts';
import { type Context, change, event, slotCountOf } from './context.ts';
import { hostFilter, hostPage } from './fleet.ts';
import { findHost, macOf, onHost } from './one-host.ts';
import { assignable, began, checked, decided, orderFor, target } from './orders.ts';
import { settled } from './profiles.ts';

/** What operators do with hosts. */
export function hostCases(context: Context): HostUseCases {
  const { store, newId } = context;

  const find = (macText: string) => findHost(context, macText);

  return {
    find,
    list: async (query) => hostPage(store, await hostFilter(store, query), query),
    async attempts(macText, after, limit) {
      const { enrolment } = await find(macText);
      // One more than is shown says whether there is a next page.
      const found = await store.attemptPage(enrolment.id, after?.id ?? null, limit + 1);
      const attempts = found.slice(0, limit);
      return { attempts, next: found.length > limit ? (attempts.at(-1) ?? null) : null };
    },

    stepOf: (host) => nextStep(host, slotCountOf(context, host)),

    /** Enrols a machine; with an image, that is the order to install it. */
    async enrol(by: By, wish: NewHost): Promise<Host> {
      const macs = [...new Set(wish.macs.map(macOf))];
      if (macs.length === 0)
        throw new WarmbootError('invalid', 'A host needs at least one MAC: give `macs`.');
      const facts = checked(context, wish);
      const wanted = wish.image === undefined ? null : await target(context, wish.image);
      const [id, attemptId] = [newId(), newId()];
      await change(context, { macs }, (records, now) => {
        const [known] = records.hosts;
        if (known) requireMove(known.enrolment, 'enrol');
        const enrolment: Enrolment = {
          ...settled(records, newEnrolment(id, macs, now), facts, wish.profile),
          status: 'approved',
          wipe: wish.wipe ?? false,
        };
        const bare: Host = { enrolment, attempt: null, observation: null };
        const told = event('host-enrolled', bare, by, 'enrolled');
        if (!wanted) return { answer: undefined, hosts: [bare], events: [told] };
        const assignment = assignable(context, records, wanted, enrolment.layout);
        const order = orderFor(assignment, 'operator: enrol', attemptId, now);
        const { host } = start(bare, order);
        return { answer: undefined, hosts: [host], events: [told, began(host, by)] };
      });
      return find(macs[0] ?? '');
    },

    /** Changes what operators say about a host. Its image is changed by `reassign`. */
    async update(by: By, macText: string, changes: HostChanges, expected = null): Promise<Host> {
      const facts = checked(context, changes);
      const { assignment } = (await find(macText)).enrolment;
      const index = assignment && (await context.library.index(assignment.digest));
      await onHost(context, macText, expected, (host, records) => {
        const labels = withLabels(facts.labels ?? host.enrolment.labels, changes.labelChanges);
        const enrolment = settled(records, host.enrolment, { ...facts, labels }, changes.profile);
        const layout = context.layouts.get(enrolment.layout);
        // It would be installed into slots that cannot hold it.
        if (assignment && layout && enrolment.layout !== host.enrolment.layout)
          requireRoom(assignment.ref, index?.filesystem?.bytes ?? 0, layout, context.layouts);
        const after: Host = { ...host, enrolment };
        const more = { labels: changes.labelChanges, profile: changes.profile };
        const fields = Object.entries({ ...facts, ...more }).flatMap(([name, value]) =>
          value === undefined ? [] : [name],
        );
        return {
          answer: undefined,
          hosts: [after],
          events: [event('host-changed', after, by, 'changed', { fields })],
        };
      });
      return find(macText);
    },

    remove(by: By, macText: string, expected = null): Promise<void> {
      return onHost(context, macText, expected, (host) => ({
        answer: undefined,
        removed: [host.enrolment.id],
        events: [event('host-removed', host, by, 'removed')],
      }));
    },

    /** Gives the host another image; the reference is resolved now and frozen. */
    async reassign(
      by: By,
      macText: string,
      image: string,
      fresh: boolean,
      expected = null,
    ): Promise<Reassigned> {
      const attemptId = newId();
      await find(macText);
      const wanted = await target(context, image);
      return onHost(context, macText, expected, (host, records, now) => {
        const assignment = assignable(context, records, wanted, host.enrolment.layout);
        const order = { ...orderFor(assignment, 'operator: assign', attemptId, now), fresh };
        const assigned = assign(host, order);
        return decided(by, assigned, { host: assigned.host, attempt: assigned.pending }, order);
      });
    },

    /** Tries the assigned image once more after a failure or a rollback. */
    retry(by: By, macText: string, expected = null): Promise<Reassigned> {
      const attemptId = newId();
      return onHost(context, macText, expected, (host, _records, now) => {
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
        return decided(by, assigned, { host: assigned.host, attempt: assigned.host.attempt }, order);
      });
    },

    /** Installs from the start, at the machine's next netboot. `wipe` allows to overwrite foreign data. */
    reinstall(by: By, macText: string, wipe: boolean, expected = null): Promise<Reassigned> {
      const attemptId = newId();
      return onHost(context, macText, expected, (host, _records, now) => {
        const { assignment } = host.enrolment;
        if (!assignment)
          throw new WarmbootError(
            'conflict',
            'There is nothing to install: no image is assigned. Assign one.',
          );
        // Fresh: an image that comes up from the old disk, because the netboot failed, is no install.
        const order = { ...orderFor(assignment, 'operator: reinstall', attemptId, now), fresh: true };
        const assigned = start(host, order, { wipe });
        return decided(by, assigned, { host: assigned.host, attempt: assigned.host.attempt }, order);
      });
    },
  };
}

/** Some set, those with null taken away, the others as they are. */
function withLabels(
  labels: Enrolment['labels'],
  changes: HostChanges['labelChanges'] = {},
): Enrolment['labels'] {
  const merged = Object.entries({ ...labels, ...changes });
  return Object.fromEntries(merged.filter((entry): entry is [string, string] => entry[1] !== null));
}
