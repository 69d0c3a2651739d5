import type { Enrolment, Host } from './host.ts';

/** A place in the order of enrolment, between two hosts or on one: who is removed there leaves it as good as it was. */
export type HostPlace = Pick<Enrolment, 'createdAt' | 'id'>;

/** Reads many hosts without holding up others. */
export type Fleet = {
  /**
   * Looks at the next hosts after a place (null: from the first), not more than a few milliseconds' worth.
   * @param isWanted by the enrolment alone; the other two records are read only where it says so
   * @param limit of hosts to return; where it is reached, `next` is the place of the last one
   * @returns what was found, in the order of enrolment, and where to look on; `next` is null at the end
   */
  look(
    after: HostPlace | null,
    limit: number,
    isWanted: (host: Enrolment) => boolean,
  ): Promise<{ readonly hosts: readonly Host[]; readonly next: HostPlace | null }>;
};
