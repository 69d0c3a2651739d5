import type { NewEvent } from './events.ts';
import type { HookProgress, Sent, Webhook } from './webhook.ts';

export type WebhookStore = {
  /** In the order in which they were added. */
  all(): Promise<readonly Webhook[]>;
  find(id: string): Promise<Webhook | null>;
  /** @returns false when there are `most` already */
  add(hook: Webhook, most: number, events: readonly NewEvent[]): Promise<boolean>;
  /** @returns null when there is no such hook */
  change(
    id: string,
    decide: (hook: Webhook) => { readonly hook: Webhook; readonly events: readonly NewEvent[] },
  ): Promise<Webhook | null>;
  /** Writes what a try came to, if the hook still stands where it stood before. */
  settle(before: Webhook, after: HookProgress, events: readonly NewEvent[]): Promise<void>;
  remove(id: string, events: readonly NewEvent[]): Promise<boolean>;
};

/** One POST. Never rejects, takes bounded time and memory, follows no redirect. */
export type Post = (
  url: string,
  headers: Readonly<Record<string, string>>,
  body: string,
  signal: AbortSignal,
) => Promise<Sent>;

/** `v1,BASE64`, by Standard Webhooks. */
export type Sign = (secret: string, id: string, timestampSeconds: number, body: string) => string;
