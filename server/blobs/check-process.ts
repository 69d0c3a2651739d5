import { fork } from 'node:child_process';
import { resolve as absolute } from 'node:path';
import type { Checker } from '../core/file-ports.ts';
import { childProgram } from '../lib/product.ts';
import type { CheckAnswer, CheckQuestion } from './check-messages.ts';

type Waiting = { resolve(answer: CheckAnswer): void; reject(error: Error): void };

/** Starts the process that checks; close it when done. A process that dies fails what waits for it. */
export function startChecker(dataDir: string): Checker {
  const child = fork(childProgram('check-child'), {
    execArgv: [],
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  });
  const waiting = new Map<number, Waiting>();
  let asks = 0;
  let gone: Error | null = null;

  const fail = (why: string): void => {
    gone ??= new Error(`The process that checks the store ended early (${why}).`);
    for (const { reject } of waiting.values()) reject(gone);
    waiting.clear();
  };
  child.on('error', (error) => fail(error.message));
  child.on('exit', (code, signal) => fail(signal ?? `exit code ${code}`));
  child.on('message', (answer: CheckAnswer) => {
    const asked = waiting.get(answer.ask);
    waiting.delete(answer.ask);
    if (answer.type === 'failed') asked?.reject(new Error(answer.what));
    else asked?.resolve(answer);
  });
  const tell = (question: CheckQuestion) => child.send(question, (error) => error && fail(error.message));
  tell({ type: 'start', dataDir: absolute(dataDir) });

  function ask(make: (ask: number) => CheckQuestion): Promise<CheckAnswer> {
    if (gone) return Promise.reject(gone);
    asks += 1;
    const number = asks;
    return new Promise((resolve, reject) => {
      waiting.set(number, { resolve, reject });
      tell(make(number));
    });
  }

  return {
    async chunks(chunks, draft: string | null = null) {
      const answer = await ask((number) => ({ type: 'chunks', ask: number, chunks, draft }));
      return answer.type === 'chunks' ? answer.damaged : [];
    },
    async files(digest, draft: string | null = null) {
      const answer = await ask((number) => ({ type: 'files', ask: number, digest, draft }));
      return answer.type === 'files' ? answer.damaged : [];
    },
    close() {
      child.kill('SIGKILL');
    },
  };
}
