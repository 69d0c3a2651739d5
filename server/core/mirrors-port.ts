import type { By } from './by.ts';
import type { NewEvent } from './events.ts';
import type { Mirror, MirrorEdition } from './mirrors.ts';

export type MirrorStore = {
  edition(): Promise<MirrorEdition>;
  /**
   * Sets all of them, with an event in the same transaction.
   * @param expected the version that is replaced
   * @returns the new edition; null when another one is in force by now
   */
  set(mirrors: readonly Mirror[], expected: number, told: NewEvent): Promise<MirrorEdition | null>;
};

export type MirrorUseCases = {
  edition(): Promise<MirrorEdition>;
  /** @returns null when `expected` is not the edition in force */
  set(by: By, mirrors: readonly Mirror[], expected: number): Promise<MirrorEdition | null>;
};
