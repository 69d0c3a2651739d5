import type { Host } from '../core/host.ts';
import { beginPowerCycle, endPowerCycle, sparePowerCycle } from '../core/power-cycle.ts';
import type { PowerFacts, PowerHook, PowerOutcome } from '../core/power-port.ts';
import { type Context, change, event } from './context.ts';

/** The power cycles of hosts that said that they jump and did not come back. */
export type PowerCycles = {
  /** Of the ticker's step. */
  readonly name: string;
  /** Begins what waits, as far as there is room. Does not wait for the end of it. */
  look(): Promise<void>;
  stop(): Promise<void>;
};

/** A machine that asked for anything so lately lives: its power is not cut. */
const ALIVE_MS = 5 * 60_000;

/**
 * @param hook null: nothing is cycled
 * @param heard when one of these MACs asked for anything last
 * @param onError told of a store that failed; the next look comes all the same
 */
export function powerCycles(
  context: Context,
  hook: PowerHook | null,
  heard: (macs: readonly string[]) => number | null,
  onError: (error: unknown) => void,
): PowerCycles {
  const { store, patience } = context;
  const stopping = new AbortController();
  const running = new Set<Promise<void>>();
  let isFirst = true;

  async function ended(id: string, { ok, how, output }: PowerOutcome): Promise<void> {
    await change(context, { hosts: [id] }, ({ hosts: [host] }, now) => {
      if (!host) return { answer: undefined };
      const after = endPowerCycle(host, ok, now, patience);
      const told = event(ok ? 'power-cycled' : 'power-cycle-failed', after ?? host, 'server', how, {
        output,
      });
      return { answer: undefined, hosts: after ? [after] : [], events: [told] };
    });
  }

  /** Writes down that it begins, before it does. @returns what the hook is told; null when it shall not run */
  async function begun(id: string): Promise<PowerFacts | null> {
    const facts = (await store.inventory(id))?.facts;
    return change<PowerFacts | null>(context, { hosts: [id] }, ({ hosts: [host] }, now) => {
      const after = host ? beginPowerCycle(host, now, patience) : null;
      if (!host) return { answer: null };
      if (!after) {
        const back = sparePowerCycle(host);
        return { answer: null, hosts: back ? [back] : [] };
      }
      const { macs, labels } = host.enrolment;
      if (now - (heard(macs) ?? 0) < ALIVE_MS) return { answer: null, ...spared(after, now) };
      const told = event('power-cycle-began', after, 'server', 'it did not come back in time');
      const answer = {
        macs,
        labels,
        serial: facts?.system.serial ?? null,
        bmc: facts?.bmc.address ?? null,
      };
      return { answer, hosts: [after], events: [told] };
    });
  }

  function spared(begun: Host, now: number) {
    const host = endPowerCycle(begun, false, now, patience) ?? begun;
    const why = 'its power was not cycled: it lives, for it asked a moment ago';
    return { hosts: [host], events: [event('power-cycle-failed', host, 'server', why)] };
  }

  async function one(id: string, { cycle }: PowerHook): Promise<void> {
    const facts = await begun(id);
    if (facts) await ended(id, await cycle(facts, stopping.signal));
  }

  return {
    name: 'power',
    async look() {
      if (isFirst) {
        for (const id of await store.power.begun())
          await ended(id, {
            ok: false,
            how: 'the server ended while the hook ran; nobody knows whether it did its work',
            output: '',
          });
        isFirst = false;
      }
      if (!hook || stopping.signal.aborted) return;
      const room = hook.atOnce - running.size;
      for (const id of room > 0 ? await store.power.queued(room) : []) {
        const run: Promise<void> = one(id, hook)
          .catch(onError)
          .finally(() => running.delete(run));
        running.add(run);
      }
    },
    async stop() {
      stopping.abort();
      await Promise.all(running);
    },
  };
}
