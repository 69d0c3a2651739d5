import type { BackupNote } from './backup.ts';
import type { By } from './by.ts';

/** A file that can be read to its end, whatever is removed meanwhile. */
export type BackupMember = {
  /** As in the archive, which is also its place in the data folder. */
  readonly name: string;
  readonly sizeBytes: number;
  /** Once. Asking for the next part ends the one before: its memory is used again. */
  read(): AsyncIterable<Uint8Array>;
};

export type HeldMembers = { readonly members: readonly BackupMember[]; release(): Promise<void> };

/** One state of the database, as a file of its own. */
export type Snapshot = Pick<BackupNote, 'schema' | 'lastEvent' | 'hosts' | 'images'> & {
  readonly member: BackupMember;
  readonly packIds: readonly string[];
  /** `sha256:…` of every image. */
  readonly digests: readonly string[];
  /** Gives its room back. */
  release(): Promise<void>;
};

export type Snapshots = {
  /**
   * With everything that was committed before it is called; who writes meanwhile does not wait.
   * @throws WarmbootError `unavailable` when there is no room for it
   */
  take(signal: AbortSignal): Promise<Snapshot>;
};

export type BackupFiles = {
  /** Keys, certificates, the first token. */
  secrets(): Promise<HeldMembers>;
  /** @returns `missing`: how many of them are not there */
  images(of: Pick<Snapshot, 'packIds' | 'digests'>): Promise<HeldMembers & { readonly missing: number }>;
};

/** A backup that can be sent; whoever has it releases it. */
export type Backup = HeldMembers & { readonly note: BackupNote };

export type BackupUseCases = {
  /** @throws WarmbootError `conflict` while another one is made or sent */
  take(by: By, withImages: boolean, signal: AbortSignal): Promise<Backup>;
};
