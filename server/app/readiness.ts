import { constants } from 'node:fs';
import { access } from 'node:fs/promises';
import type { Looks } from '../control/readiness.ts';
import { noRoom, unwritable } from '../core/disk-trouble.ts';
import { freeBytes } from './metering.ts';

type Facts = {
  readonly dataDir: string;
  readonly stopping: AbortSignal;
  isServing(): boolean;
  /** Why TFTP answers nobody, though it should. */
  tftpTrouble(): string | null;
  /** Writes to the database. @throws what SQLite and the disk say */
  probe(): Promise<void>;
};

/** What a server needs for its work, each looked at for itself. */
export function looksOf({ dataDir, stopping, isServing, tftpTrouble, probe }: Facts): Looks {
  return {
    process: () => (stopping.aborted ? 'the server is stopping' : null),
    listeners: () => (isServing() ? tftpTrouble() : 'the server is starting'),
    database: () => probe().then(() => null, unwritable),
    room: async () => {
      try {
        await access(dataDir, constants.W_OK);
        return noRoom(await freeBytes(dataDir));
      } catch (error) {
        return unwritable(error);
      }
    },
  };
}
