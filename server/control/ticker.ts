import { expire } from '../core/deadlines.ts';
import { mayMove } from '../core/enrolment-moves.ts';
import { type Context, change, event } from './context.ts';
import { keyCollector } from './once.ts';

/** How long hosts may take to report after the server was away, before a passed deadline counts. */
export const GRACE_MS = 5 * 60_000;

/** Something that is looked after at every tick. */
export type Step = { readonly name: string; look(): Promise<void> };

/**
 * The one timer: looks at the deadlines that have passed, and for images that hosts let go. No host has a timer of its own.
 * @param steps other upkeep that is due now and then; each decides whether it has anything to do
 * @param onError told of a look that failed; the next one comes all the same
 */
export async function startTicker(
  context: Context,
  everyMs: number,
  onError: (error: unknown) => void,
  steps: readonly Step[] = [],
): Promise<() => Promise<void>> {
  await context.census.look();
  await excuse(context, context.clock());
  const collectKeys = keyCollector(context);
  let running: Promise<void> = Promise.resolve();
  let last = context.clock();
  const timer = setInterval(() => {
    running = running
      .then(async () => {
        last = await minded(context, last, everyMs);
      })
      .then(() => tick(context))
      .then(() => context.census.look())
      .then(() => context.garbage.look())
      .then(collectKeys)
      .catch(onError);
    for (const step of steps) running = running.then(() => step.look()).catch(onError);
  }, everyMs);
  return async () => {
    clearInterval(timer);
    await running;
  };
}

/** What a host with a long trial of its own may take besides. */
const LONGEST_TRIAL_MS = 86_400_000;
/** A look that comes so much later than it should: the machine slept, or its clock was set. */
const JUMP_MS = 60_000;

/**
 * Minds a clock that jumps. Forwards it would end everything at once, as if every host had been silent for so long; backwards it
 * would let everything wait for as long as it was set back.
 * @param last when the look before this one was
 * @returns the time now
 */
export async function minded(context: Context, last: number, everyMs: number): Promise<number> {
  const { store, clock, patience } = context;
  const now = clock();
  if (now > last + everyMs + JUMP_MS) await excuse(context, now);
  if (now < last) context.deafness.until = Math.min(context.deafness.until, now + GRACE_MS);
  if (now < last) await store.advanceDeadlines(now + Math.max(...Object.values(patience)) + LONGEST_TRIAL_MS);
  return now;
}

/** Hosts could not report for a while, so their silence is not held against them. */
async function excuse({ store, deafness }: Context, now: number): Promise<void> {
  deafness.until = now + GRACE_MS;
  await store.postponeDeadlines(deafness.until);
}

/** Machines forgotten at one look. */
const FORGOTTEN_AT_ONCE = 100;

/** Ends what has waited too long, each host in a change of its own. */
export async function tick(context: Context): Promise<void> {
  for (const id of await context.store.due(context.clock())) {
    await change(context, { hosts: [id] }, ({ hosts: [host] }, now) => {
      const expired = host ? expire(host, now, context.patience, context.hasPowerHook) : null;
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
      if (!host || !mayMove(host.enrolment, 'forget') || (host.enrolment.forgetAt ?? now + 1) > now)
        return { answer: undefined };
      const why = 'nobody approved it, and it was not heard of for as many days as the rules say';
      return { answer: undefined, removed: [id], events: [event('forgotten', host, 'server', why)] };
    });
  }
}
