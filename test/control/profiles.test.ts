import { expect, test } from 'vitest';
import { profileCases, settleProfiles } from '../../server/control/profiles.ts';
import type { Host } from '../../server/core/host.ts';
import type { Profile } from '../../server/core/profile.ts';
import { hostWith, macAt, NOW } from '../fixtures/hosts.ts';
import { useCases } from '../fixtures/use-cases.ts';

const ALICE = { name: 'alice' };
const quiet: Profile = { name: 'web', settings: { append: 'quiet' }, revision: 1, createdAt: NOW };
const hostAt = (number: number, facts: Partial<Host['enrolment']> = {}) =>
  hostWith({
    enrolment: {
      id: `host-${number}`,
      macs: [macAt(number)],
      profile: 'web',
      append: 'quiet',
      origins: { append: 'profile' },
      ...facts,
    },
  });

/** More than are brought under a profile in one transaction. */
const MANY = 250;

async function fleet() {
  const { context, ...rest } = await useCases();
  const own = { append: 'own', origins: { append: 'own' as const } };
  const hosts = Array.from({ length: MANY }, (_, number) => hostAt(number, number === 7 ? own : {}));
  await context.store.change({}, () => ({ answer: 0, profile: quiet, hosts }));
  const appends = async () => {
    const all = await Promise.all(hosts.map(({ enrolment: { id } }) => context.store.host({ id })));
    return new Set(all.map((host) => host?.enrolment.append));
  };
  return { ...rest, context, hosts, appends };
}

test('a change reaches every host, also those beyond one transaction, before it is answered', async () => {
  const { context, appends } = await fleet();
  await profileCases(context).put(ALICE, 'web', { append: 'loud' });
  expect(await appends()).toEqual(new Set(['loud', 'own']));
});

test('a server that was killed in the middle goes on at its start, and touches nobody who is there', async () => {
  const { context, hosts, appends, time } = await fleet();
  await context.store.change({ hosts: ['host-1', 'host-2'] }, (records) => ({
    answer: 0,
    profile: { ...quiet, settings: { append: 'loud' }, revision: 2 },
    hosts: records.hosts.map((host) => ({ ...host, enrolment: { ...host.enrolment, append: 'loud' } })),
  }));
  expect(await appends()).toEqual(new Set(['quiet', 'loud', 'own']));
  time.now += 1_000;
  await settleProfiles(context);
  expect(await appends()).toEqual(new Set(['loud', 'own']));
  const serialOf = async (id: string) => (await context.store.host({ id }))?.enrolment.serial;
  expect(await serialOf('host-1')).toBe(hosts[1]?.enrolment.serial);
  expect(await serialOf('host-9')).toBe(time.now);
  time.now += 1_000;
  await settleProfiles(context);
  expect(await serialOf('host-9')).toBe(time.now - 1_000);
});
