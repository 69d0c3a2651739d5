import { isOpen } from './attempt.ts';
import type { BackupNote } from './backup.ts';
import type { NewEvent } from './events.ts';
import type { Host } from './host.ts';
import { moveAttempt } from './move-attempt.ts';
import type { Patience } from './patience.ts';
import type { Rollout } from './rollout.ts';

/** That the database came back from a backup: it knows nothing of what was said and done since that was made. */
export type Restored = Pick<BackupNote, 'madeAt'> & {
  /** When it came back. Milliseconds since 1970. */
  readonly at: number;
  /** The newest event of the backup, and the first one after it. */
  readonly lastEvent: number;
  readonly nextEvent: number;
};

export type RestoreStore = {
  /** Goes on with the ids of events behind those that may have been given since; versions of what operators change likewise. */
  note(restored: Restored, event: NewEvent): Promise<void>;
  /** Null: it never was. */
  last(): Promise<Restored | null>;
};

/** More than a server ever gave before it was lost: none writes an event for each millisecond. */
const LEAST_JUMP = 1_000_000;
/** By so much the clock of the server that was lost may have been ahead of ours. */
const CLOCKS_APART_MS = 86_400_000;

/** The id of the first event after a restore: followers and webhooks have seen ids that the backup does not know. */
export function nextEventId(
  { lastEvent, madeAt }: Pick<Restored, 'lastEvent' | 'madeAt'>,
  now: number,
): number {
  return lastEvent + LEAST_JUMP + Math.max(0, now - madeAt);
}

/**
 * A host as it may be believed after a restore. What was open may have come to its end since: it ends, and nothing is done until an
 * operator says so. Its manifest's serial is above any that the machine can have seen, or it would refuse it.
 */
export function restoredHost(host: Host, now: number, patience: Patience): Host {
  const { enrolment, attempt } = host;
  return {
    ...host,
    enrolment: {
      ...enrolment,
      serial: Math.max(enrolment.serial + 1, now + CLOCKS_APART_MS),
      revision: Math.max(enrolment.revision + 1, now),
    },
    attempt: isOpen(attempt) ? moveAttempt(attempt, 'restore', { now, patience }).attempt : attempt,
  };
}

/** Null: it orders nothing, and stays as it is. */
export function restoredRollout(rollout: Rollout): Rollout | null {
  if (rollout.status !== 'running') return null;
  return {
    ...rollout,
    status: 'paused',
    statusReason:
      'the database was restored from a backup: look at the members that failed for it, then resume it',
  };
}
