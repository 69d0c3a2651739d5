import type { IsPinned } from '../core/upkeep-port.ts';

/** What one build or upload counts on: chunks that it was told are stored, and images. Garbage collection passes them over. */
export type Lease = {
  /** Pin first, look up then: what is found afterwards stays. */
  pin(names: readonly string[]): void;
  release(): void;
};

export type Leases = { lease(): Lease; readonly isPinned: IsPinned };

/** In memory: neither builds nor uploads outlive the server. */
export function imageLeases(onRelease: () => void): Leases {
  const leases = new Set<Set<string>>();
  return {
    lease() {
      const names = new Set<string>();
      leases.add(names);
      return {
        pin(more) {
          for (const name of more) names.add(name);
        },
        release() {
          if (leases.delete(names)) onRelease();
        },
      };
    },
    isPinned(name) {
      for (const names of leases) if (names.has(name)) return true;
      return false;
    },
  };
}
