import type { NewEvent } from '../core/events.ts';
import type { Clock } from '../core/ports.ts';
import type { Token } from '../core/token.ts';
import type { TokenDecision, TokenStore } from '../core/token-port.ts';
import type { CommitGroup } from './commit-group.ts';
import type { Db } from './database.ts';

const COLUMNS = `tokens.id, name, role, tokens.created_at AS createdAt, created_by AS createdBy,
  tokens.expires_at AS expiresAt, last_used_at AS lastUsedAt`;

/** Tokens and sessions. What was revoked is found by nobody. */
export function tokenRows(
  db: Db,
  group: CommitGroup,
  { addEvent, clock }: { readonly addEvent: (event: NewEvent) => void; readonly clock: Clock },
): TokenStore {
  const all = db.prepare(`SELECT ${COLUMNS} FROM tokens WHERE revoked_at IS NULL ORDER BY rowid`);
  const byHash = db.prepare(`SELECT ${COLUMNS} FROM tokens WHERE hash = ? AND revoked_at IS NULL`);
  const anyByHash = db.prepare('SELECT 1 FROM tokens WHERE hash = ?').pluck();
  const add = db.prepare(`
    INSERT INTO tokens (id, hash, name, role, created_at, created_by, expires_at, last_used_at)
    VALUES (:id, :hash, :name, :role, :createdAt, :createdBy, :expiresAt, :lastUsedAt)`);
  const revoke = db.prepare('UPDATE tokens SET revoked_at = ? WHERE id = ? AND revoked_at IS NULL');
  const use = db.prepare(
    'UPDATE tokens SET last_used_at = max(coalesce(last_used_at, 0), :at) WHERE id = :id',
  );
  const sessionByHash = db.prepare(`
    SELECT ${COLUMNS}, sessions.expires_at AS sessionExpiresAt FROM sessions
    JOIN tokens ON tokens.id = token_id WHERE sessions.hash = ? AND revoked_at IS NULL`);
  const putSession = db.prepare('INSERT INTO sessions VALUES (:hash, :tokenId, :now, :expiresAt)');
  const dropOldest = db.prepare(`
    DELETE FROM sessions WHERE token_id = :tokenId AND hash NOT IN
      (SELECT hash FROM sessions WHERE token_id = :tokenId ORDER BY created_at DESC, hash LIMIT :keep)`);
  const dropSession = db.prepare('DELETE FROM sessions WHERE hash = ?');
  const dropOfToken = db.prepare('DELETE FROM sessions WHERE token_id = ?');
  const dropExpired = db.prepare('DELETE FROM sessions WHERE expires_at <= ?');
  const list = () => all.all() as Token[];

  function write<Answer>(decision: TokenDecision<Answer>): Answer {
    // A name is free again before it is taken.
    for (const id of decision.revoke ?? []) {
      revoke.run(clock(), id);
      dropOfToken.run(id);
    }
    for (const { token, hash } of decision.add ?? []) add.run({ ...token, hash });
    for (const event of decision.events ?? []) addEvent(event);
    return decision.answer;
  }

  return {
    list: async () => list(),
    byHash: async (hash) => (byHash.get(hash) as Token | undefined) ?? null,
    change: (decide) =>
      group.run(() =>
        write(decide({ tokens: list(), wasEver: (hash) => anyByHash.get(hash) !== undefined })),
      ),
    noteUses: (uses) =>
      group.run(() => {
        for (const [id, at] of uses) use.run({ id, at });
      }),
    addSession: (session, keep) =>
      group.run(() => {
        putSession.run({ ...session, now: clock() });
        dropOldest.run({ tokenId: session.tokenId, keep });
      }),
    session: async (hash) => {
      const row = sessionByHash.get(hash) as (Token & { sessionExpiresAt: number }) | undefined;
      if (!row) return null;
      const { sessionExpiresAt: expiresAt, ...token } = row;
      return { token, expiresAt };
    },
    endSession: (hash) => group.run(() => void dropSession.run(hash)),
    dropSessions: (expiredAt) => group.run(() => void dropExpired.run(expiredAt)),
  };
}
