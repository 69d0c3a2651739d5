import { describe, expect, test } from 'vitest';
import type { Host } from '../../server/core/host.ts';
import { EVERY_HOST, fits, mayFit } from '../../server/core/host-filter.ts';
import { type HostState, hostState } from '../../server/core/host-state.ts';
import { A, B, C, hostWith, macAt } from '../fixtures/hosts.ts';

const labels = { rack: 'b7', 'site/room': 'North' };
const hosts: Record<string, Host> = {
  active: hostWith({ enrolment: { labels, assignment: { ref: 'one', digest: A } } }),
  staging: hostWith({ attempt: { phase: 'staging' } }),
  hold: hostWith(),
  ignored: hostWith({ enrolment: { status: 'ignored', labels }, observation: null }),
  discovered: hostWith({ enrolment: { status: 'discovered', assignment: null }, observation: null }),
  retired: hostWith({ enrolment: { status: 'retired' } }),
};
const found = (filter: Partial<typeof EVERY_HOST>) =>
  Object.keys(hosts).filter((name) => fits({ ...EVERY_HOST, ...filter }, hosts[name] as Host));

test('without a filter all but ignored ones', () => {
  expect(found({})).toEqual(['active', 'staging', 'hold', 'discovered', 'retired']);
});

test('any of the states', () => {
  for (const [name, host] of Object.entries(hosts)) expect(hostState(host)).toBe(name);
  expect(found({ states: ['ignored', 'staging'] })).toEqual(['staging', 'ignored']);
  expect(found({ states: ['failed'] })).toEqual([]);
});

test('labels', () => {
  expect(found({ selector: [{ key: 'rack', operator: 'in', values: ['b7'] }] })).toEqual(['active']);
  expect(found({ selector: [{ key: 'rack', operator: 'absent', values: [] }] })).not.toContain('active');
});

test('an image that they shall run or run', () => {
  expect(found({ image: A })).toEqual(['active', 'staging', 'hold', 'retired']);
  expect(found({ image: B })).toEqual(['staging', 'hold', 'retired']);
  expect(found({ image: C })).toEqual([]);
});

describe('text', () => {
  test.each([
    ['00:00:01', 'active'],
    ['00-00-01', 'active'],
    [macAt(1).toUpperCase(), 'active'],
    ['north', 'active'],
    ['ROOM=N', 'active'],
    ['b8', undefined],
    ['%', undefined],
  ])('%s', (text, first) => {
    expect(found({ text: { part: text, bySerial: new Set() } })[0]).toBe(first);
  });
  test('a host that was found by its serial fits, and no other', () => {
    expect(found({ text: { part: 'no label', bySerial: new Set(['host-1']) } })).toContain('active');
    expect(found({ text: { part: 'no label', bySerial: new Set(['host-2']) } })).toEqual([]);
  });
});

test('what the first record refuses never fits', () => {
  const filters = [
    {},
    { states: ['ignored', 'active'] as HostState[] },
    { text: { part: 'b7', bySerial: new Set<string>() } },
    { selector: [{ key: 'rack', operator: 'exists' as const, values: [] }] },
  ];
  for (const some of filters)
    for (const host of Object.values(hosts)) {
      const filter = { ...EVERY_HOST, ...some };
      if (!mayFit(filter, host.enrolment)) expect(fits(filter, host)).toBe(false);
    }
});
