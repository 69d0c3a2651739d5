import { isOpen } from '../core/attempt.ts';
import type { Host } from '../core/host.ts';
import { HOST_STATES, type HostState, hostState } from '../core/host-state.ts';

/**
 * The state of every host, so that counting them asks no database: 10,000 hosts are one word each. It is set whenever a host
 * is read or changed, and setting it again does no harm, so a first look in parts may run beside changes.
 */
export class Census {
  readonly #states = new Map<string, HostState>();

  readonly #open = new Set<string>();

  set(host: Host): void {
    if (isOpen(host.attempt)) this.#open.add(host.enrolment.id);
    else this.#open.delete(host.enrolment.id);
    this.#states.set(host.enrolment.id, hostState(host));
  }

  remove(hostId: string): void {
    this.#states.delete(hostId);
    this.#open.delete(hostId);
  }

  openAttempts(): number {
    return this.#open.size;
  }

  /** Every state, also those that no host is in: a series that comes and goes alarms nobody. */
  counts(): ReadonlyMap<HostState, number> {
    const counts = new Map<HostState, number>(HOST_STATES.map((state) => [state, 0]));
    for (const state of this.#states.values()) counts.set(state, (counts.get(state) ?? 0) + 1);
    return counts;
  }
}
