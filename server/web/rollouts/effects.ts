import type { RolloutHostView, RolloutView } from '../../contract/rollouts.ts';
import { count } from '../parts/amounts.ts';
import { movingIn } from './shares.ts';

/** What an order to a rollout will do, said before it is given. */

/** Hosts that fare alike: what happens to them, in words that begin with their number. They are named where it matters which. */
export type Effect = { readonly text: string; readonly hosts: readonly RolloutHostView[] };

export function effectsOfPause({ states }: RolloutView): readonly Effect[] {
  const waiting = states.waiting + states.held;
  return [
    ...unnamed(movingIn(states), 'on the way: the order stands, and is let come to its end'),
    ...unnamed(waiting, 'not ordered yet: no order until somebody resumes the rollout'),
  ];
}

/** @param failed the hosts that failed or rolled back */
export function effectsOfResume(
  { states }: RolloutView,
  failed: readonly RolloutHostView[],
): readonly Effect[] {
  return [
    ...named(failed, 'failed or rolled back: accepted as they are, or tried once more, as you choose'),
    ...unnamed(states.waiting + states.held, 'not ordered yet: ordered wave by wave, as before'),
  ];
}

/** @param moving the hosts with an open order */
export function effectsOfAbort(
  { states }: RolloutView,
  moving: readonly RolloutHostView[],
): readonly Effect[] {
  const during = (...some: readonly RolloutHostView['state'][]) =>
    moving.filter(({ state }) => some.includes(state));
  return [
    ...named(during('staging'), 'staging: the order is taken back, and nothing changes there'),
    ...named(
      during('installing'),
      'installing: taken back where no installer has begun, else let come to the end',
    ),
    ...named(during('switching', 'confirming'), 'in the jump: let come to the end'),
    ...unnamed(states.waiting + states.held, 'not ordered yet: never will be by this rollout'),
    ...unnamed(states.succeeded, 'there: left on the new image'),
  ];
}

/** @param hosts all of the rollout. Whether an image is gone, or somebody else gave an order, the server alone knows. */
export function effectsOfRollback(hosts: readonly RolloutHostView[]): readonly Effect[] {
  const back = new Map<string, RolloutHostView[]>();
  const stays: RolloutHostView[] = [];
  for (const host of hosts) {
    if (host.attempt === null || host.state === 'skipped') continue;
    const { before, image } = host;
    if (before === null || before.digest === image.digest) stays.push(host);
    else back.set(nameOf(before), [...(back.get(nameOf(before)) ?? []), host]);
  }
  const touched = hosts.filter(({ attempt }) => attempt !== null);
  return [
    ...[...back].flatMap(([name, group]) => named(group, `back to ${name}`)),
    ...named(stays, 'with no other image before: left alone'),
    ...named(
      touched.filter(({ state }) => state === 'skipped'),
      'taken out of the rollout since: left alone',
    ),
    ...unnamed(hosts.length - touched.length, 'not ordered: left alone'),
  ];
}

function nameOf({ ref, digest }: { readonly ref: string; readonly digest: string }): string {
  const short = digest.slice(0, 'sha256:'.length + 8);
  return ref === digest ? short : `${ref} (${short})`;
}

function named(hosts: readonly RolloutHostView[], what: string): Effect[] {
  return hosts.length === 0 ? [] : [{ text: `${count(hosts.length, 'host')} ${what}`, hosts }];
}

function unnamed(number: number, what: string): Effect[] {
  return number === 0 ? [] : [{ text: `${count(number, 'host')} ${what}`, hosts: [] }];
}
