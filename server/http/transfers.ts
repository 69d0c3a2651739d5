import { setTimeout as pause } from 'node:timers/promises';
import { type Pace, pace } from '../core/pace.ts';
import type { TransferLimits } from '../core/transfer-limits.ts';
import { type Asker, transferTurns } from '../core/transfer-turns.ts';

/** One transfer that may be sent now. */
export type Transfer = {
  /** Resolves when so many more bytes may go, or when `signal` aborts. Undefined: at once. */
  mayGo(bytes: number, signal: AbortSignal): Promise<unknown> | undefined;
  /** Gives its place to the next; may be said again. @param isLast the end of what there is was sent */
  end(isLast: boolean): void;
};

export type Refusal = { readonly afterSeconds: number; readonly why: string };

/** The limits of what is sent to machines: how many transfers at once, and how fast, all together and for each host. */
export type Transfers = {
  begin(host: string, asker: Asker): Transfer | Refusal;
  /** For who watches: transfers now, hosts that wait for a turn, and how often one was told to. */
  now(): { readonly active: number; readonly waiting: number; readonly refused: number };
};

/** Hosts whose pace is remembered after their last transfer: who asks for many small ranges is not faster for it. */
const KEPT_HOSTS = 4_096;

export function transfers(limits: TransferLimits): Transfers {
  const { atOnce, atOncePerHost, rate, ratePerHost } = limits;
  const turns = transferTurns({ all: atOnce ?? Infinity, each: atOncePerHost ?? Infinity });
  const all = pace(rate);
  const each = new Map<string, Pace>();
  let refused = 0;

  function paceOf(host: string): Pace {
    const own = each.get(host) ?? pace(ratePerHost);
    if (ratePerHost === null) return own;
    each.delete(host);
    each.set(host, own);
    const [oldest] = each.keys();
    if (each.size > KEPT_HOSTS && oldest !== undefined) each.delete(oldest);
    return own;
  }

  return {
    begin(host, asker) {
      const answer = turns.ask(host, performance.now(), Math.random(), asker);
      if (answer.kind === 'later') {
        refused += 1;
        const why =
          answer.why === 'all'
            ? `The server sends ${atOnce} images at once and no more`
            : `A host is sent ${atOncePerHost} at once and no more`;
        return {
          afterSeconds: answer.afterSeconds,
          why: `${why}. Ask again in ${answer.afterSeconds} seconds.`,
        };
      }
      const own = paceOf(host);
      let isOver = false;
      return {
        mayGo(bytes, signal) {
          const now = performance.now();
          const waitMs = Math.max(all(bytes, now), own(bytes, now));
          return waitMs > 0 ? pause(waitMs, undefined, { signal }).catch(() => {}) : undefined;
        },
        end(isLast) {
          if (!isOver) turns.end(host, performance.now(), asker === 'machine' && !isLast);
          isOver = true;
        },
      };
    },
    now: () => ({ active: turns.active, waiting: turns.waiting, refused }),
  };
}
