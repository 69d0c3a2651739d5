import { describe, expect, test } from 'vitest';
import type { Attempt } from '../../server/core/attempt.ts';
import { claimedBy, isLost, mayBeClaimed, moveClaim } from '../../server/core/claim.ts';
import {
  CLAIM_MOVES,
  CLAIM_STATES,
  CLAIM_TRIGGERS,
  type ClaimState,
  claimMove,
  claimState,
} from '../../server/core/claim-moves.ts';
import type { Host, Observation } from '../../server/core/host.ts';
import { PATIENCE } from '../../server/core/patience.ts';
import { claimWith, hostWith, NOW } from '../fixtures/hosts.ts';

const install = { kind: 'install', phase: 'claimed' } as const;
const hosts: Readonly<Record<ClaimState, Host>> = {
  none: hostWith({ attempt: install }),
  new: hostWith({ attempt: install, enrolment: { claim: claimWith({ standing: 'new', before: 'older' }) } }),
  used: hostWith({ attempt: install, enrolment: { claim: claimWith({ refused: ['gone'] }) } }),
  lapsed: hostWith({
    attempt: install,
    enrolment: { claim: claimWith({ standing: 'lapsed', before: 'older' }) },
  }),
  void: hostWith({
    attempt: { ...install, id: 'attempt-2' },
    enrolment: { claim: claimWith({ standing: 'new', before: 'older' }) },
  }),
  released: hostWith({
    attempt: install,
    enrolment: { claim: claimWith({ standing: 'released', refused: ['hash'] }) },
  }),
};
const tokens = [null, 'hash', 'older', 'gone', 'stranger'];

test.each(CLAIM_STATES)('%s is worked out from the records', (state) => {
  expect(claimState(hosts[state])).toBe(state);
});

test('every claim, whatever happens to it, goes by a line of the table, and every line is gone by', () => {
  const used = new Set<unknown>();
  for (const state of CLAIM_STATES)
    for (const on of CLAIM_TRIGGERS)
      for (const tokenHash of tokens)
        for (const install of ['attempt-1', 'attempt-2'])
          for (const isLost of [false, true])
            used.add(claimMove(hosts[state], on, { tokenHash, install, isLost }));
  expect(CLAIM_MOVES.filter((line) => !used.has(line))).toEqual([]);
});

test('who is heard in which state', () => {
  const heard = (state: ClaimState) =>
    tokens.filter((tokenHash) => claimMove(hosts[state], 'word', { tokenHash }).to !== 'refused');
  expect(Object.fromEntries(CLAIM_STATES.map((state) => [state, heard(state)]))).toEqual({
    none: tokens,
    new: ['hash'],
    used: ['hash'],
    lapsed: ['hash', 'older'],
    void: ['older'],
    released: [],
  });
});

test('nothing makes a host that was claimed once one for which anybody may speak', () => {
  for (const state of CLAIM_STATES.filter((each) => each !== 'none'))
    for (const on of ['word', 'silence', 'release'] as const)
      for (const tokenHash of tokens) {
        const { host } = moveClaim(hosts[state], on, { tokenHash });
        expect(claimState(host)).not.toBe('none');
        expect(claimMove(host, 'word', { tokenHash: 'stranger' }).to).toBe('refused');
      }
});

test('a claim that nothing follows is undone: the token that was good before is, also after several', () => {
  let host = claimedBy(hosts.used, 'first', 'attempt-1');
  for (const next of ['second', 'third']) {
    host = moveClaim(host, 'silence').host;
    host = claimedBy(host, next, 'attempt-1');
  }
  expect(host.enrolment.claim).toEqual({
    tokenHash: 'third',
    claimedFor: 'attempt-1',
    standing: 'new',
    before: 'hash',
    refused: ['gone'],
  });
  expect(claimMove(host, 'word', { tokenHash: 'hash' }).to).toBe('refused');
  const lapsed = moveClaim(host, 'silence').host;
  expect(claimMove(lapsed, 'word', { tokenHash: 'hash' }).to).toBe('stays');
  expect(moveClaim(lapsed, 'word', { tokenHash: 'hash' }).host).toBe(lapsed);
});

test('its first word ends the time of the token before', () => {
  const { host } = moveClaim(hosts.lapsed, 'word', { tokenHash: 'hash' });
  expect(host.enrolment.claim).toEqual(claimWith());
});

describe('a token that a power cut took before it was on the disk', () => {
  const { claimMs } = PATIENCE;
  const lost = (
    attempt: Partial<Attempt>,
    silentMs = claimMs,
    observation: Partial<Observation> | null = null,
  ) =>
    isLost(
      hostWith({ attempt: { ...install, phaseAt: NOW, ...attempt }, observation }),
      NOW + silentMs,
      PATIENCE,
    );
  const during = (phase: string) =>
    ({ phase: 'writing', progress: { phase, bytesDone: 0, bytesTotal: 0 } }) as const;

  test('is lost after the time of a claim without a word, and not before', () => {
    expect([lost({}), lost(during('partition')), lost(during('files'))]).toEqual([true, true, true]);
    expect([lost({}, claimMs - 1), lost(during('partition'), claimMs - 1)]).toEqual([false, false]);
    expect(lost(during('partition'), claimMs, { at: NOW + 1 })).toBe(false);
    expect(lost(during('partition'), claimMs + 1, { at: NOW + 1 })).toBe(true);
  });
  test('is not where it may be on the disk, or where no install waits for it', () => {
    for (const phase of ['wait', 'write', 'check', 'boot-files']) expect(lost(during(phase))).toBe(false);
    expect(lost({ phase: 'installed' })).toBe(false);
    expect(lost({ outcome: 'failed' })).toBe(false);
    expect(lost({ kind: 'switch', phase: 'staging' })).toBe(false);
  });
  test('gives way to another, and comes back where that one says nothing', () => {
    const facts = { tokenHash: 'another', install: 'attempt-1' };
    for (const host of [hosts.new, hosts.used]) {
      expect(claimMove(host, 'claim', facts).to).toBe('refused');
      expect(claimMove(host, 'claim', { ...facts, isLost: true }).to).toBe('new');
      expect([mayBeClaimed(host), mayBeClaimed(host, true)]).toEqual([false, true]);
    }
    expect(claimMove(hosts.used, 'claim', { ...facts, tokenHash: 'hash', isLost: true }).to).toBe('stays');
    const lapsed = moveClaim(claimedBy(hosts.used, 'another', 'attempt-1'), 'silence').host;
    expect(claimMove(lapsed, 'word', { tokenHash: 'hash' }).to).toBe('stays');
  });
});

test('a token that was taken away is never taken again, whatever was claimed since', () => {
  let host = moveClaim(hosts.used, 'release').host;
  for (const token of ['one', 'two', 'three']) {
    host = claimedBy(host, token, 'attempt-1');
    expect(claimMove(host, 'claim', { tokenHash: 'hash', install: 'attempt-9' }).to).toBe('refused');
    host = moveClaim(host, 'silence').host;
  }
  expect(host.enrolment.claim?.refused).toEqual(['gone', 'hash']);
  expect(host.enrolment.claim?.before).toBeNull();
});

test('of the tokens that were taken away the newest are kept', () => {
  let host = hosts.used;
  for (let at = 0; at < 100; at += 1)
    host = moveClaim(claimedBy(moveClaim(host, 'release').host, `t${at}`, `attempt-${at}`), 'release').host;
  expect(host.enrolment.claim?.refused).toHaveLength(32);
  expect(host.enrolment.claim?.refused.at(-1)).toBe('t99');
});

test('an order is shown to all only while its install may be claimed', () => {
  expect(CLAIM_STATES.filter((state) => mayBeClaimed(hosts[state]))).toEqual([
    'none',
    'lapsed',
    'void',
    'released',
  ]);
  expect(mayBeClaimed(hostWith({ attempt: { kind: 'switch' } }))).toBe(false);
  expect(mayBeClaimed(hostWith({ attempt: { ...install, outcome: 'failed' } }))).toBe(false);
});
