import { DEFAULT_SETTINGS, type Enrolment, type Settings } from './host.ts';

/** Defaults for many hosts at once: what a profile gives counts for each of its hosts that does not say otherwise itself. */
export type Profile = {
  readonly name: string;
  /** What is left out takes the server's default. */
  readonly settings: Partial<Settings>;
  /** Rises with every change; at least the clock's milliseconds. */
  readonly revision: number;
  /** Milliseconds since 1970. */
  readonly createdAt: number;
};

type SettingName = keyof Settings;
export const SETTING_NAMES = Object.keys(DEFAULT_SETTINGS) as readonly SettingName[];

/** Settings as somebody asks for them: null gives one back to the profile, left out leaves it as it is. */
export type SettingChanges = { readonly [Name in SettingName]?: Settings[Name] | null | undefined };

const NAME = /^[a-z0-9](?:[a-z0-9._-]{0,61}[a-z0-9])?$/;

export function isProfileName(text: string): boolean {
  return NAME.test(text);
}

/**
 * The host with settings of its own changed, under a profile or none. The values that count stand in the enrolment itself,
 * with where each came from: nobody who reads a host has to look for its profile.
 */
export function withSettings(
  enrolment: Enrolment,
  changes: SettingChanges,
  profile: Profile | null,
): Enrolment {
  const [values, origins]: [Record<string, unknown>, Record<string, 'own' | 'profile'>] = [{}, {}];
  for (const name of SETTING_NAMES) {
    const own =
      changes[name] === undefined && enrolment.origins[name] === 'own' ? enrolment[name] : changes[name];
    const given = profile?.settings[name];
    values[name] = own ?? given ?? DEFAULT_SETTINGS[name];
    if (own != null) origins[name] = 'own';
    else if (given != null) origins[name] = 'profile';
  }
  return { ...enrolment, ...(values as Settings), origins, profile: profile?.name ?? null };
}
