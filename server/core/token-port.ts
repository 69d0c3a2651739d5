import type { NewEvent } from './events.ts';
import type { Token } from './token.ts';

/** What keeps tokens and sessions: hashes (sha256, 64 hex digits), never what they are hashes of. */

export type NewTokenRow = { readonly token: Token; readonly hash: string };

/** Everything that a decision about tokens writes, in one transaction. */
export type TokenDecision<Answer> = {
  readonly answer: Answer;
  readonly add?: readonly NewTokenRow[];
  /** Ids. Their sessions end with them. */
  readonly revoke?: readonly string[];
  readonly events?: readonly NewEvent[];
};

export type TokenStore = {
  /** Those that are not revoked, in the order in which they were made. */
  list(): Promise<readonly Token[]>;
  byHash(hash: string): Promise<Token | null>;
  /**
   * Gives the tokens that are not revoked to `decide`, and writes what it answers in the same transaction.
   * @throws whatever `decide` throws, with nothing written
   */
  change<Answer>(
    decide: (records: {
      readonly tokens: readonly Token[];
      /** Whether there is, or was, a token with this hash. */
      wasEver(hash: string): boolean;
    }) => TokenDecision<Answer>,
  ): Promise<Answer>;
  /** Writes down when tokens were used last, by id. */
  noteUses(uses: ReadonlyMap<string, number>): Promise<void>;

  /** Begins a session; of its token's sessions only the newest `keep` stay. */
  addSession(
    session: { readonly hash: string; readonly tokenId: string; readonly expiresAt: number },
    keep: number,
  ): Promise<void>;
  session(hash: string): Promise<{ readonly token: Token; readonly expiresAt: number } | null>;
  endSession(hash: string): Promise<void>;
  dropSessions(expiredAt: number): Promise<void>;
};
