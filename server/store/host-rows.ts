import type { Attempt } from '../core/attempt.ts';
import type { Digest } from '../core/digest.ts';
import type { Enrolment, Host, Observation } from '../core/host.ts';
import type { Mac } from '../core/mac.ts';
import type { Db } from './database.ts';

type Row = Record<string, string | number | null>;

/** The three records of a host, read and written. Statements are prepared once. */
export function hostRows(db: Db) {
  const byId = db.prepare('SELECT * FROM hosts WHERE id = ?');
  const idByMac = db.prepare('SELECT host_id FROM host_macs WHERE mac = ?').pluck();
  const macs = db.prepare('SELECT mac FROM host_macs WHERE host_id = ? ORDER BY position').pluck();
  const allIds = db.prepare('SELECT id FROM hosts ORDER BY created_at, id').pluck();
  const observation = db.prepare('SELECT * FROM observations WHERE host_id = ?');
  // An open attempt is always the newest: it had to end before another could begin.
  const lastAttempt = db.prepare('SELECT * FROM attempts WHERE host_id = ? ORDER BY ordinal DESC LIMIT 1');
  const allAttempts = db.prepare('SELECT * FROM attempts WHERE host_id = ? ORDER BY ordinal');
  const due = db.prepare('SELECT host_id FROM attempts WHERE deadline <= ? ORDER BY deadline').pluck();
  const postpone = db.prepare('UPDATE attempts SET deadline = :earliest WHERE deadline < :earliest');

  const putHost = db.prepare(`
    INSERT INTO hosts VALUES (:id, :status, :assignmentRef, :assignmentDigest, :layout, :diskRule, :labels, :wipe,
      :append, :switchMode, :claimHash, :claimAttempt, :claimUsed, :serial, :createdAt, :ignored, :byHand, :forgetAt)
    ON CONFLICT (id) DO UPDATE SET status = :status, assignment_ref = :assignmentRef,
      assignment_digest = :assignmentDigest, layout = :layout, disk_rule = :diskRule, labels = :labels, wipe = :wipe,
      append = :append, switch_mode = :switchMode, claim_hash = :claimHash, claim_attempt = :claimAttempt,
      claim_used = :claimUsed, serial = :serial, ignored = :ignored, by_hand = :byHand, forget_at = :forgetAt`);
  const dropMacs = db.prepare('DELETE FROM host_macs WHERE host_id = ?');
  const putMac = db.prepare('INSERT INTO host_macs VALUES (?, ?, ?)');
  const remove = db.prepare('DELETE FROM hosts WHERE id = ?');
  const putAttempt = db.prepare(`
    INSERT INTO attempts VALUES (:id, :hostId, :kind, :digest, :ref, :cause, :wipe, :fresh, :workBootId, :phase,
      :progressPhase, :bytesDone, :bytesTotal, :outcome, :reason, :createdAt, :phaseAt, :deadline, :endedAt,
      (SELECT coalesce(max(ordinal), 0) + 1 FROM attempts WHERE host_id = :hostId))
    ON CONFLICT (id) DO UPDATE SET work_boot_id = :workBootId, phase = :phase, progress_phase = :progressPhase,
      bytes_done = :bytesDone, bytes_total = :bytesTotal, outcome = :outcome, reason = :reason,
      phase_at = :phaseAt, deadline = :deadline, ended_at = :endedAt`);
  const putObservation = db.prepare(`
    INSERT OR REPLACE INTO observations VALUES (:hostId, :bootId, :seq, :environment, :slot, :digest, :bootDefault,
      :slots, :disk, :trial, :at)`);

  function read(id: string): Host | null {
    const row = byId.get(id) as Row | undefined;
    if (!row) return null;
    const attempt = lastAttempt.get(id) as Row | undefined;
    const seen = observation.get(id) as Row | undefined;
    return {
      enrolment: enrolmentOf(row, macs.all(id) as Mac[]),
      attempt: attempt ? attemptOf(attempt) : null,
      observation: seen ? observationOf(seen) : null,
    };
  }

  return {
    read,
    idOf: (mac: Mac): string | null => (idByMac.get(mac) as string | undefined) ?? null,
    all: (): Host[] => (allIds.all() as string[]).flatMap((id) => read(id) ?? []),
    attempts: (hostId: string): Attempt[] => (allAttempts.all(hostId) as Row[]).map(attemptOf),
    due: (now: number): string[] => due.all(now) as string[],
    postpone: (earliest: number): void => void postpone.run({ earliest }),
    remove: (id: string): void => void remove.run(id),
    writeAttempt,
    /** Writes the records that differ from `before`, which are most often few. */
    write(host: Host, before: Host | null): void {
      if (host.enrolment !== before?.enrolment) writeEnrolment(host.enrolment, before?.enrolment ?? null);
      if (host.attempt && host.attempt !== before?.attempt) writeAttempt(host.attempt);
      if (host.observation && host.observation !== before?.observation)
        writeObservation(host.enrolment.id, host.observation);
    },
  };

  function writeEnrolment(enrolment: Enrolment, before: Enrolment | null): void {
    const { assignment, claim, labels, wipe, macs: _, status, byHand, ...columns } = enrolment;
    putHost.run({
      ...columns,
      status: status === 'ignored' ? 'discovered' : status,
      ignored: Number(status === 'ignored'),
      byHand: Number(byHand),
      assignmentRef: assignment?.ref ?? null,
      assignmentDigest: assignment?.digest ?? null,
      labels: JSON.stringify(labels),
      wipe: Number(wipe),
      claimHash: claim?.tokenHash ?? null,
      claimAttempt: claim?.claimedFor ?? null,
      claimUsed: Number(claim?.used ?? false),
    });
    if (before?.macs.join() === enrolment.macs.join()) return;
    dropMacs.run(enrolment.id);
    for (const [position, mac] of enrolment.macs.entries()) putMac.run(mac, enrolment.id, position);
  }

  function writeAttempt(attempt: Attempt): void {
    const { progress, wipe, fresh, ...columns } = attempt;
    putAttempt.run({
      ...columns,
      wipe: Number(wipe),
      fresh: Number(fresh),
      progressPhase: progress?.phase ?? null,
      bytesDone: progress?.bytesDone ?? null,
      bytesTotal: progress?.bytesTotal ?? null,
    });
  }

  function writeObservation(hostId: string, { slots, trial, ...columns }: Observation): void {
    putObservation.run({ ...columns, hostId, slots: JSON.stringify(slots), trial: Number(trial) });
  }
}

/* The CHECKs of the schema and the types of `write` are what makes these casts true. */

function enrolmentOf(row: Row, macs: readonly Mac[]): Enrolment {
  return {
    id: row.id as string,
    status: row.ignored === 1 ? 'ignored' : (row.status as Enrolment['status']),
    macs,
    assignment:
      row.assignment_ref === null
        ? null
        : { ref: row.assignment_ref as string, digest: row.assignment_digest as Digest },
    layout: row.layout as string,
    diskRule: row.disk_rule as string,
    labels: JSON.parse(row.labels as string),
    wipe: row.wipe === 1,
    append: row.append as string,
    switchMode: row.switch_mode as Enrolment['switchMode'],
    claim:
      row.claim_hash === null
        ? null
        : {
            tokenHash: row.claim_hash as string,
            claimedFor: row.claim_attempt as string,
            used: row.claim_used === 1,
          },
    serial: row.serial as number,
    createdAt: row.created_at as number,
    byHand: row.by_hand === 1,
    forgetAt: row.forget_at as number | null,
  };
}

function attemptOf(row: Row): Attempt {
  return {
    id: row.id as string,
    hostId: row.host_id as string,
    kind: row.kind as Attempt['kind'],
    digest: row.digest as Digest,
    ref: row.ref as string,
    cause: row.cause as string,
    wipe: row.wipe === 1,
    fresh: row.fresh === 1,
    workBootId: row.work_boot_id as string | null,
    phase: row.phase as Attempt['phase'],
    progress:
      row.progress_phase === null
        ? null
        : {
            phase: row.progress_phase as string,
            bytesDone: row.bytes_done as number,
            bytesTotal: row.bytes_total as number,
          },
    outcome: row.outcome as Attempt['outcome'],
    reason: row.reason as string,
    createdAt: row.created_at as number,
    phaseAt: row.phase_at as number,
    deadline: row.deadline as number | null,
    endedAt: row.ended_at as number | null,
  };
}

function observationOf(row: Row): Observation {
  return {
    bootId: row.boot_id as string,
    seq: row.seq as number,
    environment: row.environment as Observation['environment'],
    slot: row.slot as string | null,
    digest: row.digest as Digest | null,
    bootDefault: row.boot_default as string | null,
    slots: JSON.parse(row.slots as string),
    disk: row.disk as string | null,
    trial: row.trial === 1,
    at: row.at as number,
  };
}
