import type { By } from '../core/by.ts';
import type { Digest } from '../core/digest.ts';
import { WarmbootError } from '../core/errors.ts';
import type { EventKind } from '../core/events.ts';
import { noImage } from '../core/no-image.ts';
import type { Records } from '../core/ports.ts';
import type { Amount, Rollout } from '../core/rollout.ts';
import { isOver } from '../core/rollout.ts';
import { planBack } from '../core/rollout-back.ts';
import { memberState } from '../core/rollout-member.ts';
import { nextMove, type RolloutMove } from '../core/rollout-move.ts';
import { type Planned, planRollout } from '../core/rollout-plan.ts';
import type { NewMember } from '../core/rollout-port.ts';
import { aborting, isEnding, paused, resumed } from '../core/rollout-status.ts';
import { progressAtBeginning, progressOf } from '../core/rollout-tally.ts';
import type {
  BegunRollout,
  NewRollout,
  RolloutStanding,
  RolloutUseCases,
} from '../core/rollout-use-cases.ts';
import { type Context, change } from './context.ts';
import { target } from './orders.ts';
import { candidatesFor } from './rollout-candidates.ts';
import type { RolloutEngine } from './rollout-engine.ts';
import { beganEvent, rolloutEvent } from './rollout-events.ts';

const DEFAULTS = {
  waves: [1, '10%', '50%', '100%'] as readonly Amount[],
  maxUnavailable: '10%',
  failureThreshold: '5%',
  soakSeconds: 300,
  skipAfterSeconds: 600,
} as const;
/** Hosts named in a refusal; the others are counted. */
const NAMED = 3;

/** What operators do with rollouts. What follows from it the engine does. */
export function rolloutCases(
  context: Context,
  engine: RolloutEngine,
  seenAt: (macs: readonly string[]) => number | null,
  onError: (error: unknown) => void,
): RolloutUseCases {
  const { store, clock, newId } = context;

  async function rolloutOf(id: string): Promise<Rollout> {
    const rollout = await store.rollouts.find(id);
    if (rollout) return rollout;
    throw new WarmbootError(
      'not-found',
      `There is no rollout ${id.slice(0, 64)}. See warmboot rollout list.`,
    );
  }

  async function standing(rollout: Rollout): Promise<RolloutStanding> {
    const members = await engine.members(rollout.id);
    const look = { now: clock(), startedAt: engine.startedAt };
    return {
      rollout,
      progress: progressOf(rollout, members, { ...look, rollout }),
      reason: isOver(rollout) ? rollout.statusReason : told(nextMove(rollout, members, look)),
    };
  }

  async function plan(wish: NewRollout): Promise<{ rollout: Rollout; planned: Planned }> {
    const { assignment, filesystemBytes } = await target(context, wish.image);
    const { candidates, leftOut } = await candidatesFor(
      context,
      wish,
      assignment.ref,
      filesystemBytes,
      seenAt,
    );
    const now = clock();
    const skipAfterMs = (wish.skipAfterSeconds ?? DEFAULTS.skipAfterSeconds) * 1000;
    const fresh = wish.fresh ?? false;
    const spec = { waves: wish.waves ?? DEFAULTS.waves, skipAfterMs, digest: assignment.digest, fresh };
    const planned = planRollout(candidates, spec, now);
    const rollout = newRollout(newId(), wish, {
      image: assignment,
      waves: planned.waves,
      skipAfterMs,
      fresh,
      createdAt: now,
    });
    return { rollout, planned: { ...planned, leftOut: [...planned.leftOut, ...leftOut] } };
  }

  /** Writes down what `decide` makes of the records, and lets it go on by itself. */
  async function create(by: By, decide: (records: Records) => Beginning): Promise<BegunRollout> {
    const { rollout, leftOut } = await change(context, {}, (records) => {
      const beginning = decide(records);
      refuseImpossible(beginning, records);
      const { rollout, members, leftOut } = beginning;
      return {
        answer: beginning,
        rollouts: { rollouts: [rollout], members: { rolloutId: rollout.id, members } },
        events: [beganEvent(rollout, by, members.length, leftOut)],
      };
    });
    goOn(rollout.id);
    // Its members are looked at by the engine, which orders the first of them now: the answer does not wait for that.
    return { rollout, progress: progressAtBeginning(rollout), reason: 'begins', leftOut };
  }

  /** One change of its record by an operator; the engine draws the consequences. @param decide null: it stays as it is */
  async function changed(
    by: By,
    id: string,
    kind: EventKind,
    reason: string,
    decide: (rollout: Rollout, now: number, records: Records) => Rollout | null,
  ): Promise<void> {
    await rolloutOf(id);
    await change(context, {}, (records, now) => {
      const present = records.rollouts.find(id);
      const rollout = present && decide(present, now, records);
      if (!rollout) return { answer: undefined };
      return {
        answer: undefined,
        rollouts: { rollouts: [rollout] },
        events: [rolloutEvent(kind, rollout, by, reason)],
      };
    });
  }

  function goOn(id: string): void {
    engine.run(id).catch(onError);
  }

  return {
    async plan(wish) {
      const { rollout, planned } = await plan(wish);
      await change(context, {}, (records) => {
        refuseImpossible(beginningOf(rollout, planned), records);
        return { answer: undefined };
      });
      return { rollout, planned };
    },

    async begin(by, wish) {
      const { rollout, planned } = await plan(wish);
      return create(by, () => beginningOf(rollout, planned));
    },

    async list(after, limit) {
      const rollouts = await store.rollouts.list(after, limit);
      const shown = [];
      for (const rollout of rollouts)
        shown.push({ rollout, total: rollout.result ?? (await standing(rollout)).progress.total });
      return shown;
    },

    find: async (id) => standing(await rolloutOf(id)),

    async hosts(id, { after, limit, state }) {
      const rollout = await rolloutOf(id);
      const look = { rollout, now: clock(), startedAt: engine.startedAt };
      const all = await engine.members(id);
      const found = [];
      for (let at = after + 1; at < all.length && found.length <= limit; at += 1) {
        const member = all[at];
        if (!member) continue;
        const view = memberState(member, look);
        if (state === null || view.state === state) found.push({ at, ...view, member });
      }
      const page = found.slice(0, limit);
      return { hosts: page, next: found.length > limit ? (page.at(-1)?.at ?? null) : null };
    },

    async pause(by, id, reason) {
      const why = reason || 'by an operator';
      await changed(by, id, 'rollout-paused', why, (rollout) => paused(rollout, why));
      return standing(await rolloutOf(id));
    },

    async resume(by, id, reason, retry) {
      const why = reason || 'by an operator';
      await changed(by, id, 'rollout-resumed', why, (rollout, now, { rollouts }) =>
        resumed(rollout, why, retry, now, rollouts.failures(id, rollout.countedFrom)),
      );
      goOn(id);
      return standing(await rolloutOf(id));
    },

    async abort(by, id, reason) {
      const why = reason || 'aborted by an operator';
      await changed(by, id, 'rollout-aborted', why, (rollout) => aborting(rollout, why));
      await engine.run(id);
      return standing(await rolloutOf(id));
    },

    async rollback(by, id, reason) {
      const source = await rolloutOf(id);
      const why = reason || `rollback of ${source.name ?? id}`;
      const lease = context.leaseImages();
      try {
        // The rollout keeps these until its end, the new one from its beginning: nothing is collected in between.
        lease.pin((await engine.members(id)).flatMap(({ before }) => (before ? [before.digest] : [])));
        // What was asked for is the new rollout: killed before that is written, the server does the rest when it is asked again.
        await store.once.towards(async () => {
          await changed(by, id, 'rollout-aborted', why, (rollout) =>
            isEnding(rollout) ? null : aborting(rollout, why),
          );
          // Until it has taken its orders back its hosts are its own.
          await engine.run(id);
        });
        // Before its members are read: who gets another order from now on is let go, as from any rollout.
        const createdAt = clock();
        const members = await engine.members(id);
        const rolloutId = newId();
        return await create(by, (records) => {
          const hasImage = (digest: Digest) => records.image({ kind: 'digest', digest }) !== null;
          const { waves, ...planned } = planBack(members, hasImage, source.skipAfterMs, createdAt);
          const facts = { image: null, waves, skipAfterMs: source.skipAfterMs, fresh: false, createdAt };
          const rollout: Rollout = {
            ...newRollout(rolloutId, { reason: why }, facts),
            name: source.name,
            rollbackOf: id,
            maxUnavailable: source.maxUnavailable,
            failureThreshold: source.failureThreshold,
            soakMs: source.soakMs,
          };
          return { ...planned, rollout };
        });
      } finally {
        lease.release();
      }
    },
  };
}

/** A rollout as it is written down. */
type Beginning = {
  readonly rollout: Rollout;
  readonly members: readonly NewMember[];
  readonly leftOut: Planned['leftOut'];
};

function beginningOf(rollout: Rollout, { members, leftOut }: Planned): Beginning {
  return { rollout, members: members.map((member) => ({ ...member, target: null })), leftOut };
}

/** @throws WarmbootError when the image has gone meanwhile, or a host belongs to another rollout */
function refuseImpossible({ rollout: { image }, members }: Beginning, records: Records): void {
  if (image && !records.image({ kind: 'digest', digest: image.digest })) throw noImage('invalid', image.ref);
  refuseTaken(members, records.rollouts.taken());
}

function newRollout(
  id: string,
  wish: Omit<NewRollout, 'image'>,
  facts: Pick<Rollout, 'image' | 'waves' | 'skipAfterMs' | 'fresh' | 'createdAt'>,
): Rollout {
  return {
    id,
    name: wish.name ?? null,
    rollbackOf: null,
    maxUnavailable: wish.maxUnavailable ?? DEFAULTS.maxUnavailable,
    failureThreshold: wish.failureThreshold ?? DEFAULTS.failureThreshold,
    soakMs: (wish.soakSeconds ?? DEFAULTS.soakSeconds) * 1000,
    status: 'running',
    statusReason: 'runs',
    why: wish.reason ?? '',
    wave: 0,
    soakAt: null,
    countedFrom: 0,
    retryFrom: null,
    acceptedWave: -1,
    endedAt: null,
    result: null,
    ...facts,
  };
}

function refuseTaken(members: readonly NewMember[], taken: ReadonlyMap<string, string>): void {
  const clash = members.filter(({ hostId }) => taken.has(hostId));
  const [first] = clash;
  if (!first) return;
  const named = clash
    .slice(0, NAMED)
    .map(({ mac }) => mac)
    .join(', ');
  const more = clash.length > NAMED ? ` and ${clash.length - NAMED} more` : '';
  throw new WarmbootError(
    'conflict',
    `${named}${more} ${clash.length === 1 ? 'belongs' : 'belong'} to rollout ${taken.get(first.hostId)}, which is not over. Wait for it, abort it, or select other hosts.`,
  );
}

function told(move: RolloutMove): string {
  switch (move.do) {
    case 'assign':
      return `orders ${move.hosts.length} ${move.hosts.length === 1 ? 'host' : 'hosts'} now`;
    case 'take-back':
      return `takes ${move.hosts.length} orders back: ${move.reason}`;
    default:
      return move.reason;
  }
}
