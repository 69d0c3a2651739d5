/**
 * The few ways in which a request can be refused. One class, one table of HTTP statuses (`http/problem.ts`).
 *
 * - `malformed`     the text cannot be read at all (a MAC with 5 bytes, JSON that does not parse)
 * - `invalid`       readable, but it asks for something that cannot be (an image that does not exist as target)
 * - `unauthorized`  no token, or not the right one
 * - `forbidden`     the token is good, and does not allow this
 * - `not-found`     the thing named in the address does not exist
 * - `conflict`      it contradicts what is already so (a second claimant, a MAC that belongs to another host)
 * - `outdated`      it begins from what is not so any more: another was faster
 * - `too-large`     more than this server takes in one piece
 * - `too-many`      too often from one place, or from all together; says after how long once more
 * - `unavailable`   right, but not now (no installer was built, the disk is full)
 */
export type ErrorCode =
  | 'malformed'
  | 'invalid'
  | 'unauthorized'
  | 'forbidden'
  | 'not-found'
  | 'conflict'
  | 'outdated'
  | 'too-large'
  | 'too-many'
  | 'unavailable';

/** A refusal that a user can cause: `message` says what, why and what to do, and is shown without a stack. */
export class WarmbootError extends Error {
  override readonly name = 'WarmbootError';
  readonly code: ErrorCode;
  /** After how long the same may be asked again; null where that is not known. */
  readonly retryAfterMs: number | null;
  constructor(code: ErrorCode, message: string, retryAfterMs: number | null = null) {
    super(message);
    this.code = code;
    this.retryAfterMs = retryAfterMs;
  }
}
