import { type Finding, ok, problem } from '../core/finding.ts';

/** @param missing names that the architecture table wants and no folder has @param folders where they were looked for */
export function nbpFinding(missing: readonly string[], folders: readonly string[]): Finding {
  const check = 'nbp';
  const where = folders.join(', ');
  if (missing.length === 0) return ok(check, `the network boot programs are in ${where}`);
  return problem(
    check,
    `network boot programs are missing in ${where}: ${missing.join(', ')}`,
    'Install them (apt-get install ipxe), or name a folder that has them with --nbp-dir.',
  );
}
