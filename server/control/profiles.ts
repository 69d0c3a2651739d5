import type { By } from '../core/by.ts';
import { WarmbootError } from '../core/errors.ts';
import type { Enrolment } from '../core/host.ts';
import { MOST_LABELS } from '../core/host-limits.ts';
import type { Records } from '../core/ports.ts';
import { isProfileName, type Profile, SETTING_NAMES, withSettings } from '../core/profile.ts';
import type { Expected } from '../core/revision.ts';
import { requireRoom } from '../core/slot-room.ts';
import type { HostSettings, ProfileUseCases } from '../core/use-cases.ts';
import { type Context, change, event } from './context.ts';
import { checked, type Facts } from './orders.ts';

/** Hosts that are brought under a profile in one transaction: the event loop is not held longer than that takes. */
const TOGETHER = 100;

/** Profiles: a change of one is a change of all its hosts. */
export function profileCases(context: Context): ProfileUseCases {
  const { store } = context;
  return {
    list: () => store.profiles.list(),
    async find(name) {
      const profile = await store.profiles.get(name);
      if (!profile) throw noProfile('not-found', name);
      return profile;
    },
    async put(by: By, name: string, wish: HostSettings, expected: Expected | 'new' = null) {
      if (!isProfileName(name))
        throw new WarmbootError(
          'malformed',
          `"${name.slice(0, 80)}" is no name for a profile: write a-z, 0-9, ".", "_", "-", at most 63.`,
        );
      const { labels: _, ...settings } = checked(context, wish);
      const said = Object.fromEntries(Object.entries(settings).filter(([, value]) => value !== null));
      const users = await store.profiles.users(name);
      if (said.layout !== (await store.profiles.get(name))?.settings.layout)
        await requireRoomOn(context, users, { name, settings: said });
      await change(context, {}, (records, now) => {
        const before = records.profile(name);
        requireEdition(name, before, expected);
        const profile: Profile = {
          name,
          settings: said,
          revision: Math.max((before?.revision ?? 0) + 1, now),
          createdAt: before?.createdAt ?? now,
        };
        const what = `${before ? 'changed' : 'made'}, for ${users.length} hosts`;
        const told = event('profile-changed', null, by, what, { profile: name, settings: said });
        return { answer: undefined, profile, events: [told] };
      });
      await settleHosts(context, name);
      const stored = await store.profiles.get(name);
      if (!stored) throw noProfile('not-found', name);
      return stored;
    },
    async remove(by: By, name: string, expected: Expected = null) {
      await change(context, { profile: name }, (records) => {
        const before = records.profile(name);
        if (!before) throw noProfile('not-found', name);
        requireEdition(name, before, expected);
        if (records.hosts.length > 0)
          throw new WarmbootError(
            'conflict',
            `${records.hosts.length} hosts have the profile ${name}. Give them another first, or none.`,
          );
        const told = event('profile-removed', null, by, 'removed', { profile: name });
        return { answer: undefined, removedProfile: name, events: [told] };
      });
    },
  };
}

/**
 * What an operator says of a host, taken into its record: the settings that count follow from its own, its profile and the
 * defaults.
 * @param profile left out: as it has it
 * @throws WarmbootError when there is no such profile
 */
export function settled(
  records: Pick<Records, 'profile'>,
  enrolment: Enrolment,
  { labels, ...settings }: Facts,
  profile: string | null | undefined,
): Enrolment {
  const name = profile === undefined ? enrolment.profile : profile;
  const found = name === null ? null : records.profile(name);
  if (name !== null && !found) throw noProfile('invalid', name);
  const count = Object.keys(labels ?? {}).length;
  // Who has more, of an earlier version, may take some away.
  if (count > MOST_LABELS && count > Object.keys(enrolment.labels).length)
    throw new WarmbootError(
      'invalid',
      `A host has ${MOST_LABELS} labels at most, and this would make ${count}. Take some away.`,
    );
  return withSettings({ ...enrolment, ...(labels && { labels }) }, settings, found);
}

function noProfile(code: 'not-found' | 'invalid', name: string): WarmbootError {
  return new WarmbootError(
    code,
    `There is no profile ${name.slice(0, 80)}. Make it: PUT /api/v1/profiles/NAME, or warmboot profile set NAME.`,
  );
}

function requireEdition(name: string, before: Profile | null, expected: Expected | 'new'): void {
  if (
    expected === 'new' ? before === null : expected === null || (before && expected.includes(before.revision))
  )
    return;
  throw new WarmbootError(
    'outdated',
    `The profile ${name} was ${before ? 'made or changed' : 'removed'} meanwhile. Read it again, then change it.`,
  );
}

/** What a server that was killed in the middle of a change of a profile has left undone. */
export async function settleProfiles(context: Context): Promise<void> {
  for (const { name } of await context.store.profiles.list()) await settleHosts(context, name);
}

/**
 * Brings all hosts of a profile under it as it stands, in parts: until its turn has come a host is as it was. Those that are
 * there already are not touched, so it may be done again at any time.
 */
async function settleHosts(context: Context, name: string): Promise<void> {
  const ids = await context.store.profiles.users(name);
  for (let at = 0; at < ids.length; at += TOGETHER)
    await change(context, { hosts: ids.slice(at, at + TOGETHER) }, (records) => {
      const profile = records.profile(name);
      const hosts = records.hosts.flatMap((host) => {
        const { enrolment } = host;
        if (profile === null || enrolment.profile !== name) return [];
        const settled = withSettings(enrolment, {}, profile);
        return isSame(enrolment, settled) ? [] : [{ ...host, enrolment: settled }];
      });
      return { answer: undefined, hosts };
    });
}

function isSame(one: Enrolment, other: Enrolment): boolean {
  return SETTING_NAMES.every(
    (name) => one[name] === other[name] && one.origins[name] === other.origins[name],
  );
}

/**
 * Whether the disks of all hosts could hold their images under another profile. An image that is assigned at that very moment is
 * held against the layout when it is installed.
 * @throws WarmbootError for the first that could not
 */
async function requireRoomOn(
  context: Context,
  ids: readonly string[],
  { name, settings }: Pick<Profile, 'name' | 'settings'>,
): Promise<void> {
  const profile = { name, settings, revision: 0, createdAt: 0 };
  for (let at = 0; at < ids.length; at += TOGETHER) {
    const scope = { hosts: ids.slice(at, at + TOGETHER) };
    for (const { enrolment } of await context.store.change(scope, ({ hosts }) => ({ answer: hosts }))) {
      const { layout, assignment } = withSettings(enrolment, {}, profile);
      const disk = context.layouts.get(layout);
      if (!assignment || !disk || layout === enrolment.layout) continue;
      const index = await context.library.index(assignment.digest);
      requireRoom(assignment.ref, index?.filesystem?.bytes ?? 0, disk, context.layouts);
    }
  }
}
