import { expect, test } from 'vitest';
import { expire } from '../../server/core/deadlines.ts';
import { release } from '../../server/core/release.ts';
import { claimWith, hostWith, NOW } from '../fixtures/hosts.ts';

const PATIENCE = { claimMs: 1, writeMs: 1, jumpMs: 1 };

test('the hash stays, so that this token is known where it comes again', () => {
  const host = release(hostWith({ enrolment: { claim: claimWith({ refused: ['older'] }) } }));
  expect(host.enrolment.claim).toEqual(claimWith({ standing: 'released', refused: ['older', 'hash'] }));
});

test('with a token of which nothing was heard goes the one that it would have replaced', () => {
  const claim = claimWith({ standing: 'new', before: 'older' });
  const { enrolment } = release(hostWith({ enrolment: { claim } }));
  expect(enrolment.claim).toEqual(claimWith({ standing: 'released', refused: ['older', 'hash'] }));
});

test('nothing to release: nobody has claimed it, or it was released before', () => {
  const released = hostWith({ enrolment: { claim: claimWith({ standing: 'released' }) } });
  for (const host of [hostWith(), released])
    expect(() => release(host)).toThrow('No token holds this host: there is nothing to release.');
});

test('an install that was claimed waits for its next claim, and the ticker leaves it alone', () => {
  const attempt = { kind: 'install', phase: 'claimed', deadline: NOW + 5 } as const;
  for (const standing of ['new', 'used'] as const) {
    const host = release(hostWith({ enrolment: { claim: claimWith({ standing }) }, attempt }));
    expect(host.attempt?.deadline).toBeNull();
    expect(expire(host, NOW + 1e12, PATIENCE as never)).toBeNull();
  }
});

test('one that writes keeps its deadline: what nobody may report any more fails by it', () => {
  const attempt = { kind: 'install', phase: 'writing', deadline: NOW + 5 } as const;
  expect(release(hostWith({ enrolment: { claim: claimWith() }, attempt })).attempt?.deadline).toBe(NOW + 5);
});
