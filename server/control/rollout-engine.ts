import { WarmbootError } from '../core/errors.ts';
import type { NewEvent } from '../core/events.ts';
import type { Host } from '../core/host.ts';
import type { Decision, Records } from '../core/ports.ts';
import { failureLimit, isOver, type Member, type Rollout } from '../core/rollout.ts';
import type { Look } from '../core/rollout-member.ts';
import { nextMove, type RolloutMove } from '../core/rollout-move.ts';
import { orderMember, takeMemberBack } from '../core/rollout-orders.ts';
import { advanced, ended, paused, pausedForFailures, soaking } from '../core/rollout-status.ts';
import { progressOf } from '../core/rollout-tally.ts';
import { type Context, change, event } from './context.ts';
import { assignable, ended as attemptEnded, began } from './orders.ts';
import { rolloutEvent } from './rollout-events.ts';
import { rolloutKey } from './rollout-key.ts';

/** Hosts that are ordered in one transaction: the event loop is not held longer than that takes. */
const BATCH = 100;
/** A rollout that nothing wakes is looked at again after so long: hosts come back, others fall silent. */
const LOOK_AGAIN_MS = 30_000;
/** Looking at ten thousand members takes its time: so much longer than that it rests. */
const REST = 20;

export type RolloutEngine = {
  /** Asked by the ticker, which it does not hold up: goes on where attempts have ended, or where the time has come. */
  look(): Promise<void>;
  /** Goes on with a rollout now, until it has to wait. */
  run(id: string): Promise<void>;
  /** Its members, each with when its machine was seen. */
  members(id: string): Promise<readonly Member[]>;
  readonly startedAt: number;
  /** Ends between two transactions; the rollouts go on at the next start. */
  stop(): Promise<void>;
};

type Watched = { isDirty: boolean; dueAt: number; restUntil: number; stop(): void };

/**
 * Carries out what `nextMove` says of each rollout that is not over. It keeps nothing: after a restart it finds the rollouts in the
 * store and goes on.
 * @param seenAt when one of these MACs last asked for anything
 * @param onError told of a look that failed; the next one comes all the same
 */
export function rolloutEngine(
  context: Context,
  seenAt: (macs: readonly string[]) => number | null,
  onError: (error: unknown) => void,
): RolloutEngine {
  const { store, clock, wakes, newId } = context;
  const startedAt = clock();
  const watched = new Map<string, Watched>();
  const running = new Map<string, Promise<void>>();
  let isLoaded = false;
  let lookedAt = startedAt;
  let isStopped = false;

  function watch(id: string): Watched {
    const known = watched.get(id);
    if (known) return known;
    const entry: Watched = {
      isDirty: true,
      dueAt: 0,
      restUntil: 0,
      stop: wakes.listen(rolloutKey(id), () => {
        entry.isDirty = true;
      }),
    };
    watched.set(id, entry);
    return entry;
  }

  function forget(id: string): void {
    watched.get(id)?.stop();
    watched.delete(id);
  }

  async function members(id: string): Promise<readonly Member[]> {
    const stored = await store.rollouts.members(id);
    return stored.map(({ macs, ...member }) => ({
      ...member,
      seenAt: latest(seenAt(macs), member.host?.heardAt ?? null),
    }));
  }

  /** One at a time for each rollout: what two of them would order is not counted twice. */
  function run(id: string): Promise<void> {
    const before = running.get(id) ?? Promise.resolve();
    const turn = before.catch(() => {}).then(() => goOn(id));
    running.set(id, turn);
    return turn.finally(() => {
      if (running.get(id) === turn) running.delete(id);
    });
  }

  async function goOn(id: string): Promise<void> {
    const entry = watch(id);
    while (!isStopped) {
      const began = clock();
      entry.isDirty = false;
      const rollout = await store.rollouts.find(id);
      if (!rollout || isOver(rollout)) return forget(id);
      const all = await members(id);
      const move = nextMove(rollout, all, { now: clock(), startedAt });
      const isDone = await act(rollout, all, move);
      const now = clock();
      entry.restUntil = now + REST * (now - began);
      entry.dueAt = Math.min(
        now + LOOK_AGAIN_MS,
        (move.do === 'wait' ? move.until : null) ?? now + LOOK_AGAIN_MS,
      );
      if (!isDone) return;
    }
  }

  /** @returns whether it has changed something, so that another move may follow */
  async function act(rollout: Rollout, all: readonly Member[], move: RolloutMove): Promise<boolean> {
    switch (move.do) {
      case 'wait':
        return false;
      case 'assign':
        return assignAll(rollout, all, move.hosts);
      case 'take-back':
        return takeBackAll(all, move.hosts, move.reason);
      case 'soak':
        return write(rollout, (now) => [
          soaking(rollout, now),
          rolloutEvent('rollout-wave', rollout, 'server', `${move.reason} and soaks`),
        ]);
      case 'advance': {
        const next = advanced(rollout);
        const why = `${move.reason}; wave ${next.wave + 1} of ${next.waves.length} begins`;
        return write(rollout, () => [next, rolloutEvent('rollout-wave', next, 'server', why)]);
      }
      case 'pause':
        return pause(pausedForFailures(rollout, move.reason), rollout);
      case 'end': {
        const isDone = await write(rollout, (now) => {
          const { total } = progressOf(rollout, all, { rollout, now, startedAt });
          const over = ended(rollout, move.as, move.reason, total, now);
          return [over, rolloutEvent('rollout-ended', over, 'server', move.reason, { result: total })];
        });
        // It kept what it brought hosts to, and what it could have been rolled back to.
        const kept = all.flatMap(({ target, before }) => (before ? [target, before] : [target]));
        context.garbage.letGo(new Set(kept.map(({ digest }) => digest)));
        return isDone;
      }
      default:
        return move satisfies never;
    }
  }

  function pause(rollout: Rollout, seen: Rollout): Promise<boolean> {
    return write(seen, () => [
      rollout,
      rolloutEvent('rollout-paused', rollout, 'server', rollout.statusReason),
    ]);
  }

  /** Writes the rollout's record, unless somebody else has written it since it was read. */
  async function write(
    seen: Rollout,
    decide: (now: number) => readonly [Rollout, NewEvent],
  ): Promise<boolean> {
    await change(context, {}, (records, now) => {
      const present = records.rollouts.find(seen.id);
      if (!present || !isSame(present, seen)) return { answer: undefined };
      const [rollout, told] = decide(now);
      return { answer: undefined, rollouts: { rollouts: [rollout] }, events: [told] };
    });
    // Written or not: it has changed.
    return true;
  }

  async function assignAll(
    rollout: Rollout,
    all: readonly Member[],
    ids: readonly string[],
  ): Promise<boolean> {
    const bytes = new Map<string, number>();
    const seen = new Map(all.map((member) => [member.hostId, member]));
    let ordered = 0;
    for (let at = 0; at < ids.length && !isStopped; at += BATCH) {
      const batch = ids.slice(at, at + BATCH).map((hostId) => ({ hostId, attemptId: newId() }));
      for (const { hostId } of batch) {
        const digest = seen.get(hostId)?.target.digest;
        if (digest && !bytes.has(digest))
          bytes.set(digest, (await context.library.index(digest))?.filesystem?.bytes ?? 0);
      }
      const done = await change(context, { hosts: batch.map(({ hostId }) => hostId) }, (records, now) =>
        orderBatch(
          rollout.id,
          seen,
          new Map(batch.map((one) => [one.hostId, one.attemptId])),
          bytes,
          records,
          now,
        ),
      );
      ordered += done.ordered;
      if (done.refused !== null) return pause(paused(rollout, done.refused), rollout);
      if (!done.goesOn) return true;
    }
    return ordered > 0;
  }

  function orderBatch(
    id: string,
    seen: ReadonlyMap<string, Member>,
    attemptIds: ReadonlyMap<string, string>,
    bytes: ReadonlyMap<string, number>,
    records: Records,
    now: number,
  ): Decision<{ ordered: number; goesOn: boolean; refused: string | null }> {
    const rollout = records.rollouts.find(id);
    const isHeld =
      rollout?.status !== 'running' ||
      records.rollouts.failures(id, rollout.countedFrom) >= failureLimit(rollout);
    if (isHeld) return { answer: { ordered: 0, goesOn: false, refused: null } };
    const look: Look = { rollout, now, startedAt };
    const hosts: Host[] = [];
    const superseded: NonNullable<Decision<unknown>['ended']>[number][] = [];
    const events: NewEvent[] = [];
    const befores: { hostId: string; before: Member['before'] }[] = [];
    for (const host of records.hosts) {
      const { id: hostId, layout } = host.enrolment;
      const [member, attemptId] = [seen.get(hostId), attemptIds.get(hostId)];
      if (!member || !attemptId) continue;
      const order = orderMember(host, member, look, { attemptId, rolloutId: id });
      if (!order) continue;
      try {
        const filesystemBytes = bytes.get(member.target.digest) ?? 0;
        assignable(context, records, { assignment: member.target, filesystemBytes }, layout);
      } catch (error) {
        if (!(error instanceof WarmbootError)) throw error;
        const refused = `${member.mac} cannot be ordered: ${error.message}`;
        return { answer: { ordered: 0, goesOn: false, refused } };
      }
      const { assigned, before } = order;
      hosts.push(assigned.host);
      befores.push({ hostId, before });
      if (assigned.superseded) {
        superseded.push(assigned.superseded);
        events.push(attemptEnded('server', assigned.host, assigned.superseded));
      }
      events.push(
        assigned.began
          ? began(assigned.host, 'server')
          : event('assigned', assigned.host, 'server', `rollout ${id}`, { image: member.target }),
      );
    }
    return {
      answer: { ordered: hosts.length, goesOn: true, refused: null },
      hosts,
      ended: superseded,
      events,
      rollouts: { ordered: { rolloutId: id, hosts: befores } },
    };
  }

  async function takeBackAll(
    all: readonly Member[],
    ids: readonly string[],
    reason: string,
  ): Promise<boolean> {
    const seen = new Map(all.map((member) => [member.hostId, member]));
    for (let at = 0; at < ids.length && !isStopped; at += BATCH)
      await change(context, { hosts: ids.slice(at, at + BATCH) }, ({ hosts }, now) => {
        const back = hosts.flatMap((host) => {
          const member = seen.get(host.enrolment.id);
          return (member && takeMemberBack(host, member, reason, now)) ?? [];
        });
        return {
          answer: undefined,
          hosts: back.map(({ host }) => host),
          events: back.flatMap(({ host, superseded }) =>
            superseded ? [attemptEnded('server', host, superseded)] : [],
          ),
        };
      });
    // Who was not taken back has acted meanwhile: either way it is to be looked at anew.
    return true;
  }

  return {
    startedAt,
    members,
    run,
    async look() {
      if (!isLoaded) for (const { id } of await store.rollouts.open()) watch(id);
      isLoaded = true;
      const now = clock();
      // The clock was set back: times that were said before it mean nothing any more.
      if (now < lookedAt)
        for (const entry of watched.values()) Object.assign(entry, { dueAt: now, restUntil: now });
      lookedAt = now;
      for (const [id, { isDirty, dueAt, restUntil }] of watched)
        if (!running.has(id) && (now >= dueAt || (isDirty && now >= restUntil))) run(id).catch(onError);
    },
    async stop() {
      isStopped = true;
      await Promise.allSettled(running.values());
    },
  };
}

/** Nothing that a decision rests on was written in between. */
function isSame(one: Rollout, other: Rollout): boolean {
  return (
    one.status === other.status &&
    one.wave === other.wave &&
    one.soakAt === other.soakAt &&
    one.countedFrom === other.countedFrom
  );
}

function latest(one: number | null, other: number | null): number | null {
  if (one === null || other === null) return one ?? other;
  return Math.max(one, other);
}
