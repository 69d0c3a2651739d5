import type { Assigned, Order } from '../core/assign.ts';
import type { Attempt, OpenAttempt } from '../core/attempt.ts';
import type { Actor } from '../core/by.ts';
import { parseImageRef } from '../core/digest.ts';
import { DISK_RULES, parseDiskRule } from '../core/disk-rule.ts';
import { WarmbootError } from '../core/errors.ts';
import type { NewEvent } from '../core/events.ts';
import type { Assignment, Enrolment, Host } from '../core/host.ts';
import { unusableLimit } from '../core/host-limits.ts';
import { unsafeCharacter } from '../core/kernel-arguments.ts';
import { noImage } from '../core/no-image.ts';
import type { Decision, Records } from '../core/ports.ts';
import type { SettingChanges } from '../core/profile.ts';
import { requireRoom } from '../core/slot-room.ts';
import type { HostChanges, Reassigned } from '../core/use-cases.ts';
import { type Context, event, layoutOf } from './context.ts';

/** What orders for hosts are made of: the image, the facts, and the events that tell of them. */

/** An image that a host shall run, and the room it needs. */
export type Target = { readonly assignment: Assignment; readonly filesystemBytes: number };

/** Resolves a reference to an OS image, or says why it cannot be one. */
export async function target({ store, library }: Context, text: string): Promise<Target> {
  const ref = parseImageRef(text);
  if (!ref)
    throw new WarmbootError(
      'invalid',
      `"${text.slice(0, 80)}" names no image. Write NAME, NAME:TAG or sha256:….`,
    );
  const image = await store.image(ref);
  if (!image) throw noImage('invalid', text);
  if (image.kind !== 'os')
    throw new WarmbootError('invalid', `${text} is an ${image.kind}, which no host can run as its OS.`);
  const index = await library.index(image.digest);
  return {
    assignment: { ref: text, digest: image.digest },
    filesystemBytes: index?.filesystem?.bytes ?? 0,
  };
}

/** What was resolved is still there, and fits onto the host's disk. */
export function assignable(
  { layouts }: Context,
  records: Records,
  { assignment, filesystemBytes }: Target,
  layoutName: string,
): Assignment {
  if (!records.image({ kind: 'digest', digest: assignment.digest })) throw noImage('invalid', assignment.ref);
  // A layout file that was removed must not stop its hosts.
  const layout = layouts.get(layoutName);
  if (layout) requireRoom(assignment.ref, filesystemBytes, layout, layouts);
  return assignment;
}

/** Facts of a host as an operator says them: null gives a setting back to its profile. */
export type Facts = SettingChanges & Partial<Pick<Enrolment, 'labels'>>;

/** Checks the fields that both enrolling and changing a host can set. */
export function checked(context: Context, wish: HostChanges): Facts {
  if (wish.layout != null) layoutOf(context, wish.layout);
  const unsafe = wish.append == null ? null : unsafeCharacter(wish.append);
  if (unsafe !== null)
    throw new WarmbootError(
      'invalid',
      `Kernel arguments may not hold ${JSON.stringify(unsafe)}: boot loaders and shells give it a meaning of their own.`,
    );
  if (wish.disk != null && parseDiskRule(wish.disk) === null)
    throw new WarmbootError(
      'invalid',
      `"${wish.disk.slice(0, 80)}" is no disk rule. Use ${DISK_RULES}: whole numbers of MB, GB, TB, MiB, GiB or TiB, the smaller one as min, and a path without ".." and doubled slashes.`,
    );
  const refused = unusableLimit(wish);
  if (refused !== null) throw new WarmbootError('invalid', refused);
  return {
    ...(wish.layout !== undefined && { layout: wish.layout }),
    ...(wish.disk !== undefined && { diskRule: wish.disk }),
    ...(wish.labels !== undefined && { labels: wish.labels }),
    ...(wish.append !== undefined && { append: wish.append }),
    ...(wish.switch !== undefined && { switchMode: wish.switch }),
    ...(wish.trialSeconds !== undefined && { trialSeconds: wish.trialSeconds }),
    ...(wish.rate !== undefined && { rateBytes: wish.rate }),
    ...(wish.readBack !== undefined && { readBack: wish.readBack }),
  };
}

export function orderFor(target: Assignment, cause: string, attemptId: string, now: number): Order {
  return { attemptId, target, cause, fresh: false, now };
}

export function decided(
  actor: Actor,
  assigned: Assigned,
  answer: Reassigned,
  order: Order,
): Decision<Reassigned> {
  const { host, superseded } = assigned;
  const events: NewEvent[] = [event('assigned', host, actor, order.cause, { image: order.target })];
  if (superseded) events.push(ended(actor, host, superseded));
  if (assigned.began) events.push(began(host, actor));
  return { answer, hosts: [host], ended: superseded ? [superseded] : [], events };
}

export function began(host: Host, actor: Actor): NewEvent {
  const { attempt } = host;
  return event('attempt-began', host, actor, attempt?.cause ?? '', {
    attemptKind: attempt?.kind,
    digest: attempt?.digest,
    ref: attempt?.ref,
  });
}

export function ended(actor: Actor, host: Host, attempt: OpenAttempt | Attempt): NewEvent {
  return {
    ...event('attempt-ended', host, actor, attempt.reason, { outcome: attempt.outcome }),
    attempt: attempt.id,
  };
}
