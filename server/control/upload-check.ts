import type { Checker } from '../core/file-ports.ts';
import type { Upload } from './upload.ts';

/** Chunks in one question to the process that checks. */
const BATCH = 2_000;

/** Reads everything that was sent, in a process of its own. @returns what is wrong with it */
export async function firstFault(
  upload: Upload,
  startChecker: () => Checker,
  onBatch: () => void,
): Promise<string | null> {
  const sent = [...upload.came.values()];
  if (sent.length === 0 && upload.files.size === 0) return null;
  const checker = startChecker();
  try {
    for (let at = 0; at < sent.length; at += BATCH) {
      const [fault] = await checker.chunks(sent.slice(at, at + BATCH), upload.id);
      if (fault) return fault.what;
      onBatch();
    }
    if (upload.files.size === 0) return null;
    const [fault] = await checker.files(upload.digest, upload.id);
    return fault?.what ?? null;
  } finally {
    checker.close();
  }
}
