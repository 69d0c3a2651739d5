import type { Actor } from '../core/by.ts';
import type { Digest } from '../core/digest.ts';
import type { DiskLayout } from '../core/disk-layout.ts';
import { WarmbootError } from '../core/errors.ts';
import type { EventKind, NewEvent } from '../core/events.ts';
import type { Host } from '../core/host.ts';
import { imagesLetGo } from '../core/images-of-host.ts';
import type { Patience } from '../core/patience.ts';
import type { Clock, Decision, ImageLibrary, NewId, Records, Scope, Store, Wakes } from '../core/ports.ts';
import { withRevision } from '../core/revision.ts';
import { withSerial } from '../core/serial.ts';
import type { Census } from './census.ts';
import type { GarbageWatch } from './garbage-watch.ts';
import type { Lease } from './image-leases.ts';
import type { MirrorOf } from './mirrors.ts';
import { rolloutKey } from './rollout-key.ts';

/** What every use case works with. */
export type Context = {
  readonly store: Store;
  readonly wakes: Wakes;
  readonly garbage: GarbageWatch;
  /** For images that nothing in the store names for a moment. */
  readonly leaseImages: () => Lease;
  readonly library: ImageLibrary;
  readonly clock: Clock;
  readonly newId: NewId;
  readonly sha256Hex: (data: string | Uint8Array) => string;
  readonly layouts: ReadonlyMap<string, DiskLayout>;
  readonly patience: Patience;
  /** Until when no silence of a host says anything, for nobody could have heard it. */
  readonly deafness: { until: number };
  /** How long an image on trial may take, where a host has no time of its own. */
  readonly trialSeconds: number;
  readonly census: Census;
  readonly mirrorOf: MirrorOf;
  /** When the database came back from a backup; left out: never. */
  readonly restoredAt?: number | null;
  /** A machine's power can be cycled. */
  readonly hasPowerHook: boolean;
};

export function layoutOf({ layouts }: Context, name: string): DiskLayout {
  const layout = layouts.get(name);
  if (layout) return layout;
  const known = [...layouts.keys()].join(', ');
  throw new WarmbootError('invalid', `There is no disk layout "${name}". Known layouts: ${known}.`);
}

/** How many slots a host has. A layout file that was removed must not stop its hosts: two is what every layout has. */
export function slotCountOf({ layouts }: Context, host: Host): number {
  return layouts.get(host.enrolment.layout)?.slots ?? 2;
}

/**
 * `store.change` with the serials raised where a manifest changes, the waiting requests of those hosts woken, and the
 * images noted that hosts let go.
 */
export async function change<Answer>(
  context: Context,
  scope: Scope,
  decide: (records: Records, now: number) => Decision<Answer>,
): Promise<Answer> {
  const now = context.clock();
  const woken = new Set<string>();
  const letGo = new Set<Digest>();
  const moved = new Set<string>();
  const answer = await context.store.change(scope, (records) => {
    woken.clear();
    letGo.clear();
    moved.clear();
    const before = new Map(records.hosts.map((host) => [host.enrolment.id, host]));
    const decision = decide(records, now);
    const hosts = (decision.hosts ?? []).map((host) => {
      const old = before.get(host.enrolment.id) ?? null;
      const said = withRevision(old, host, now);
      const after = withSerial(old, said, slotCountOf(context, said), now);
      if (after.enrolment.serial !== old?.enrolment.serial) woken.add(host.enrolment.id);
      if (old) for (const digest of imagesLetGo(old, after)) letGo.add(digest);
      const { rolloutId = null, id, outcome } = old?.attempt ?? {};
      const hasEnded = id !== after.attempt?.id || outcome !== after.attempt?.outcome;
      if (rolloutId !== null && hasEnded) moved.add(rolloutKey(rolloutId));
      return after;
    });
    for (const id of decision.removed ?? []) {
      woken.add(id);
      const old = before.get(id);
      if (old) for (const digest of imagesLetGo(old, null)) letGo.add(digest);
      if (old?.attempt?.rolloutId) moved.add(rolloutKey(old.attempt.rolloutId));
    }
    return { ...decision, hosts };
  });
  for (const id of [...woken, ...moved]) context.wakes.wake(id);
  context.garbage.letGo(letGo);
  return answer;
}

export function event(
  kind: EventKind,
  host: Host | null,
  actor: Actor,
  reason: string,
  data: Record<string, unknown> = {},
): NewEvent {
  return {
    kind,
    hostId: host?.enrolment.id ?? null,
    attempt: host?.attempt?.id ?? null,
    ...(typeof actor === 'string' ? { actor, by: null } : { actor: 'operator', by: actor.name }),
    reason,
    data: host ? { mac: host.enrolment.macs[0], ...data } : data,
  };
}
