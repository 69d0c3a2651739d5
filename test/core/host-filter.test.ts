import { describe, expect, test } from 'vitest';
import type { Host } from '../../server/core/host.ts';
import { EVERY_HOST, fits, mayFit, searched, type TextFilter } from '../../server/core/host-filter.ts';
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

const text = (part: string, more: Partial<TextFilter> = {}): TextFilter => ({
  ...searched(part),
  byInventory: new Set(),
  images: new Set(),
  ...more,
});

describe('text', () => {
  test.each([
    ['00:00:01', 'active'],
    ['00-00-01', 'active'],
    [macAt(1).toUpperCase(), 'active'],
    ['north', 'active'],
    ['ROOM=N', 'active'],
    ['0000.0001', 'active'],
    ['525400000001', 'active'],
    ['5254', 'active'],
    ['52-54', 'active'],
    // Two digits are one byte: these are the halves of two.
    ['25', undefined],
    ['b8', undefined],
    [':', undefined],
    ['.', undefined],
    ['_', undefined],
    ['%', undefined],
  ])('%s', (part, first) => {
    expect(found({ text: text(part) })[0]).toBe(first);
  });
  test('a host that was found by its inventory fits, and no other', () => {
    expect(found({ text: text('no label', { byInventory: new Set(['host-1']) }) })).toContain('active');
    expect(found({ text: text('no label', { byInventory: new Set(['host-2']) }) })).toEqual([]);
  });
  test('the image that it shall run, and the one that it runs', () => {
    const running = hostWith({ enrolment: { assignment: { ref: 'Web:v2', digest: A } } });
    const fitsText = (filter: TextFilter) => fits({ ...EVERY_HOST, text: filter }, running);
    expect(fitsText(text('web:V'))).toBe(true);
    expect(fitsText(text('web:v3'))).toBe(false);
    expect(fitsText(text('nothing else', { images: new Set([running.observation?.digest ?? C]) }))).toBe(
      true,
    );
    expect(fitsText(text('nothing else', { images: new Set([C]) }))).toBe(false);
  });
});

test('what the first record refuses never fits', () => {
  const filters = [
    {},
    { states: ['ignored', 'active'] as HostState[] },
    { text: text('b7') },
    { text: text('no label', { images: new Set([B]) }) },
    { selector: [{ key: 'rack', operator: 'exists' as const, values: [] }] },
  ];
  for (const some of filters)
    for (const host of Object.values(hosts)) {
      const filter = { ...EVERY_HOST, ...some };
      if (!mayFit(filter, host.enrolment)) expect(fits(filter, host)).toBe(false);
    }
});
