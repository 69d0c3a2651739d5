import { access, constants, stat } from 'node:fs/promises';
import { type Finding, ok, problem, warning } from '../core/finding.ts';

/** Whether the power hook could be started, and nobody but root can change it. @param file null: there is none */
export async function powerHookFinding(file: string | null): Promise<Finding | null> {
  if (file === null) return null;
  try {
    const { mode } = await stat(file);
    await access(file, constants.X_OK);
    if ((mode & 0o022) !== 0)
      return warning(
        'power-hook',
        `others than its owner may write ${file}, which runs as the server does`,
        `chmod go-w ${file}`,
      );
    return ok('power-hook', `${file} can be started`);
  } catch (error) {
    const why = (error as NodeJS.ErrnoException).code ?? 'unknown';
    return problem(
      'power-hook',
      `the power hook ${file} cannot be started (${why})`,
      'Change --power-hook, or chmod +x that file.',
    );
  }
}
