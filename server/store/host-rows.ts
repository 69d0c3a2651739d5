import type { Attempt } from '../core/attempt.ts';
import type { Digest } from '../core/digest.ts';
import type { HostPlace } from '../core/fleet-port.ts';
import type { ClaimStanding, Enrolment, Host, Observation } from '../core/host.ts';
import type { Mac } from '../core/mac.ts';
import type { Db } from './database.ts';

/** All of them are written together. */
const HOST_COLUMNS = [
  'id',
  'status',
  'assignment_ref',
  'assignment_digest',
  'layout',
  'disk_rule',
  'labels',
  'wipe',
  'append',
  'switch_mode',
  'trial_seconds',
  'rate_bytes',
  'read_back',
  'profile',
  'files_sha256',
  'origins',
  'claim_hash',
  'claim_attempt',
  'claim_standing',
  'claim_before',
  'claim_refused',
  'serial',
  'revision',
  'created_at',
  'ignored',
  'by_hand',
  'forget_at',
  'held',
] as const;

type Row = Record<string, string | number | null>;

/** Before every host: no id is empty. */
export const BEGINNING: HostPlace = { createdAt: -1, id: '' };

/**
 * Hosts that are kept at hand, some 3 KiB each. This process alone writes the file (`data-lock.ts`), and a fleet asks for the same
 * hosts every few seconds.
 */
const KEPT_HOSTS = 20_000;

export type HostRows = ReturnType<typeof hostRows>;

/** The three records of a host, read and written. Statements are prepared once. */
export function hostRows(db: Db) {
  /** As they are in the database, what this transaction has written included. */
  const kept = new Map<string, Host>();
  /** What this transaction has written of them may be undone. */
  const written = new Set<string>();
  const byId = db.prepare('SELECT * FROM hosts WHERE id = ?');
  const idByMac = db.prepare('SELECT host_id FROM host_macs WHERE mac = ?').pluck();
  const macs = db.prepare('SELECT mac FROM host_macs WHERE host_id = ? ORDER BY position').pluck();
  const following = db
    .prepare(
      'SELECT id FROM hosts WHERE (created_at, id) > (:createdAt, :id) ORDER BY created_at, id LIMIT :limit',
    )
    .pluck();
  const bytesOfSet = db.prepare('SELECT length(tar) FROM file_sets WHERE sha256 = ?').pluck();
  const observation = db.prepare('SELECT * FROM observations WHERE host_id = ?');
  // An open attempt is always the newest: it had to end before another could begin.
  const lastAttempt = db.prepare('SELECT * FROM attempts WHERE host_id = ? ORDER BY ordinal DESC LIMIT 1');
  const allAttempts = db.prepare('SELECT * FROM attempts WHERE host_id = ? ORDER BY ordinal');
  const followingAttempts = db.prepare(`
    SELECT * FROM attempts WHERE host_id = :hostId
      AND ordinal > (SELECT ordinal FROM attempts WHERE host_id = :hostId AND id = :after)
    ORDER BY ordinal LIMIT :limit`);
  const firstAttempts = db.prepare('SELECT * FROM attempts WHERE host_id = ? ORDER BY ordinal LIMIT ?');
  const ofRollout = db.prepare(
    'SELECT * FROM attempts WHERE rollout_id = ? AND host_id = ? ORDER BY ordinal DESC LIMIT 1',
  );
  const due = db.prepare('SELECT host_id FROM attempts WHERE deadline <= ? ORDER BY deadline').pluck();
  const postpone = db.prepare('UPDATE attempts SET deadline = :earliest WHERE deadline < :earliest');

  const advance = db.prepare('UPDATE attempts SET deadline = :latest WHERE deadline > :latest');

  const putHost = db.prepare(`
    INSERT INTO hosts (${HOST_COLUMNS.join()}) VALUES (${HOST_COLUMNS.map((name) => `:${name}`).join()})
    ON CONFLICT (id) DO UPDATE SET ${HOST_COLUMNS.map((name) => `${name} = :${name}`).join()}`);
  const updates = new Map<string, ReturnType<Db['prepare']>>();
  const dropMacs = db.prepare('DELETE FROM host_macs WHERE host_id = ?');
  const putMac = db.prepare('INSERT INTO host_macs VALUES (?, ?, ?)');
  const remove = db.prepare('DELETE FROM hosts WHERE id = ?');
  const putAttempt = db.prepare(`
    INSERT INTO attempts (id, host_id, kind, digest, ref, cause, wipe, fresh, work_boot_id, work_disk, phase, progress_phase,
      bytes_done, bytes_total, outcome, reason, created_at, phase_at, deadline, ended_at, power, ordinal, rollout_id)
    VALUES (:id, :hostId, :kind, :digest, :ref, :cause, :wipe, :fresh, :workBootId, :workDisk, :phase,
      :progressPhase, :bytesDone, :bytesTotal, :outcome, :reason, :createdAt, :phaseAt, :deadline, :endedAt, :power,
      (SELECT coalesce(max(ordinal), 0) + 1 FROM attempts WHERE host_id = :hostId), :rolloutId)
    ON CONFLICT (id) DO UPDATE SET work_boot_id = :workBootId, work_disk = :workDisk, phase = :phase, progress_phase = :progressPhase,
      bytes_done = :bytesDone, bytes_total = :bytesTotal, outcome = :outcome, reason = :reason,
      phase_at = :phaseAt, deadline = :deadline, ended_at = :endedAt, power = :power`);
  const putObservation = db.prepare(`
    INSERT OR REPLACE INTO observations VALUES (:hostId, :bootId, :seq, :environment, :slot, :digest, :bootDefault,
      :slots, :disk, :trial, :at, :wentBack, :readOnly)`);

  function read(id: string): Host | null {
    const known = kept.get(id);
    if (known) return known;
    const row = byId.get(id) as Row | undefined;
    if (!row) return null;
    const attempt = lastAttempt.get(id) as Row | undefined;
    const seen = observation.get(id) as Row | undefined;
    const sha256 = row.files_sha256 as string | null;
    const files = sha256 === null ? null : { sha256, bytes: bytesOfSet.get(sha256) as number };
    return keep({
      enrolment: enrolmentOf(row, macs.all(id) as Mac[], files),
      attempt: attempt ? attemptOf(attempt) : null,
      observation: seen ? observationOf(seen) : null,
    });
  }

  function keep(host: Host): Host {
    kept.set(host.enrolment.id, host);
    const [oldest] = kept.keys();
    if (kept.size > KEPT_HOSTS && oldest !== undefined) kept.delete(oldest);
    return host;
  }

  return {
    read,
    idOf: (mac: Mac): string | null => (idByMac.get(mac) as string | undefined) ?? null,
    /** In the order of enrolment. */
    following: ({ createdAt, id }: HostPlace, limit: number): Host[] =>
      (following.all({ createdAt, id, limit }) as string[]).flatMap((each) => read(each) ?? []),
    /** A part of this transaction was undone: what is kept may show it. */
    undone(): void {
      for (const id of written) kept.delete(id);
    },
    /** The transaction is over. */
    ended(isOk: boolean): void {
      written.clear();
      if (!isOk) kept.clear();
    },
    attempts: (hostId: string): Attempt[] => (allAttempts.all(hostId) as Row[]).map(attemptOf),
    /** A part of them, behind that one. */
    attemptPage: (hostId: string, after: string | null, limit: number): Attempt[] =>
      (
        (after === null
          ? firstAttempts.all(hostId, limit)
          : followingAttempts.all({ hostId, after, limit })) as Row[]
      ).map(attemptOf),
    /** The last one that this rollout has ordered. */
    attemptOfRollout(id: string, hostId: string): Attempt | null {
      const row = ofRollout.get(id, hostId) as Row | undefined;
      return row ? attemptOf(row) : null;
    },
    due: (now: number): string[] => due.all(now) as string[],
    advance(latest: number): void {
      advance.run({ latest });
      kept.clear();
    },
    postpone(earliest: number): void {
      postpone.run({ earliest });
      kept.clear();
    },
    remove(id: string): void {
      remove.run(id);
      noteWritten(id);
    },
    writeAttempt(attempt: Attempt): void {
      writeAttempt(attempt);
      noteWritten(attempt.hostId);
    },
    /** Writes the records that differ from `before`, which are most often few. */
    write(host: Host, before: Host | null): void {
      if (host.enrolment !== before?.enrolment) writeEnrolment(host.enrolment, before?.enrolment ?? null);
      if (host.attempt && host.attempt !== before?.attempt) writeAttempt(host.attempt);
      if (host.observation && host.observation !== before?.observation)
        writeObservation(host.enrolment.id, host.observation);
      noteWritten(host.enrolment.id);
      // Records that it does not name stay as they are.
      if (host.attempt && host.observation) keep(host);
    },
  };

  function noteWritten(id: string): void {
    written.add(id);
    kept.delete(id);
  }

  function writeEnrolment(enrolment: Enrolment, before: Enrolment | null): void {
    const row = rowOf(enrolment);
    if (before === null) putHost.run(row);
    else update(row, rowOf(before));
    if (before?.macs.join() === enrolment.macs.join()) return;
    dropMacs.run(enrolment.id);
    for (const [position, mac] of enrolment.macs.entries()) putMac.run(mac, enrolment.id, position);
  }

  /** Writes the columns that differ: one that is named is written into every index that holds it, and asks for its foreign keys. */
  function update(row: HostRow, before: HostRow): void {
    const changed = HOST_COLUMNS.filter((name) => row[name] !== before[name]);
    if (changed.length === 0) return;
    const text = `UPDATE hosts SET ${changed.map((name) => `${name} = :${name}`).join()} WHERE id = :id`;
    const statement = updates.get(text) ?? db.prepare(text);
    updates.set(text, statement);
    statement.run(row);
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

  function writeObservation(hostId: string, { slots, trial, readOnly, ...columns }: Observation): void {
    putObservation.run({
      ...columns,
      hostId,
      slots: JSON.stringify(slots),
      trial: Number(trial),
      readOnly: Number(readOnly),
    });
  }
}

type HostRow = Readonly<Record<(typeof HOST_COLUMNS)[number], string | number | null>>;

function rowOf(enrolment: Enrolment): HostRow {
  const { assignment, claim, status } = enrolment;
  return {
    id: enrolment.id,
    status: status === 'ignored' ? 'discovered' : status,
    ignored: Number(status === 'ignored'),
    by_hand: Number(enrolment.byHand),
    assignment_ref: assignment?.ref ?? null,
    assignment_digest: assignment?.digest ?? null,
    layout: enrolment.layout,
    disk_rule: enrolment.diskRule,
    labels: JSON.stringify(enrolment.labels),
    wipe: Number(enrolment.wipe),
    append: enrolment.append,
    switch_mode: enrolment.switchMode,
    trial_seconds: enrolment.trialSeconds,
    rate_bytes: enrolment.rateBytes,
    read_back: Number(enrolment.readBack),
    profile: enrolment.profile,
    files_sha256: enrolment.files?.sha256 ?? null,
    origins: JSON.stringify(enrolment.origins),
    claim_hash: claim?.tokenHash ?? null,
    claim_attempt: claim?.claimedFor ?? null,
    claim_standing: claim?.standing ?? null,
    claim_before: claim?.before ?? null,
    claim_refused: JSON.stringify(claim?.refused ?? []),
    serial: enrolment.serial,
    revision: enrolment.revision,
    created_at: enrolment.createdAt,
    forget_at: enrolment.forgetAt,
    held: enrolment.held,
  };
}

/* The CHECKs of the schema and the types of `write` are what makes these casts true. */

function enrolmentOf(row: Row, macs: readonly Mac[], files: Enrolment['files']): Enrolment {
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
    trialSeconds: row.trial_seconds as number | null,
    rateBytes: row.rate_bytes as number | null,
    readBack: row.read_back === 1,
    profile: row.profile as string | null,
    files,
    origins: JSON.parse(row.origins as string),
    claim:
      row.claim_hash === null
        ? null
        : {
            tokenHash: row.claim_hash as string,
            claimedFor: row.claim_attempt as string,
            standing: row.claim_standing as ClaimStanding,
            before: row.claim_before as string | null,
            refused: JSON.parse(row.claim_refused as string),
          },
    serial: row.serial as number,
    revision: row.revision as number,
    createdAt: row.created_at as number,
    byHand: row.by_hand === 1,
    forgetAt: row.forget_at as number | null,
    held: row.held as string | null,
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
    rolloutId: row.rollout_id as string | null,
    wipe: row.wipe === 1,
    fresh: row.fresh === 1,
    workBootId: row.work_boot_id as string | null,
    workDisk: row.work_disk as string | null,
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
    power: row.power as Attempt['power'],
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
    wentBack: row.went_back as string | null,
    readOnly: row.read_only === 1,
    at: row.at as number,
  };
}
