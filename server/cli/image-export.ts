import { archiveHeaderSchema, readTarHeader, TAR_BLOCK } from '../contract/image-archive.ts';
import { parsed, segment } from './client.ts';
import { save } from './save.ts';
import type { Session } from './session.ts';

/** Writes the archive of an image to a file, or to standard output for `-`. */
export async function exportImage(session: Session, ref: string, path: string): Promise<number> {
  const { bytes, head } = await save(session, `/api/v1/images/${segment(ref)}/archive`, path, 'export');
  if (path === '-') return 0;
  session.remark(`${ref} is in ${path}.`);
  if (session.json) session.printJson({ digest: digestIn(head), file: path, bytes });
  return 0;
}

/** As the archive itself names it: a tag may mean another image by now. */
function digestIn(head: Uint8Array): string | null {
  const member = readTarHeader(head.subarray(0, TAR_BLOCK));
  const text = new TextDecoder().decode(head.subarray(TAR_BLOCK, TAR_BLOCK + (member?.bytes ?? 0)));
  return parsed(text, archiveHeaderSchema)?.digest ?? null;
}
