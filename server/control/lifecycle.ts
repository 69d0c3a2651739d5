import type { Assigned, Order } from '../core/assign.ts';
import type { By } from '../core/by.ts';
import { requireMove } from '../core/enrolment-moves.ts';
import { WarmbootError } from '../core/errors.ts';
import type { EventKind } from '../core/events.ts';
import type { Host } from '../core/host.ts';
import type { Records } from '../core/ports.ts';
import { release } from '../core/release.ts';
import { retire } from '../core/retire.ts';
import type { Expected } from '../core/revision.ts';
import { previousImage, rollBack } from '../core/rollback.ts';
import type { LifecycleUseCases } from '../core/use-cases.ts';
import { type Context, event } from './context.ts';
import { findHost, onHost } from './one-host.ts';
import { assignable, decided, ended, orderFor } from './orders.ts';

/** What operators do with a host besides giving it images. */
export function lifecycleCases(context: Context): LifecycleUseCases {
  /** Holds or resumes; the host's orders stay what they are. */
  async function setHeld(by: By, macText: string, held: string | null, expected: Expected): Promise<Host> {
    const [on, kind]: ['hold' | 'resume', EventKind] =
      held === null ? ['resume', 'resumed'] : ['hold', 'held'];
    await onHost(context, macText, expected, (host) => {
      requireMove(host.enrolment, on);
      if (host.enrolment.held === held) return { answer: undefined };
      const after: Host = { ...host, enrolment: { ...host.enrolment, held } };
      return {
        answer: undefined,
        hosts: [after],
        events: [event(kind, after, by, held ?? 'its orders go on')],
      };
    });
    return findHost(context, macText);
  }

  /** @throws WarmbootError `conflict` where there is none */
  function wayBack(
    host: Host,
    records: Records,
    attemptId: string,
    now: number,
  ): { readonly assigned: Assigned; readonly order: Order } {
    requireMove(host.enrolment, 'order');
    const before = previousImage(host, records.attempts(host.enrolment.id));
    if (before === null)
      throw new WarmbootError(
        'conflict',
        'There is nothing to go back to: this host is not known to have run another image. Give it one with PUT …/os.',
      );
    const target = { assignment: before, filesystemBytes: 0 };
    const assignment = assignable(context, records, target, host.enrolment.layout);
    const order = orderFor(assignment, 'operator: rollback', attemptId, now);
    return { assigned: rollBack(host, order), order };
  }

  return {
    async retire(by, macText, expected = null) {
      await onHost(context, macText, expected, (host, _records, now) => {
        const after = retire(host, now);
        if (after === host) return { answer: undefined };
        const { attempt } = after;
        const events = [
          event('retired', after, by, 'it is told nothing any more, and its token is worth nothing'),
        ];
        if (attempt && attempt !== host.attempt) events.push(ended(by, after, attempt));
        return { answer: undefined, hosts: [after], events };
      });
      return findHost(context, macText);
    },

    rollBack(by, macText, expected = null) {
      const attemptId = context.newId();
      return onHost(context, macText, expected, (host, records, now) => {
        const { assigned, order } = wayBack(host, records, attemptId, now);
        return decided(by, assigned, { host: assigned.host, attempt: assigned.pending }, order);
      });
    },

    previous(macText) {
      const attemptId = context.newId();
      return onHost(context, macText, null, (host, records, now) => {
        const { target } = wayBack(host, records, attemptId, now).order;
        const slots = Object.entries(host.observation?.slots ?? {});
        const holding = slots.find(
          ([, { state, digest }]) => digest === target.digest && (state === 'valid' || state === 'modified'),
        );
        return { answer: { image: target, slot: holding?.[0] ?? null } };
      });
    },

    hold: (by, macText, reason, expected = null) => setHeld(by, macText, reason, expected),
    resume: (by, macText, expected = null) => setHeld(by, macText, null, expected),

    async release(by, macText, reason, expected = null) {
      const id = await onHost(context, macText, expected, (host) => {
        const released = release(host);
        return {
          answer: host.enrolment.id,
          hosts: [released],
          events: [event('claim-released', released, by, reason ?? 'by an operator')],
        };
      });
      // Who waits with that token for a change is refused now, not when its time is over.
      context.wakes.wake(id);
      return findHost(context, macText);
    },
  };
}
