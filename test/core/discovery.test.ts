import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type DiscoveryRule, decide, FIRST_POLICY, forgetAt } from '../../server/core/discovery.ts';
import { inventoryOf } from '../../server/core/inventory.ts';
import { NOW } from '../fixtures/hosts.ts';
import { saidInventory } from '../fixtures/inventories.ts';

const seen = { facts: inventoryOf(saidInventory()), address: '10.1.2.3' };
const rule = (match: DiscoveryRule['match'], action: DiscoveryRule['action'] = 'enrol'): DiscoveryRule => ({
  name: 'r',
  match,
  action,
});
const ruling = (...rules: DiscoveryRule[]) => decide({ ...FIRST_POLICY.policy, rules }, seen);

test('without a rule a machine waits', () => {
  expect(ruling()).toMatchObject({ action: 'hold', rule: null, reason: 'no rule fits' });
});

test.each([
  [{}, true],
  [{ vendor: 'dell inc.' }, true],
  [{ vendor: 'Dell*' }, true],
  [{ vendor: '*INC*' }, true],
  [{ vendor: 'Dell' }, false],
  [{ product: 'Power*R640' }, true],
  [{ product: 'Power*R64' }, false],
  [{ product: '*R640*R640' }, false],
  [{ vendor: 'Dell*', product: 'ProLiant*' }, false],
  [{ serials: ['x', 'abc1234'] }, true],
  [{ serials: ['cn0001'] }, true],
  [{ serials: ['ABC12'] }, false],
  [{ subnet: '10.1.0.0/16' }, true],
  [{ subnet: '10.2.0.0/16' }, false],
  [{ architecture: 'x86_64' }, true],
  [{ architecture: 'aarch64' }, false],
])('%j fits: %s', (match, fits) => {
  expect(ruling(rule(match)).action).toBe(fits ? 'enrol' : 'hold');
});

test('what a machine did not say fits nothing', () => {
  const none = { vendor: null, product: null, serial: null, uuid: null };
  const bare = { facts: inventoryOf(saidInventory({ system: none })), address: 'unknown' };
  const policy = (match: DiscoveryRule['match']) => ({ ...FIRST_POLICY.policy, rules: [rule(match)] });
  for (const match of [{ vendor: '*' }, { product: '*' }, { subnet: '0.0.0.0/0' }, { serials: ['null'] }])
    expect(decide(policy(match), bare).action).toBe('hold');
});

test('the reason says what fitted', () => {
  const { reason } = ruling(rule({ vendor: 'Dell*', subnet: '10.0.0.0/8' }));
  expect(reason).toBe('rule "r" fits: vendor Dell Inc., address 10.1.2.3 in 10.0.0.0/8');
});

test('a machine that has said nothing waits, whatever the rules', () => {
  const policy = { ...FIRST_POLICY.policy, rules: [rule({})], otherwise: 'ignore' as const };
  expect(decide(policy, null)).toMatchObject({ action: 'hold', rule: null });
});

test('no rule orders an install onto a disk that holds a system of ours', () => {
  const [disk] = saidInventory().disks;
  const facts = inventoryOf(saidInventory({ disks: disk ? [disk, { ...disk, content: 'warmboot' }] : [] }));
  const decided = (more: Partial<DiscoveryRule>) =>
    decide({ ...FIRST_POLICY.policy, rules: [{ ...rule({}), ...more }] }, { ...seen, facts });
  expect(decided({ image: 'debian-13' })).toMatchObject({ action: 'hold', rule: 'r', by: null });
  expect(decided({ image: 'debian-13' }).reason).toMatch(/waits all the same: disk sda holds/);
  expect(decided({})).toMatchObject({ action: 'enrol', by: { name: 'r' } });
});

describe('whatever the rules', () => {
  const someRule = fc.record({
    name: fc.stringMatching(/^[a-z]{1,3}$/),
    match: fc.record(
      {
        vendor: fc.constantFrom('Dell*', '*', 'HPE', 'dell inc.'),
        serials: fc.constantFrom(['ABC1234'], ['other']),
        subnet: fc.constantFrom('10.1.0.0/16', '10.2.0.0/16'),
      },
      { requiredKeys: [] },
    ),
    action: fc.constantFrom('hold', 'enrol', 'ignore'),
  } as const);
  test('the first that fits alone decides, and what stands behind it changes nothing', () => {
    fc.assert(
      fc.property(fc.array(someRule), fc.array(someRule), (rules, more) => {
        const found = ruling(...rules);
        const first = rules.find((each) => ruling(each).by !== null) ?? null;
        expect(found.by).toBe(first);
        if (first) expect(ruling(...rules, ...more)).toEqual(found);
      }),
    );
  });
  test('a pattern with stars is what a regular expression says', () => {
    const letters = fc.stringMatching(/^[ab*]{1,6}$/);
    fc.assert(
      fc.property(letters, fc.stringMatching(/^[ab]{1,8}$/), (pattern, vendor) => {
        const facts = inventoryOf(
          saidInventory({ system: { vendor, product: null, serial: null, uuid: null } }),
        );
        const policy = { ...FIRST_POLICY.policy, rules: [rule({ vendor: pattern })] };
        const fits = decide(policy, { facts, address: '' }).action === 'enrol';
        expect(fits).toBe(new RegExp(`^${pattern.replaceAll('*', '.*')}$`).test(vendor));
      }),
      { numRuns: 500 },
    );
  });
});

test('days are days', () => {
  expect(forgetAt({ ...FIRST_POLICY.policy, forgetAfterDays: 2 }, NOW)).toBe(NOW + 2 * 86_400_000);
});
