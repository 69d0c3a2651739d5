import type { Digest } from './digest.ts';
import type { SlotObservation } from './host.ts';

/** What a host can say, in the order in which a life usually brings it. */
export const REPORT_KINDS = [
  'inventory',
  'progress',
  'installed',
  'booted',
  'staged',
  'switching',
  'confirmed',
  'rolled-back',
  'failed',
] as const;
export type ReportKind = (typeof REPORT_KINDS)[number];

/**
 * One report. `slot` and `digest` name what runs (`booted`, `confirmed`, `rolled-back`) or what was written or is
 * jumped to (`installed`, `staged`, `switching`).
 */
export type Report = {
  readonly attempt: string | null;
  /** The kernel's random boot id (`/proc/sys/kernel/random/boot_id`); `seq` rises within it, from 1. */
  readonly bootId: string;
  readonly seq: number;
  readonly kind: ReportKind;
  readonly slot: string | null;
  readonly digest: Digest | null;
  readonly bootDefault: string | null;
  readonly slots: Readonly<Record<string, SlotObservation>> | null;
  readonly disk: string | null;
  /** The disk takes no writes; null: it does not say. */
  readonly readOnly: boolean | null;
  readonly trial: boolean;
  /** Of `progress` and `failed`: `partition`, `write`, `check`, `boot-files`, … */
  readonly phase: string | null;
  readonly bytesDone: number | null;
  readonly bytesTotal: number | null;
  readonly reason: string | null;
  /** The last lines of the host's log, at most 8 KiB. */
  readonly log: string | null;
};

/** What the server knows about earlier reports of this host when it judges one. */
export type ReportHistory = {
  /** A report with the same boot id and sequence number: the same again, or another one in its place. */
  readonly sameNumber: 'none' | 'same' | 'other';
  /** Whether any report of this boot id was taken before. */
  readonly bootKnown: boolean;
  /** False when it names an attempt that the database has no row of: another server's, or one newer than a backup. */
  readonly attemptKnown: boolean;
};

/** `stale` is kept for people to read and moves nothing. */
export type Verdict = 'applied' | 'duplicate' | 'stale';
