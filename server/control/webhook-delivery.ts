import type { Event } from '../core/events.ts';
import type { Clock, Store } from '../core/ports.ts';
import { matchesSelector, parseSelector } from '../core/selector.ts';
import { afterTry, type HookProgress, messageBody, messageId, type Webhook } from '../core/webhook.ts';
import type { Post, Sign } from '../core/webhook-port.ts';
import { signed } from './webhooks.ts';

/** Events read for a hook at once. */
const PAGE = 50;

export type DeliveryContext = {
  readonly store: Store;
  readonly clock: Clock;
  /** 0 to 1. */
  readonly chance: () => number;
  readonly post: Post;
  readonly sign: Sign;
  readonly onError: (error: unknown) => void;
};

export type WebhookDelivery = {
  /** Begins what is due; called by the ticker. */
  look(): Promise<void>;
  /** Ends tries that run, and waits for them. They are repeated at the next start. */
  stop(): Promise<void>;
};

/**
 * Tells webhooks of events: each one by one in the order of the log, from the place that the store keeps for it. The log is the queue,
 * so nothing is lost by a restart; what was sent and not written down is sent again.
 */
export function webhookDelivery(context: DeliveryContext): WebhookDelivery {
  const { store, clock, chance, post, sign, onError } = context;
  const running = new Map<string, Promise<void>>();
  const stopping = new AbortController();
  let isLooking = false;

  /** Delivers to one hook until it has all, or fails. */
  async function run(id: string): Promise<void> {
    let events: readonly Event[] = [];
    while (!stopping.signal.aborted) {
      const hook = await store.webhooks.find(id);
      if (!hook || hook.status === 'disabled' || (hook.nextAt ?? 0) > clock()) return;
      const { last } = await store.log.bounds();
      events = events.filter((event) => event.id > hook.cursor);
      if (events.length === 0)
        events = await store.events({
          afterId: hook.cursor,
          kinds: hook.kinds ?? undefined,
          limit: PAGE,
        });
      const at = await indexOfFirst(events, hook);
      const event = events[at];
      const passed = event ? event.id - 1 : events.length === PAGE ? (events.at(-1)?.id ?? 0) : last;
      events = events.slice(event ? at : events.length);
      if (event) {
        await deliver({ ...hook, cursor: hook.cursor }, event);
        continue;
      }
      if (passed <= hook.cursor) return;
      await store.webhooks.settle(hook, { ...hook, cursor: passed }, []);
    }
  }

  /** @returns the length where none concerns the hook */
  async function indexOfFirst(events: readonly Event[], hook: Webhook): Promise<number> {
    if (hook.selector === null) return 0;
    for (const [at, event] of events.entries()) if (await fits(event, hook.selector)) return at;
    return events.length;
  }

  /** By the labels that the host has now; of one that is gone, by those that the event has. */
  async function fits({ hostId, data }: Event, selector: string): Promise<boolean> {
    if (hostId === null) return false;
    const terms = parseSelector(selector);
    if ('refused' in terms) return false;
    const host = await store.host({ id: hostId });
    const labels = host?.enrolment.labels ?? data.labels;
    return typeof labels === 'object' && labels !== null && matchesSelector(terms, { ...labels });
  }

  async function deliver(hook: Webhook, event: Event): Promise<void> {
    const body = messageBody(event);
    const headers = signed(hook, messageId(hook, event), body, clock(), sign);
    const sent = await post(hook.url, headers, body, stopping.signal);
    // A try that our own stop broke off is no failure of the receiver's.
    if (stopping.signal.aborted && 'error' in sent) return;
    const after = afterTry(hook, event, sent, clock(), chance());
    await store.webhooks.settle(hook, after, after.status === 'disabled' ? [disabled(hook, after)] : []);
  }

  async function look(): Promise<void> {
    if (isLooking || stopping.signal.aborted) return;
    isLooking = true;
    try {
      const hooks = await store.webhooks.all();
      const { last } = hooks.length > 0 ? await store.log.bounds() : { last: 0 };
      for (const { id, status, cursor, nextAt } of hooks) {
        if (status === 'disabled' || cursor >= last || (nextAt ?? 0) > clock() || running.has(id)) continue;
        running.set(
          id,
          run(id)
            .catch(onError)
            .finally(() => void running.delete(id)),
        );
      }
    } finally {
      isLooking = false;
    }
  }

  return {
    look,
    async stop() {
      stopping.abort();
      await Promise.all(running.values());
    },
  };
}

function disabled({ id, url }: Webhook, { reason }: HookProgress) {
  const data = { webhook: id, receiver: new URL(url).origin };
  return {
    kind: 'webhook-disabled',
    hostId: null,
    attempt: null,
    actor: 'server',
    by: null,
    reason,
    data,
  } as const;
}
