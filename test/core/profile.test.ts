import { expect, test } from 'vitest';
import { DEFAULT_SETTINGS, type Enrolment } from '../../server/core/host.ts';
import { isProfileName, type Profile, SETTING_NAMES, withSettings } from '../../server/core/profile.ts';
import { enrolment, NOW } from '../fixtures/hosts.ts';

const profile = (settings: Profile['settings'], name = 'web'): Profile => ({
  name,
  settings,
  revision: 1,
  createdAt: NOW,
});
const settings = (host: Enrolment) => Object.fromEntries(SETTING_NAMES.map((name) => [name, host[name]]));
const bare = enrolment();

test('without a profile and a word of its own a host has the defaults', () => {
  const host = withSettings(bare, {}, null);
  expect(settings(host)).toEqual(DEFAULT_SETTINGS);
  expect([host.origins, host.profile]).toEqual([{}, null]);
});

test("the host's own word counts before the profile's, and that before the default", () => {
  const web = profile({ append: 'quiet', switchMode: 'reboot' });
  const host = withSettings(bare, { append: 'console=ttyS1' }, web);
  expect(host).toMatchObject({
    append: 'console=ttyS1',
    switchMode: 'reboot',
    layout: 'two-slots',
    profile: 'web',
  });
  expect(host.origins).toEqual({ append: 'own', switchMode: 'profile' });
});

test('null gives a setting back to the profile, or to the default', () => {
  const web = profile({ append: 'quiet' });
  const own = withSettings(bare, { append: '', switchMode: 'reboot' }, web);
  expect(own).toMatchObject({ append: '', switchMode: 'reboot' });
  const back = withSettings(own, { append: null, switchMode: null }, web);
  expect(back).toMatchObject({ append: 'quiet', switchMode: 'kexec', origins: { append: 'profile' } });
});

test('another edition of the profile, or none, changes what the host did not say itself', () => {
  const host = withSettings(bare, { layout: 'two-slots' }, profile({ rateBytes: 1e6, layout: 'big' }));
  expect(host).toMatchObject({ layout: 'two-slots', rateBytes: 1e6 });
  expect(withSettings(host, {}, profile({ trialSeconds: 900 }))).toMatchObject({
    layout: 'two-slots',
    rateBytes: null,
    trialSeconds: 900,
    origins: { layout: 'own', trialSeconds: 'profile' },
  });
  expect(withSettings(host, {}, null)).toMatchObject({
    rateBytes: null,
    profile: null,
    origins: { layout: 'own' },
  });
});

test('everything else of the host stays', () => {
  const { origins: _, profile: __, ...rest } = withSettings(bare, {}, profile({ append: 'x' }));
  const { origins: ___, profile: ____, ...before } = bare;
  expect(rest).toEqual({ ...before, append: 'x' });
});

test.each([
  ['web', true],
  ['dell-r640.v2', true],
  ['a', true],
  ['', false],
  ['Web', false],
  ['-web', false],
  ['web/../x', false],
  ['..', false],
  ['a'.repeat(64), false],
])('profile name %s', (name, isGood) => {
  expect(isProfileName(name)).toBe(isGood);
});
