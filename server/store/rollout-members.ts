import type { Digest } from '../core/digest.ts';
import type { Assignment, Host } from '../core/host.ts';
import { type MemberAttempt, memberHost } from '../core/rollout.ts';
import type { NewMember, StoredMember } from '../core/rollout-port.ts';
import type { Db } from './database.ts';
import type { HostRows } from './host-rows.ts';

type Row = Record<string, string | number | null>;

/** The members of rollouts, each with what decides where it stands. */
export function memberRows(db: Db, hosts: Pick<HostRows, 'read' | 'attemptOfRollout'>) {
  const page = db.prepare(`
    SELECT m.position, m.host_id, m.mac, m.wave, coalesce(m.ref, r.ref) AS ref, coalesce(m.digest, r.digest) AS digest,
      m.before_ref, m.before_digest
    FROM rollout_members AS m JOIN rollouts AS r ON r.id = m.rollout_id
    WHERE m.rollout_id = ? AND m.position > ? ORDER BY m.position LIMIT ?`);
  // All in one statement: a transaction that takes ten thousand rows one by one holds everybody up.
  const add = db.prepare(`
    INSERT INTO rollout_members (rollout_id, position, host_id, mac, wave, ref, digest)
    SELECT ?, key, value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4 FROM json_each(?)`);
  const note = db.prepare(`
    UPDATE rollout_members SET before_ref = ?, before_digest = ?
    WHERE rollout_id = ? AND host_id = ? AND before_digest IS NULL`);
  const taken = db.prepare(`
    SELECT host_id, rollout_id FROM rollout_members
    WHERE rollout_id IN (SELECT id FROM rollouts WHERE ended_at IS NULL)`);
  return {
    page: (id: string, after: number, limit: number) =>
      (page.all(id, after, limit) as Row[]).map((row) => {
        const host = hosts.read(row.host_id as string);
        const last = host?.attempt ?? null;
        const own = last?.rolloutId === id ? last : hosts.attemptOfRollout(id, row.host_id as string);
        return memberOf(row, host, own);
      }),
    add: (id: string, members: readonly NewMember[]): void => {
      const rows = members.map(({ hostId, mac, wave, target }) => [
        hostId,
        mac,
        wave,
        target?.ref ?? null,
        target?.digest ?? null,
      ]);
      add.run(id, JSON.stringify(rows));
    },
    note: (id: string, hostId: string, { ref, digest }: Assignment): void =>
      void note.run(ref, digest, id, hostId),
    taken: (): ReadonlyMap<string, string> =>
      new Map((taken.all() as Row[]).map((row) => [row.host_id as string, row.rollout_id as string])),
  };
}

function memberOf(
  row: Row,
  host: Host | null,
  own: MemberAttempt | null,
): StoredMember & { readonly position: number } {
  const target = assignmentOf(row.ref, row.digest);
  if (target === null) throw new Error(`a member of a rollout has no image: ${row.host_id}`);
  return {
    position: row.position as number,
    hostId: row.host_id as string,
    mac: row.mac as string,
    macs: host?.enrolment.macs ?? [],
    wave: row.wave as number,
    target,
    before: assignmentOf(row.before_ref, row.before_digest),
    host: host && memberHost(host.enrolment, host.observation),
    own,
    last: host?.attempt ?? null,
  };
}

export function assignmentOf(ref: unknown, digest: unknown): Assignment | null {
  return digest === null ? null : { ref: ref as string, digest: digest as Digest };
}
