import { setTimeout as sleep } from 'node:timers/promises';
import type { Api } from './api.ts';
import type { Feed, ServerEvent } from './feed.ts';

/** Looks at the server's hosts and events over and over and puts what changed into the feed. */
export class Watch {
  readonly #api: Api;
  readonly #feed: Feed;
  /** MAC → the guest's name and how the host looked last. */
  readonly #hosts = new Map<string, { readonly guest: string; last: string; id?: string }>();
  #after: number | undefined;
  #running = true;
  readonly #loop: Promise<void>;

  constructor(api: Api, feed: Feed, everyMs = 250) {
    this.#api = api;
    this.#feed = feed;
    this.#loop = this.#run(everyMs);
  }

  add(mac: string, guest: string): void {
    this.#hosts.set(mac, { guest, last: '' });
  }

  async #run(everyMs: number): Promise<void> {
    while (this.#running) {
      // A server that is killed and started again, as some tests do, is simply asked again.
      await this.#events().catch(() => {});
      for (const mac of this.#hosts.keys()) await this.#host(mac).catch(() => {});
      await sleep(everyMs);
    }
  }

  async #host(mac: string): Promise<void> {
    const known = this.#hosts.get(mac);
    if (known === undefined) return;
    const host = await this.#api.host(mac);
    known.id = host.id;
    const now = JSON.stringify(host);
    if (now === known.last) return;
    known.last = now;
    this.#feed.push(known.guest, { source: 'api', host });
  }

  async #events(): Promise<void> {
    // What happened before we came is another run's story.
    const isCatchingUp = this.#after === undefined;
    for (;;) {
      const { events, next } = await this.#api.events(this.#after ?? 0);
      const last = events.at(-1)?.id ?? next;
      const stands = events.length === 0 || last === this.#after;
      this.#after = last ?? this.#after ?? 0;
      if (!isCatchingUp)
        for (const event of events)
          this.#feed.push(this.#guestOf(event), { source: 'event', event }, event.at);
      if (stands) return;
    }
  }

  #guestOf(event: ServerEvent): string | null {
    for (const [mac, { guest, id }] of this.#hosts) if (event.host === mac || event.host === id) return guest;
    return null;
  }

  async close(): Promise<void> {
    this.#running = false;
    await this.#loop;
  }
}
