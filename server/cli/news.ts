import { setTimeout } from 'node:timers/promises';
import { eventListSchema } from '../contract/events.ts';
import { InterruptedError } from './cli-error.ts';
import type { Session } from './session.ts';

/**
 * Follows the server's log in the background, across broken connections; what is in it does not matter, only that it goes on.
 * @param filter of the events that are news
 */
export function listen({ client, world }: Session, filter: URLSearchParams) {
  const ended = new AbortController();
  const signal = AbortSignal.any([world.signal, ended.signal]);
  let wake = () => {};
  const news = {
    hasCome: false,
    /** What happens from now on comes; false: time alone brings news. */
    isFollowing: false,
    /** Until something has come, or so long. @throws InterruptedError */
    async next(ms: number): Promise<void> {
      const late = new AbortController();
      wake = () => late.abort();
      await setTimeout(ms, undefined, { signal: AbortSignal.any([signal, late.signal]) }).catch(() => {});
      if (world.signal.aborted) throw new InterruptedError();
    },
    stop: () => ended.abort(),
  };
  void follow();
  return news;

  async function follow(): Promise<void> {
    while (!signal.aborted) {
      try {
        const { data } = await client.get('/api/v1/events?limit=1', eventListSchema);
        const query = new URLSearchParams([...filter, ['after', String(data.next)]]);
        news.isFollowing = true;
        for await (const _ of client.events(`/api/v1/events?${query}`, {}, 'GET', signal)) {
          news.hasCome = true;
          wake();
        }
      } catch {
        // What is wrong is found by whoever loads; until this goes again, time alone brings news.
      }
      news.isFollowing = false;
      await setTimeout(1_000, undefined, { signal }).catch(() => {});
    }
  }
}

export type News = ReturnType<typeof listen>;
