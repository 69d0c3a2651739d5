import type { By } from '../core/by.ts';
import { WarmbootError } from '../core/errors.ts';
import type { EventKind, NewEvent } from '../core/events.ts';
import type { Clock, NewId, Store } from '../core/ports.ts';
import { parseSelector } from '../core/selector.ts';
import type { WebhookUseCases, WebhookWish } from '../core/use-cases.ts';
import { troubleOf, urlFault, type Webhook } from '../core/webhook.ts';
import type { Post, Sign } from '../core/webhook-port.ts';

/** Each is asked for every event: more than any site has reasons for. */
const MOST_WEBHOOKS = 64;

export type WebhookContext = {
  readonly store: Store;
  readonly clock: Clock;
  readonly newId: NewId;
  readonly newSecret: () => string;
  readonly post: Post;
  readonly sign: Sign;
};

/** What administrators do with webhooks. */
export function webhookCases({
  store,
  clock,
  newId,
  newSecret,
  post,
  sign,
}: WebhookContext): WebhookUseCases {
  async function find(id: string): Promise<Webhook> {
    const hook = await store.webhooks.find(id);
    if (!hook) throw missing(id);
    return hook;
  }

  return {
    find,
    list: () => store.webhooks.all(),
    last: async () => (await store.log.bounds()).last,

    async add(by, wish) {
      const { url, kinds = null, selector = null, after } = checked(wish);
      if (url === undefined) throw new WarmbootError('invalid', 'A webhook needs an address: give `url`.');
      const { last } = await store.log.bounds();
      const hook: Webhook = {
        id: newId(),
        url,
        kinds,
        selector,
        secret: newSecret(),
        status: wish.enabled === false ? 'disabled' : 'enabled',
        reason: wish.enabled === false ? 'an operator disabled it' : '',
        createdAt: clock(),
        cursor: Math.min(after ?? last, last),
        delivered: 0,
        failures: 0,
        nextAt: null,
        lastAt: null,
        lastStatus: null,
        lastError: null,
        lost: 0,
      };
      const events = [told('webhook-added', hook, by, 'added')];
      if (await store.webhooks.add(hook, MOST_WEBHOOKS, events)) return hook;
      throw new WarmbootError(
        'conflict',
        `There are ${MOST_WEBHOOKS} webhooks already. Remove one that is not used.`,
      );
    },

    async change(by, id, wish) {
      const { url, kinds, selector } = checked(wish);
      const changed = await store.webhooks.change(id, (hook) => {
        const { enabled = hook.status === 'enabled' } = wish;
        const fields = Object.keys(wish);
        const next: Webhook = {
          ...hook,
          url: url ?? hook.url,
          kinds: kinds === undefined ? hook.kinds : kinds,
          selector: selector === undefined ? hook.selector : selector,
          status: enabled ? 'enabled' : 'disabled',
          reason: enabled ? '' : hook.status === 'disabled' ? hook.reason : 'an operator disabled it',
          // Whoever mends something wants to see at once whether it works.
          failures: 0,
          nextAt: null,
        };
        return { hook: next, events: [told('webhook-changed', next, by, 'changed', { fields })] };
      });
      if (!changed) throw missing(id);
      return changed;
    },

    async remove(by, id) {
      const hook = await find(id);
      if (!(await store.webhooks.remove(id, [told('webhook-removed', hook, by, 'removed')])))
        throw missing(id);
    },

    async test(id, signal) {
      const hook = await find(id);
      const began = clock();
      const body = JSON.stringify({ type: 'test', timestamp: new Date(began).toISOString(), data: {} });
      const headers = signed(hook, `msg_${hook.id}_test_${newId()}`, body, began, sign);
      const sent = await post(hook.url, headers, body, signal);
      const status = 'status' in sent ? sent.status : null;
      const isTaken = status !== null && status >= 200 && status < 300;
      return { isTaken, status, error: isTaken ? null : troubleOf(sent), tookMs: clock() - began };
    },
  };
}

/** The headers of Standard Webhooks. @param now in milliseconds since 1970 */
export function signed(
  { secret }: Webhook,
  id: string,
  body: string,
  now: number,
  sign: Sign,
): Record<string, string> {
  const seconds = Math.floor(now / 1000);
  return {
    'content-type': 'application/json',
    'user-agent': 'Warmboot',
    'webhook-id': id,
    'webhook-timestamp': String(seconds),
    'webhook-signature': sign(secret, id, seconds, body),
  };
}

/** @throws WarmbootError for what cannot be */
function checked(wish: WebhookWish): WebhookWish {
  const fault = wish.url === undefined ? null : urlFault(wish.url);
  if (fault !== null) throw new WarmbootError('invalid', `The address of the webhook ${fault}.`);
  const parsed = wish.selector ? parseSelector(wish.selector) : null;
  if (parsed !== null && 'refused' in parsed)
    throw new WarmbootError('invalid', `The label selector is not one: ${parsed.refused}.`);
  return wish;
}

function missing(id: string): WarmbootError {
  return new WarmbootError('not-found', `There is no webhook ${id.slice(0, 64)}.`);
}

/** An address may hold a secret in its path or query: only where it leads to is written down. */
function told(
  kind: EventKind,
  { id, url, kinds, selector, status }: Webhook,
  by: By,
  reason: string,
  facts: Readonly<Record<string, unknown>> = {},
): NewEvent {
  const data = { webhook: id, receiver: new URL(url).origin, kinds, selector, status, ...facts };
  return { kind, hostId: null, attempt: null, actor: 'operator', by: by.name, reason, data };
}
