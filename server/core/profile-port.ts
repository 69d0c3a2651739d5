import type { Profile } from './profile.ts';

/** Profiles as they stand; they are changed by `Store.change`. */
export type ProfileStore = {
  get(name: string): Promise<Profile | null>;
  /** Ids of the hosts that have it. */
  users(name: string): Promise<readonly string[]>;
  /** By name. */
  list(): Promise<readonly Profile[]>;
};
