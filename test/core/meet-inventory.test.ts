import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Host } from '../../server/core/host.ts';
import type { Inventory } from '../../server/core/inventory.ts';
import type { Mac } from '../../server/core/mac.ts';
import { meetInventory } from '../../server/core/meet-inventory.ts';
import { hostWith, macAt } from '../fixtures/hosts.ts';
import { factsOf } from '../fixtures/inventories.ts';

const [one, two, three] = [macAt(1), macAt(2), macAt(3)];
const waiting = (id: string, macs: Mac[], facts: Inventory | null, createdAt = 1) => ({
  host: hostWith({ enrolment: { id, status: 'discovered', macs, createdAt }, observation: null }),
  facts,
});
const idOf = (host: Host | null) => host?.enrolment.id ?? null;

describe('cards of one machine', () => {
  test('a machine that nobody knows has the MACs of its inventory, the one it came by first', () => {
    expect(meetInventory(two, factsOf([one, two]), [])).toEqual({
      home: null,
      macs: [two, one],
      absorbed: [],
      refused: [],
    });
  });
  test('its other card leads to the same host, whose name stays', () => {
    const facts = factsOf([one, two], 'S');
    const known = waiting('h', [one, two], facts);
    const { home, macs } = meetInventory(two, facts, [known]);
    expect([idOf(home), macs]).toEqual(['h', [one, two]]);
  });
  test('two that waited are one when one inventory names both; the older record stays', () => {
    const young = waiting('young', [one], factsOf([one]), 2);
    const old = waiting('old', [two], factsOf([two]), 1);
    const met = meetInventory(three, factsOf([one, two, three]), [young, old]);
    expect([idOf(met.home), met.macs, met.absorbed.map(idOf)]).toEqual(['old', [two, three, one], ['young']]);
  });
  test('the record of the MAC it came by is the one that stays', () => {
    const young = waiting('young', [one], factsOf([one]), 2);
    const old = waiting('old', [two], factsOf([two]), 1);
    const met = meetInventory(one, factsOf([one, two]), [young, old]);
    expect([idOf(met.home), met.absorbed.map(idOf)]).toEqual(['young', ['old']]);
  });
});

describe('stays apart', () => {
  const refusal = (known: ReturnType<typeof waiting>, said: Inventory, mac = one) => {
    const met = meetInventory(mac, said, [known]);
    expect(met.absorbed).toEqual([]);
    expect(met.macs).not.toContain(known.host.enrolment.macs[0]);
    return met.refused[0]?.reason;
  };
  test('another serial', () => {
    const known = waiting('h', [two], factsOf([two], 'A'));
    expect(refusal(known, factsOf([one, two], 'B'))).toMatch(/another serial \(A, now B\)/);
  });
  test('another UUID; the same UUID joins nothing', () => {
    const [a, b] = ['4c4c4544-0041-4210-8043-b1c04f313233', '4c4c4544-0042-4210-8043-b1c04f313233'];
    const known = waiting('h', [two], factsOf([two], null, a));
    expect(refusal(known, factsOf([one, two], null, b))).toMatch(/another UUID/);
    expect(meetInventory(one, factsOf([one], null, a), [])).toMatchObject({ home: null, macs: [one] });
  });
  test('a card that the inventory does not name: one that was moved, or a MAC that exists twice', () => {
    const known = waiting('h', [two, three], factsOf([two, three]));
    expect(refusal(known, factsOf([one, two]))).toMatch(/has 52:54:00:00:00:03 too/);
  });
  test.each(['approved', 'retired'] as const)('a host that is %s', (status) => {
    const known = { host: hostWith({ enrolment: { status, macs: [two] } }), facts: null };
    expect(refusal(known, factsOf([one, two]))).toMatch(new RegExp(`a host that is ${status}`));
  });
  test('an approved host takes no MAC from what it says, nor a machine that waits', () => {
    const home = hostWith({ enrolment: { id: 'mine', macs: [one] } });
    const other = waiting('w', [two], factsOf([two]));
    const met = meetInventory(one, factsOf([one, two, three]), [{ host: home, facts: null }, other]);
    expect(met).toMatchObject({ home, macs: [one], absorbed: [] });
    expect(met.refused).toHaveLength(1);
  });
});

/** Real machines, of which some share a MAC, say what they are in any order, whole or in part. */
describe('a world of machines', () => {
  type Machine = { readonly macs: readonly Mac[]; readonly serial: string | null };
  const world = fc
    .record({
      sizes: fc.array(fc.integer({ min: 1, max: 4 }), { minLength: 1, maxLength: 5 }),
      serials: fc.array(fc.boolean(), { minLength: 5, maxLength: 5 }),
      steps: fc.array(
        fc.record({
          machine: fc.nat(4),
          by: fc.nat(3),
          seen: fc.array(fc.nat(3), { maxLength: 4 }),
          approve: fc.boolean(),
        }),
        { maxLength: 30 },
      ),
    })
    .map(({ sizes, serials, steps }) => {
      let next = 1;
      const machines: Machine[] = sizes.map((size, i) => ({
        macs: Array.from({ length: size }, () => macAt(next++)),
        serial: serials[i] ? `serial-${i}` : null,
      }));
      return { machines, steps };
    });

  class Records {
    readonly all = new Map<string, { host: Host; facts: Inventory | null }>();
    #ids = 0;

    take(mac: Mac, facts: Inventory): void {
      const named = new Set<Mac>([mac, ...facts.nics.flatMap(({ mac: each }) => (each ? [each] : []))]);
      const holders = [...this.all.values()].filter(({ host }) =>
        host.enrolment.macs.some((each) => named.has(each)),
      );
      const { home, macs, absorbed } = meetInventory(mac, facts, holders);
      for (const host of absorbed) this.all.delete(host.enrolment.id);
      const id = home?.enrolment.id ?? `h${++this.#ids}`;
      const base = home ?? waiting(id, [...macs], null, this.#ids).host;
      this.all.set(id, { host: { ...base, enrolment: { ...base.enrolment, macs } }, facts });
    }
    approve(mac: Mac): void {
      for (const [id, { host, facts }] of this.all)
        if (host.enrolment.macs.includes(mac))
          this.all.set(id, {
            host: { ...host, enrolment: { ...host.enrolment, status: 'approved' } },
            facts,
          });
    }
    get hosts(): Host[] {
      return [...this.all.values()].map(({ host }) => host);
    }
  }

  const inventory = ({ macs, serial }: Machine, seen: readonly number[]) =>
    factsOf(
      macs.filter((_, i) => seen.includes(i)),
      serial,
    );
  const at = <T>(list: readonly T[], index: number): T => list[index % list.length] as T;

  test('no MAC has two hosts, no host two machines, and no approved host changes', () => {
    fc.assert(
      fc.property(world, ({ machines, steps }) => {
        const records = new Records();
        for (const { machine, by, seen, approve } of steps) {
          const real = at(machines, machine);
          const mac = at(real.macs, by);
          const before = records.hosts.filter(({ enrolment }) => enrolment.status === 'approved');
          records.take(mac, inventory(real, seen));
          for (const host of before) expect(records.all.get(host.enrolment.id)?.host).toEqual(host);
          const macs = records.hosts.flatMap(({ enrolment }) => enrolment.macs);
          expect(new Set(macs).size).toBe(macs.length);
          for (const { enrolment } of records.hosts)
            expect(
              machines.filter((each) => enrolment.macs.some((one) => each.macs.includes(one))),
            ).toHaveLength(1);
          // The machine that spoke is found by the MAC it came by.
          expect(macs).toContain(mac);
          if (approve && machine === 0) records.approve(mac);
        }
      }),
      { numRuns: 500 },
    );
  });

  test('a machine that says all it has, and of which nothing was approved, is one host', () => {
    fc.assert(
      fc.property(world, ({ machines, steps }) => {
        const records = new Records();
        for (const { machine, by, seen } of steps) {
          const real = at(machines, machine);
          records.take(at(real.macs, by), inventory(real, seen));
        }
        for (const real of machines) records.take(at(real.macs, 0), inventory(real, [0, 1, 2, 3]));
        expect(records.hosts).toHaveLength(machines.length);
        for (const real of machines)
          expect(records.hosts.map(({ enrolment }) => [...enrolment.macs].sort())).toContainEqual(
            [...real.macs].sort(),
          );
      }),
      { numRuns: 300 },
    );
  });

  test('two machines that share a MAC are never one, if anything tells them apart', () => {
    fc.assert(
      fc.property(
        fc.array(fc.record({ left: fc.boolean(), by: fc.nat(1) }), { maxLength: 20 }),
        fc.boolean(),
        (steps, hasSerials) => {
          const left: Machine = { macs: [macAt(1), macAt(9)], serial: hasSerials ? 'L' : null };
          const right: Machine = { macs: [macAt(2), macAt(9)], serial: hasSerials ? 'R' : null };
          const records = new Records();
          for (const step of steps) {
            const real = step.left ? left : right;
            records.take(at(real.macs, step.by), inventory(real, [0, 1]));
            for (const { enrolment } of records.hosts)
              expect(enrolment.macs.includes(macAt(1)) && enrolment.macs.includes(macAt(2))).toBe(false);
          }
        },
      ),
    );
  });
});
