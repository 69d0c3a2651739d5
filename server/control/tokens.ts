import type { Actor, By } from '../core/by.ts';
import { WarmbootError } from '../core/errors.ts';
import type { Clock, NewId } from '../core/ports.ts';
import {
  isExpired,
  isLastingAdmin,
  type Principal,
  type Token,
  type TokenUseCases,
  type TokenWish,
} from '../core/token.ts';
import type { TokenStore } from '../core/token-port.ts';
import { event } from './context.ts';

/** How long a browser stays logged in. */
export const SESSION_MS = 12 * 60 * 60_000;
const SESSIONS_OF_TOKEN = 20;
/** More would be somebody's loop that forgot to use the one it had. */
const MAX_TOKENS = 1_000;
const NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/;
const FIRST = 'first';

type Needs = {
  readonly tokens: TokenStore;
  readonly clock: Clock;
  readonly newId: NewId;
  /** 256 random bits as text. */
  readonly newSecret: () => string;
  readonly sha256Hex: (text: string) => string;
};

export type TokenKeeper = TokenUseCases & {
  /**
   * Makes the token in the data folder's file an admin's, once: one that was revoked stays revoked.
   * @returns false for a revoked one
   */
  admitFirst(secret: string): Promise<boolean>;
  /** Writes down what is kept in memory (when tokens were used), and ends what has expired. */
  flush(): Promise<void>;
};

/** Who may use the admin plane. */
export function tokenCases({ tokens: store, clock, newId, newSecret, sha256Hex }: Needs): TokenKeeper {
  /** When tokens were used, until it is written down. */
  let uses = new Map<string, number>();
  /** By token: what ends for those who use it when it is revoked or expires. */
  const ends = new Map<string, AbortController>();

  function principalOf(token: Token, expiresAt: number | null): Principal {
    const { id: tokenId, name, role } = token;
    uses.set(tokenId, clock());
    const end = ends.get(tokenId) ?? new AbortController();
    ends.set(tokenId, end);
    return { name, tokenId, role, expiresAt, over: end.signal };
  }

  function endUsesOf(id: string): void {
    ends.get(id)?.abort();
    ends.delete(id);
    uses.delete(id);
  }

  async function valid(secret: string): Promise<Token | null> {
    const token = await store.byHash(sha256Hex(secret));
    return token && !isExpired(token, clock()) ? token : null;
  }

  /** Adds one under a name that is free; an expired one does not hold its name. */
  function added(
    tokens: readonly Token[],
    facts: Pick<Token, 'id' | 'name' | 'role' | 'expiresAt' | 'createdAt'>,
    hash: string,
    by: By | null,
    reason: string,
  ) {
    const token: Token = { ...facts, createdBy: by?.name ?? null, lastUsedAt: null };
    const former = tokens.filter(({ name }) => name === token.name);
    return {
      answer: token,
      add: [{ token, hash }],
      revoke: former.map(({ id }) => id),
      events: [
        ...former.map((old) =>
          told('token-revoked', old, by ?? 'server', 'expired, and its name was needed'),
        ),
        told('token-created', token, by ?? 'server', reason),
      ],
    };
  }

  return {
    async owner(secret) {
      const token = await valid(secret);
      return token && principalOf(token, token.expiresAt);
    },
    list: () => store.list(),
    async find(id) {
      return found(await store.list(), id);
    },

    async create(by, wish) {
      const createdAt = clock();
      const { name, role, expiresAt } = checked(wish, createdAt);
      const secret = newSecret();
      const id = newId();
      const token = await store.change(({ tokens }) => {
        const holder = tokens.find((each) => each.name === name);
        if (holder && !isExpired(holder, clock()))
          throw new WarmbootError(
            'conflict',
            `There is a token "${name}" already. Choose another name, or revoke that one.`,
          );
        if (tokens.length >= MAX_TOKENS)
          throw new WarmbootError(
            'conflict',
            `There are ${MAX_TOKENS} tokens. Revoke those that nobody uses.`,
          );
        const facts = { id, name, role, expiresAt, createdAt };
        return added(tokens, facts, sha256Hex(secret), by, `a token of role ${role}`);
      });
      return { token, secret };
    },

    async revoke(by, id) {
      await store.change(({ tokens }) => {
        const token = found(tokens, id);
        if (isLastingAdmin(token) && tokens.filter(isLastingAdmin).length === 1)
          throw new WarmbootError(
            'conflict',
            `"${token.name}" is the last admin token that does not expire: without it nobody could make tokens. Make another first.`,
          );
        return { answer: undefined, revoke: [id], events: [told('token-revoked', token, by, 'revoked')] };
      });
      endUsesOf(id);
    },

    async login(secret) {
      const token = await valid(secret);
      if (!token) return null;
      const session = newSecret();
      const expiresAt = Math.min(clock() + SESSION_MS, token.expiresAt ?? Number.POSITIVE_INFINITY);
      await store.addSession({ hash: sha256Hex(session), tokenId: token.id, expiresAt }, SESSIONS_OF_TOKEN);
      return { session, principal: principalOf(token, expiresAt) };
    },
    async ofSession(session) {
      const known = await store.session(sha256Hex(session));
      if (!known || isExpired(known, clock()) || isExpired(known.token, clock())) return null;
      return principalOf(known.token, known.expiresAt);
    },
    logout: (session) => store.endSession(sha256Hex(session)),

    admitFirst(secret) {
      const hash = sha256Hex(secret);
      const id = newId();
      return store
        .change(({ tokens, wasEver }) => {
          if (wasEver(hash)) return { answer: null };
          const facts = {
            id,
            name: freeName(tokens),
            role: 'admin',
            expiresAt: null,
            createdAt: clock(),
          } as const;
          return added(tokens, facts, hash, null, 'from admin.token in the data folder');
        })
        .then(async (token) => token !== null || (await store.byHash(hash)) !== null);
    },

    async flush() {
      const noted = uses;
      uses = new Map();
      if (noted.size > 0) await store.noteUses(noted);
      const now = clock();
      const lasting = new Set(
        (await store.list()).filter((each) => !isExpired(each, now)).map(({ id }) => id),
      );
      for (const id of ends.keys()) if (!lasting.has(id)) endUsesOf(id);
      await store.dropSessions(now);
    },
  };
}

function told(kind: 'token-created' | 'token-revoked', token: Token, actor: Actor, reason: string) {
  const { id, name, role, expiresAt } = token;
  return event(kind, null, actor, reason, { id, name, role, expiresAt });
}

function found(tokens: readonly Token[], id: string): Token {
  const token = tokens.find((each) => each.id === id);
  if (token) return token;
  throw new WarmbootError(
    'not-found',
    `There is no token with the id "${id.slice(0, 64)}". See warmboot token list.`,
  );
}

/** `first`, or with a number: who removed the file has not revoked what was in it. */
function freeName(tokens: readonly Token[]): string {
  const taken = new Set(tokens.map(({ name }) => name));
  const numbered = Array.from({ length: tokens.length + 1 }, (_, at) =>
    at === 0 ? FIRST : `${FIRST}-${at + 1}`,
  );
  return numbered.find((name) => !taken.has(name)) ?? FIRST;
}

function checked(
  { name, role, expiresInMs }: TokenWish,
  now: number,
): Pick<Token, 'name' | 'role' | 'expiresAt'> {
  if (!NAME.test(name))
    throw new WarmbootError(
      'invalid',
      `"${name.slice(0, 80)}" is no name for a token. Use letters, digits, ".", "_" and "-", at most 63.`,
    );
  return { name, role, expiresAt: expiresInMs === null ? null : now + expiresInMs };
}
