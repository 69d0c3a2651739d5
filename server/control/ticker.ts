import { expire } from '../core/deadlines.ts';
import { isWaiting } from '../core/meet-inventory.ts';
import { type Context, change, event } from './context.ts';

/** How long hosts may take to report after the server was away, before a passed deadline counts. */
const GRACE_MS = 5 * 60_000;

/**
 * The one timer: looks at the deadlines that have passed, and for images that hosts let go. No host has a timer of its own.
 * @param onError told of a look that failed; the next one comes all the same
 */
export async function startTicker(
  context: Context,
  everyMs: number,
  onError: (error: unknown) => void,
): Promise<() => Promise<void>> {
  await context.store.postponeDeadlines(context.clock() + GRACE_MS);
  let running: Promise<void> = Promise.resolve();
  const timer = setInterval(() => {
    running = running
      .then(() => tick(context))
      .then(() => context.garbage.look())
      .catch(onError);
  }, everyMs);
  return async () => {
    clearInterval(timer);
    await running;
  };
}

/** Machines forgotten at one look. */
const FORGOTTEN_AT_ONCE = 100;

/** Ends what has waited too long, each host in a change of its own. */
export async function tick(context: Context): Promise<void> {
  for (const id of await context.store.due(context.clock())) {
    await change(context, { hosts: [id] }, ({ hosts: [host] }, now) => {
      const expired = host ? expire(host, now, context.patience) : null;
      if (!expired) return { answer: undefined };
      const outcome = expired.host.attempt?.outcome ?? null;
      const isReleased = expired.host.enrolment.claim !== host?.enrolment.claim;
      const kind = outcome ? 'attempt-ended' : isReleased ? 'claim-released' : null;
      return {
        answer: undefined,
        hosts: [expired.host],
        events: kind ? [event(kind, expired.host, 'server', expired.why, { outcome })] : [],
      };
    });
  }
  for (const id of await context.store.forgettable(context.clock(), FORGOTTEN_AT_ONCE)) {
    await change(context, { hosts: [id] }, ({ hosts: [host] }, now) => {
      if (!host || !isWaiting(host.enrolment) || (host.enrolment.forgetAt ?? now + 1) > now)
        return { answer: undefined };
      const why = 'nobody approved it, and it was not heard of for as many days as the rules say';
      return { answer: undefined, removed: [id], events: [event('forgotten', host, 'server', why)] };
    });
  }
}
