/**
 * The process that copies the database for a backup, forked by app/snapshots.ts: it would hold the server's event loop. It ends
 * when its parent ends.
 */
import { setPriority } from 'node:os';
import { copyDatabase } from './store/snapshot.ts';

process.on('message', ({ from, to }: { from: string; to: string }) => {
  copyDatabase(from, to).then(
    (facts) => process.send?.({ facts }),
    (error: NodeJS.ErrnoException) => process.send?.({ failed: error.message, code: error.code }),
  );
});
process.on('disconnect', () => process.exit());
// The terminal's Ctrl-C goes to the whole process group: the parent decides.
process.on('SIGINT', () => {});
setPriority(10);
