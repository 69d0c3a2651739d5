import type { Event, EventKind } from './events.ts';

/** Somebody who is told of events by HTTP. */
export type Webhook = {
  readonly id: string;
  readonly url: string;
  /** Null: every kind. */
  readonly kinds: readonly EventKind[] | null;
  /** A label selector as it was written: only events of hosts that it fits. Null: all, also those of no host. */
  readonly selector: string | null;
  /** `whsec_` and base64; signs what is sent. */
  readonly secret: string;
  readonly status: 'enabled' | 'disabled';
  /** Why it is disabled, else empty. */
  readonly reason: string;
  readonly createdAt: number;
  /** The last event that it has got, or that does not concern it. */
  readonly cursor: number;
  readonly delivered: number;
  /** Of the present event, one after the other. */
  readonly failures: number;
  /** When it is tried again; null: at once. */
  readonly nextAt: number | null;
  /** The last try. */
  readonly lastAt: number | null;
  readonly lastStatus: number | null;
  readonly lastError: string | null;
  /** Events that were removed from the log before it got them. */
  readonly lost: number;
};

/** What becomes of a hook by a try. */
export type HookProgress = Pick<
  Webhook,
  'status' | 'reason' | 'cursor' | 'delivered' | 'failures' | 'nextAt' | 'lastAt' | 'lastStatus' | 'lastError'
>;

/** What came of one try: an answer, or why there was none. */
export type Sent =
  | { readonly status: number; readonly retryAfterSeconds: number | null }
  | { readonly error: string };

const FIRST_WAIT_MS = 5_000;
const LONGEST_WAIT_MS = 60 * 60_000;

/**
 * The hook after a try to deliver `event`.
 * @param chance 0 to 1: hooks that failed together are not tried together again
 */
export function afterTry(hook: Webhook, event: Event, sent: Sent, now: number, chance: number): HookProgress {
  const { status, reason, cursor, delivered } = hook;
  const seen = { lastAt: now, lastStatus: 'status' in sent ? sent.status : null };
  if ('status' in sent && sent.status >= 200 && sent.status < 300)
    return {
      status,
      reason,
      cursor: event.id,
      delivered: delivered + 1,
      failures: 0,
      nextAt: null,
      lastError: null,
      ...seen,
    };
  const failures = hook.failures + 1;
  const failed = { delivered, cursor, failures, lastError: troubleOf(sent), ...seen };
  // The receiver says that it wants no more (Standard Webhooks, "status codes").
  if ('status' in sent && sent.status === 410)
    return { ...failed, status: 'disabled', reason: 'the receiver answered 410 Gone', nextAt: null };
  const wait = Math.min(FIRST_WAIT_MS * 2 ** Math.min(failures - 1, 20), LONGEST_WAIT_MS);
  const asked = 'status' in sent ? (sent.retryAfterSeconds ?? 0) * 1000 : 0;
  const least = Math.min(asked, LONGEST_WAIT_MS);
  const nextAt = now + Math.round(Math.max(wait * (0.8 + 0.4 * chance), least));
  return { ...failed, status, reason, nextAt };
}

export function troubleOf(sent: Sent): string {
  if ('error' in sent) return sent.error;
  const { status } = sent;
  return status >= 300 && status < 400
    ? `it answered ${status}; redirects are not followed`
    : `it answered ${status}`;
}

/** The same for every try, so that a receiver knows a repetition. */
export function messageId({ id }: Pick<Webhook, 'id'>, event: Event): string {
  return `msg_${id}_${event.id}`;
}

/** What is sent, by Standard Webhooks: `type`, `timestamp`, `data`. */
export function messageBody({ hostId, ...event }: Event): string {
  const data = { ...event, host: hostId };
  return JSON.stringify({ type: event.kind, timestamp: new Date(event.at).toISOString(), data });
}

/** @returns what is wrong with an address, or null. Where its name leads to is looked at when it is asked. */
export function urlFault(text: string): string | null {
  const url = URL.canParse(text) ? new URL(text) : null;
  if (url === null || !/^https?:$/.test(url.protocol))
    return 'is no http or https address. Write it as https://HOST/PATH';
  if (url.username !== '' || url.password !== '')
    return 'holds a user name or a password. What is sent is signed; a secret path does as well';
  if (url.hash !== '') return 'has a part after #, which is never sent';
  return null;
}
