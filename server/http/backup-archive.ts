import { createHash } from 'node:crypto';
import { TAR_BLOCK, tarHeader, tarPadding } from '../contract/image-archive.ts';
import { NOTE, SUMS, sumLine } from '../core/backup.ts';
import type { Backup } from '../core/backup-port.ts';
import type { ByteSource } from '../core/ports.ts';

const SECRET_MODE = 0o600;

/** A backup as one tar, whose length is known before; its members are hashed as they are sent, and the sums come last. */
export function backupArchive({ note, members, release }: Backup): ByteSource {
  const noteText = Buffer.from(`${JSON.stringify(note, null, 2)}\n`);
  const inside = (bytes: number) => TAR_BLOCK + bytes + tarPadding(bytes);
  const sumsBytes = [NOTE, ...members.map(({ name }) => name)].reduce(
    (sum, name) => sum + sumLine(name, '0'.repeat(64)).length,
    0,
  );
  const sizeBytes =
    inside(noteText.length) +
    members.reduce((sum, member) => sum + inside(member.sizeBytes), 0) +
    inside(sumsBytes) +
    2 * TAR_BLOCK;

  async function* read(): AsyncGenerator<Uint8Array> {
    let sums = '';
    const all = [{ name: NOTE, sizeBytes: noteText.length, read: () => once(noteText) }, ...members];
    for (const member of all) {
      yield tarHeader(member.name, member.sizeBytes, SECRET_MODE);
      const hash = createHash('sha256');
      for await (const part of member.read()) {
        hash.update(part);
        yield part;
      }
      yield new Uint8Array(tarPadding(member.sizeBytes));
      sums += sumLine(member.name, hash.digest('hex'));
    }
    // Before its end: who has got all of it may ask for the next at once.
    await release();
    const text = Buffer.from(sums);
    yield tarHeader(SUMS, text.length, SECRET_MODE);
    yield text;
    yield new Uint8Array(tarPadding(text.length) + 2 * TAR_BLOCK);
  }
  return { sizeBytes, etag: `"backup-${note.madeAt}"`, read };
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}
