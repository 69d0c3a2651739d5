import type { Wakes } from '../core/ports.ts';

/** Waiting requests by host. In memory: a request does not outlive the server either. */
export function createWakes(): Wakes {
  const listeners = new Map<string, Set<() => void>>();
  return {
    wake: (hostId) => {
      for (const onWake of listeners.get(hostId) ?? []) onWake();
    },
    listen: (hostId, onWake) => {
      const all = listeners.get(hostId) ?? new Set();
      listeners.set(hostId, all.add(onWake));
      return () => {
        all.delete(onWake);
        if (all.size === 0 && listeners.get(hostId) === all) listeners.delete(hostId);
      };
    },
  };
}
