/**
 * The process that reads what is stored or was sent, forked by blobs/check-process.ts: decompressing and hashing would
 * hold the server's event loop. It writes nothing, and ends when its parent ends.
 */
import { setPriority } from 'node:os';
import { checkChunks, checkFiles } from './blobs/check.ts';
import type { CheckAnswer, CheckQuestion } from './blobs/check-messages.ts';
import type { Digest } from './core/digest.ts';

let dataDir = '';

process.on('message', (question: CheckQuestion) => {
  if (question.type === 'start') dataDir = question.dataDir;
  else
    answer(question).then(
      (told) => process.send?.(told),
      (error: Error) => process.send?.({ type: 'failed', ask: question.ask, what: error.message }),
    );
});
process.on('disconnect', () => process.exit());
// The terminal's Ctrl-C goes to the whole process group: the parent decides.
process.on('SIGINT', () => {});
setPriority(10);

async function answer(question: Exclude<CheckQuestion, { type: 'start' }>): Promise<CheckAnswer> {
  const { ask, draft } = question;
  switch (question.type) {
    case 'chunks':
      return { type: 'chunks', ask, damaged: await checkChunks(dataDir, question.chunks, draft) };
    case 'files':
      return { type: 'files', ask, damaged: await checkFiles(dataDir, question.digest as Digest, draft) };
    default:
      return question satisfies never;
  }
}
