import { path } from './arguments.ts';
import type { Cli } from './command.ts';
import { save } from './save.ts';
import type { Session } from './session.ts';

/** A large database on a slow disk is copied before the first byte comes. */
const PATIENCE_MS = 15 * 60_000;

export function addBackup({ program, run }: Cli): void {
  program
    .command('backup')
    .description('Write the database, the keys and the first token to a file, while the server works.')
    .argument('<file>', 'the file, for its owner alone; - is standard output', path)
    .option('--with-images', 'the bytes of all images too')
    .addHelpText('after', '\nThe file is as secret as the data folder. See also: warmboot restore.')
    .action((file: string, options: { withImages?: boolean }) =>
      run({}, (session) => backup(session, file, options.withImages ?? false)),
    );
}

async function backup(session: Session, file: string, images: boolean): Promise<number> {
  const order = { body: { images }, patienceMs: PATIENCE_MS, isSecret: true };
  const { bytes } = await save(session, '/api/v1/backup', file, 'backup', order);
  if (file === '-') return 0;
  if (session.json) session.printJson({ file, bytes });
  else session.remark(`The backup is in ${file}. It holds keys and tokens: keep it as you keep those.`);
  return 0;
}
