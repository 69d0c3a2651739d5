import fc from 'fast-check';
import { expect, test } from 'vitest';
import { failureLimit, isOver, unavailableLimit } from '../../server/core/rollout.ts';
import { memberState } from '../../server/core/rollout-member.ts';
import { aborting, paused, resumed } from '../../server/core/rollout-status.ts';
import { A, B, C } from '../fixtures/hosts.ts';
import { MINUTE, RolloutFleet } from '../fixtures/rollout-fleet.ts';

/** Whatever machines, operators and the server do in whatever order, some things a rollout never does. */

type Action =
  | { readonly do: 'step'; readonly most: number }
  | {
      readonly do: 'work' | 'failed' | 'rolled-back' | 'off' | 'on' | 'remove' | 'fall-back';
      readonly host: number;
    }
  | { readonly do: 'put'; readonly host: number; readonly image: number }
  | { readonly do: 'pass'; readonly minutes: number }
  | { readonly do: 'round' | 'pause' | 'abort' | 'restart' }
  | { readonly do: 'resume'; readonly retry: boolean };

const host = fc.integer({ min: 1, max: 8 });
const action: fc.Arbitrary<Action> = fc.oneof(
  { weight: 12, arbitrary: fc.record({ do: fc.constant('step'), most: fc.integer({ min: 1, max: 8 }) }) },
  { weight: 6, arbitrary: fc.record({ do: fc.constant('work'), host }) },
  { weight: 8, arbitrary: fc.record({ do: fc.constant('round') }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constantFrom('failed', 'rolled-back'), host }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constantFrom('off', 'on'), host }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constantFrom('remove', 'fall-back'), host }) },
  {
    weight: 2,
    arbitrary: fc.record({ do: fc.constant('put'), host, image: fc.integer({ min: 0, max: 2 }) }),
  },
  { weight: 8, arbitrary: fc.record({ do: fc.constant('pass'), minutes: fc.constantFrom(1, 3, 5, 20) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constantFrom('pause', 'restart') }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('resume'), retry: fc.boolean() }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constantFrom('abort', 'restart') }) },
) as fc.Arbitrary<Action>;

const world = fc.record({
  hosts: fc.integer({ min: 1, max: 8 }),
  upTo: fc.constantFrom(
    ['100%'] as const,
    [1, '100%'] as const,
    [1, '50%', '100%'] as const,
    [2, 3, '100%'] as const,
  ),
  maxUnavailable: fc.constantFrom(1, 2, '30%', '100%') as fc.Arbitrary<1 | 2 | '30%' | '100%'>,
  failureThreshold: fc.constantFrom(1, 2, '30%', '100%') as fc.Arbitrary<1 | 2 | '30%' | '100%'>,
  soakMs: fc.constantFrom(0, 5 * MINUTE),
});

/** Each move of a rollout, looked at from outside. */
class Watcher {
  readonly fleet: RolloutFleet;
  /** When each wave was seen to be over, at the latest. */
  readonly overAt = new Map<number, number>();
  retries = 0;

  constructor(fleet: RolloutFleet) {
    this.fleet = fleet;
  }

  step(most: number): void {
    const { fleet } = this;
    const before = fleet.rollout;
    const failed = this.#failures();
    const count = fleet.orders.length;
    const again = fleet.next();
    expect(fleet.next()).toEqual(again);
    const move = fleet.step(most);
    const orders = fleet.orders.slice(count);
    if (move.do === 'soak' || move.do === 'advance') this.#sawOver(before.wave);
    if (orders.length === 0) return;
    expect(before.status).toBe('running');
    expect(failed).toBeLessThan(failureLimit(before));
    for (const order of orders) {
      expect(order.wave).toBeLessThanOrEqual(before.wave);
      for (let wave = 0; wave < order.wave; wave += 1) {
        const over = this.overAt.get(wave);
        expect(over).toBeDefined();
        expect(order.at - (over ?? 0)).toBeGreaterThanOrEqual(before.soakMs);
      }
    }
  }

  check(): void {
    const { fleet } = this;
    const members = fleet.members();
    const away = members.filter(({ hostId }) => {
      const last = fleet.hosts.get(hostId)?.attempt;
      return fleet.jumped.has(hostId) || (last?.rolloutId === fleet.rollout.id && last.outcome === null);
    });
    expect(away.length).toBeLessThanOrEqual(unavailableLimit(fleet.rollout));
    for (const { hostId } of members) {
      const own = (fleet.attempts.get(hostId) ?? []).filter(
        ({ rolloutId }) => rolloutId === fleet.rollout.id,
      );
      expect(own.length).toBeLessThanOrEqual(1 + this.retries);
      // Nothing is ordered twice without a failure between.
      for (const attempt of own.slice(0, -1))
        expect(['failed', 'rolled-back', 'succeeded']).toContain(attempt.outcome);
    }
  }

  /** By the attempts alone. */
  #failures(): number {
    const { rollout, attempts } = this.fleet;
    return [...attempts.values()].filter((all) => {
      const own = all.findLast(({ rolloutId }) => rolloutId === rollout.id);
      const failed = own?.outcome === 'failed' || own?.outcome === 'rolled-back';
      return failed && (own.endedAt ?? 0) > rollout.countedFrom;
    }).length;
  }

  #sawOver(wave: number): void {
    const { fleet } = this;
    if (this.overAt.has(wave)) return;
    this.overAt.set(wave, fleet.now);
    const members = fleet.members().filter((member) => member.wave <= wave);
    const states = members.map((member) => memberState(member, fleet.look).state);
    for (const state of states) expect(['succeeded', 'failed', 'rolled-back', 'skipped']).toContain(state);
    const proven = members.some((member, at) => member.wave === wave && states[at] === 'succeeded');
    expect(proven || fleet.rollout.acceptedWave >= wave).toBe(true);
  }
}

function perform(watcher: Watcher, action: Action): void {
  const { fleet } = watcher;
  const { rollout } = fleet;
  switch (action.do) {
    case 'step':
      return void watcher.step(action.most);
    case 'work':
      return void fleet.work(`host-${action.host}`);
    case 'round':
      for (const id of fleet.hosts.keys()) fleet.work(id);
      return;
    case 'failed':
    case 'rolled-back':
      return void fleet.finish(`host-${action.host}`, action.do);
    case 'off':
      return void fleet.isOn.delete(`host-${action.host}`);
    case 'on':
      return void fleet.isOn.add(`host-${action.host}`);
    case 'remove':
      return void fleet.remove(`host-${action.host}`);
    case 'fall-back': {
      const known = fleet.hosts.get(`host-${action.host}`);
      if (known && known.attempt?.outcome === 'succeeded') fleet.hear(`host-${action.host}`, A);
      return;
    }
    case 'put':
      return void fleet.put(`host-${action.host}`, {
        ref: 'by hand',
        digest: [A, B, C][action.image] ?? A,
      });
    case 'pass':
      return void fleet.pass(action.minutes * MINUTE);
    case 'pause':
      if (rollout.status === 'running') fleet.rollout = paused(rollout, 'by hand');
      return;
    case 'abort':
      if (rollout.status === 'running' || rollout.status === 'paused')
        fleet.rollout = aborting(rollout, 'by hand');
      return;
    case 'resume':
      if (rollout.status !== 'paused') return;
      fleet.rollout = resumed(rollout, 'by hand', action.retry, fleet.now);
      if (action.retry) watcher.retries += 1;
      return;
    case 'restart':
      // Nothing but its rows lives on; who is there has to be heard of anew.
      fleet.rollout = JSON.parse(JSON.stringify(rollout));
      fleet.startedAt = fleet.now;
      fleet.seenAt.clear();
      return;
    default:
      action satisfies never;
  }
}

test('no order of events breaks the laws of a rollout', () => {
  const ends = new Map<string, number>();
  fc.assert(
    fc.property(
      world,
      fc.array(action, { minLength: 20, maxLength: 120 }),
      ({ hosts, ...facts }, actions) => {
        const watcher = new Watcher(new RolloutFleet(hosts, facts));
        for (const step of actions) {
          perform(watcher, step);
          watcher.check();
        }
        const { status } = watcher.fleet.rollout;
        ends.set(status, (ends.get(status) ?? 0) + 1);
      },
    ),
    { numRuns: 300, seed: 20_261_125 },
  );
  // The runs come to all kinds of ends, or they would prove little.
  for (const status of ['running', 'paused', 'aborted', 'finished'])
    expect(ends.get(status)).toBeGreaterThan(5);
});

test('from wherever it was brought, with machines that work and an operator who resumes it comes to its end', () => {
  fc.assert(
    fc.property(world, fc.array(action, { maxLength: 60 }), ({ hosts, ...facts }, actions) => {
      const watcher = new Watcher(new RolloutFleet(hosts, facts));
      const { fleet } = watcher;
      for (const step of actions) perform(watcher, step);
      for (let round = 0; round < 400 && !isOver(fleet.rollout); round += 1) {
        if (fleet.rollout.status === 'paused') fleet.rollout = resumed(fleet.rollout, 'on', false, fleet.now);
        fleet.settle();
        for (const id of fleet.hosts.keys()) {
          fleet.isOn.add(id);
          fleet.work(id);
          // A machine that went down comes back, and says so.
          const { attempt, observation } = fleet.hosts.get(id) ?? {};
          if (attempt?.outcome && observation?.digest && (attempt.endedAt ?? 0) >= observation.at)
            fleet.hear(id, observation.digest);
        }
        fleet.pass(MINUTE);
      }
      expect(isOver(fleet.rollout)).toBe(true);
    }),
    { numRuns: 100, seed: 20_261_126 },
  );
});
