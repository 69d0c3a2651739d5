/** Requests that shall be done once, however often they are sent (draft-ietf-httpapi-idempotency-key-header). */

/** Names a request: keys of two tokens never meet. */
export type OnceKey = { readonly token: string; readonly key: string };

/** What was answered, to be said again. */
export type OnceAnswer = {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
};

/**
 * `begun`: nothing that it asked for was written. `applied`: what it asked for was written, in the very transaction that moved
 * it here, but its answer is not kept. `answered`: the answer is kept.
 */
export type OnceRecord = {
  /** Hash of the request: the same key with another request is a mistake. */
  readonly request: string;
  readonly state: 'begun' | 'applied' | 'answered';
  readonly answer: OnceAnswer | null;
};

export type OnceStore = {
  /** @returns what is known of the key; null when it is new and has begun now */
  begin(key: OnceKey, request: string): Promise<OnceRecord | null>;
  /** Runs a task; the first transaction that it commits moves the key from `begun` to `applied`, both or neither. */
  within<Result>(key: OnceKey, task: () => Promise<Result>): Promise<Result>;
  /**
   * Runs, within a task, steps towards what its request asks for that may be taken again: they do not move its key. A server
   * that is killed after them carries the request out when it comes again.
   */
  towards<Result>(steps: () => Promise<Result>): Promise<Result>;
  /**
   * Keeps the answer of a request that has ended. A refusal is forgotten where nothing was applied: the next time it may be
   * carried out. Null: an answer that cannot be kept.
   */
  settle(key: OnceKey, answer: OnceAnswer | null): Promise<void>;
  /** Forgets keys that began at or before `before`, and the oldest but the newest `keep`. */
  collect(before: number, keep: number): Promise<void>;
};

export type OnceUseCases = {
  /**
   * Carries a request out unless that was done before.
   * @param request hash of it
   * @param task @returns its answer, null where that cannot be kept
   * @returns the answer of the first time, or null: `task` ran now
   * @throws WarmbootError while the first is running, for another request under the key, and where the answer was not kept
   */
  run(key: OnceKey, request: string, task: () => Promise<OnceAnswer | null>): Promise<OnceAnswer | null>;
};
