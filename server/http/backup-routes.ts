import * as routes from '../contract/backup.ts';
import type { BackupUseCases } from '../core/backup-port.ts';
import { explained } from '../core/disk-trouble.ts';
import { type AdminApp, byOf } from './admin-app.ts';
import { backupArchive } from './backup-archive.ts';
import { sendBytes } from './send-bytes.ts';

/** Sends what a server needs to be made anew. */
export function addBackupRoutes(
  app: AdminApp,
  { backups, stopping }: { readonly backups: BackupUseCases; readonly stopping: AbortSignal },
): void {
  app.openapi(routes.takeBackup, async (c) => {
    const { images = false } = c.req.valid('json');
    const given = AbortSignal.any([c.req.raw.signal, stopping]);
    const backup = await backups.take(byOf(c), images, given).catch((error: unknown) => {
      throw explained(error, 'take the backup again');
    });
    try {
      return (await sendBytes(c, backupArchive(backup), 'application/x-tar', 'no-store')) as never;
    } finally {
      await backup.release();
    }
  });
}
