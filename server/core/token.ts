import type { By, Role } from './by.ts';

/** A token of the admin plane, without the secret: of that only the sha256 is kept, in the store. */
export type Token = {
  readonly id: string;
  /** Stands in events as who did something; unique among those that are not revoked. */
  readonly name: string;
  readonly role: Role;
  /** All times: milliseconds since 1970. */
  readonly createdAt: number;
  /** Name of the token that made it; null: the server, at a first start. */
  readonly createdBy: string | null;
  /** Null: never. */
  readonly expiresAt: number | null;
  /** Telemetry: written down once a minute. */
  readonly lastUsedAt: number | null;
};

/** Who stands behind a request. */
export type Principal = By & {
  readonly tokenId: string;
  readonly role: Role;
  /** When the token, or the session made with it, ends. */
  readonly expiresAt: number | null;
  /** Aborts when the token is revoked or expires: what streams to it ends. */
  readonly over: AbortSignal;
};

export type TokenWish = {
  readonly name: string;
  readonly role: Role;
  /** Null: it does not expire. */
  readonly expiresInMs: number | null;
};

export type TokenUseCases = {
  /** @returns null for a token that nobody has, that was revoked or that has expired */
  owner(secret: string): Promise<Principal | null>;
  list(): Promise<readonly Token[]>;
  find(id: string): Promise<Token>;
  /** @returns the secret, which nobody can see again */
  create(by: By, wish: TokenWish): Promise<{ readonly token: Token; readonly secret: string }>;
  /** Ends a token and its sessions at once. The last admin that does not expire cannot be revoked. */
  revoke(by: By, id: string): Promise<void>;
  /** Begins a session for pages. @returns null as `owner` does */
  login(secret: string): Promise<{ readonly session: string; readonly principal: Principal } | null>;
  ofSession(session: string): Promise<Principal | null>;
  logout(session: string): Promise<void>;
};

const RANK: Readonly<Record<Role, number>> = { viewer: 0, operator: 1, admin: 2 };

/** Whether a role includes another: an admin may do what an operator may, who may look at everything. */
export function includes(role: Role, needed: Role): boolean {
  return RANK[role] >= RANK[needed];
}

export function isExpired({ expiresAt }: Pick<Token, 'expiresAt'>, now: number): boolean {
  return expiresAt !== null && expiresAt <= now;
}

/** Can always be relied on: whoever holds it can make other tokens, for ever. */
export function isLastingAdmin({ role, expiresAt }: Pick<Token, 'role' | 'expiresAt'>): boolean {
  return role === 'admin' && expiresAt === null;
}
