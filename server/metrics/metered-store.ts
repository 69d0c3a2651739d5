import { type Attempt, isOpen } from '../core/attempt.ts';
import type { BuildRecord } from '../core/build-ports.ts';
import type { FleetMeters } from '../core/meters-port.ts';
import type { Decision, Records, Scope, Store } from '../core/ports.ts';
import type { Census } from './census.ts';

/**
 * A store that tells what was committed through it: all changes of hosts go through `change`, so nothing else has to think of
 * counting. Nothing is told of what failed.
 */
export function meteredStore(
  store: Store,
  census: Pick<Census, 'set' | 'remove'>,
  meters: FleetMeters,
): Store {
  async function change<Answer>(scope: Scope, decide: (records: Records) => Decision<Answer>) {
    let told = () => {};
    const answer = await store.change(scope, (records) => {
      const decision = decide(records);
      const ended = endedBy(records, decision);
      told = () => {
        for (const id of decision.removed ?? []) census.remove(id);
        for (const host of decision.hosts ?? []) census.set(host);
        for (const attempt of ended) meters.attemptEnded(attempt);
      };
      return decision;
    });
    told();
    return answer;
  }

  const tellBuild = (build: BuildRecord | undefined) => {
    if (build && build.endedAt !== null) meters.buildEnded(build);
  };

  return {
    ...store,
    change,
    async putBuild(build, events) {
      await store.putBuild(build, events);
      tellBuild(build);
    },
    async commitImage(image, tag, events, build) {
      const committed = await store.commitImage(image, tag, events, build);
      tellBuild(build);
      return committed;
    },
  };
}

/** The attempts that were open before a decision and are not after it. */
function endedBy({ hosts }: Records, decision: Decision<unknown>): readonly Attempt[] {
  const open = new Set(hosts.flatMap(({ attempt }) => (isOpen(attempt) ? [attempt.id] : [])));
  const written = [
    ...(decision.ended ?? []),
    ...(decision.hosts ?? []).flatMap(({ attempt }) => attempt ?? []),
  ];
  const ended = new Map<string, Attempt>();
  for (const attempt of written) if (open.has(attempt.id) && !isOpen(attempt)) ended.set(attempt.id, attempt);
  return [...ended.values()];
}
