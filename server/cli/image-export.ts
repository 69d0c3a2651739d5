import { segment } from './client.ts';
import { save } from './save.ts';
import type { Session } from './session.ts';

/** Writes the archive of an image to a file, or to standard output for `-`. */
export async function exportImage(session: Session, ref: string, path: string): Promise<number> {
  await save(session, `/api/v1/images/${segment(ref)}/archive`, path, 'export');
  if (path !== '-') session.say(`${ref} is in ${path}.`);
  return 0;
}
