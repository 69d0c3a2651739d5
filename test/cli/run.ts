import { runCli } from '../../server/cli/cli.ts';
import { openFile } from '../../server/cli/files.ts';
import { createFile } from '../../server/cli/output-file.ts';
import type { CliWorld } from '../../server/cli/world.ts';

export interface Ran {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface WorldOptions extends Partial<Omit<CliWorld, 'stdout' | 'stderr'>> {
  readonly files?: Readonly<Record<string, string>>;
  /** Files that this user may not read. */
  readonly denied?: readonly string[];
  /** Width of the terminal on both outputs; left out: they are pipes. */
  readonly columns?: number;
  /** Called with everything as it is written to stderr. */
  onStderr?(text: string): void;
  /** The same of stdout. */
  onStdout?(text: string): void;
}

/** The moment at which the tests take place. */
export const NOW = Date.UTC(2026, 10, 24, 12, 0, 0);
export const TOKEN = 'token-of-the-test';

/** Runs the command line in a world without a file, a clock or an environment but these. */
export async function run(argv: readonly string[], options: WorldOptions = {}): Promise<Ran> {
  const {
    files = { 'data/admin.token': `${TOKEN}\n` },
    denied = [],
    columns,
    onStderr,
    onStdout,
    ...given
  } = options;
  let [stdout, stderr] = ['', ''];
  const isTTY = columns !== undefined;
  const world: CliWorld = {
    version: '1.2.3',
    env: {},
    signal: new AbortController().signal,
    now: () => NOW,
    startServer: () => Promise.reject(new Error('no server of its own in this test')),
    restore: () => Promise.reject(new Error('no restore in this test')),
    examine: () => {
      throw new Error('no look at the machine in this test');
    },
    serve: () => Promise.reject(new Error('no serve in this test')),
    readFile: async (path) => {
      if (denied.includes(path)) throw Object.assign(new Error(`EACCES: ${path}`), { code: 'EACCES' });
      const text = files[path];
      if (text === undefined) throw Object.assign(new Error(`ENOENT: ${path}`), { code: 'ENOENT' });
      return text;
    },
    openFile: (path) => openFile(path, given.signal ?? new AbortController().signal),
    createFile,
    ...given,
    stdout: {
      isTTY,
      columns,
      write: (text) => {
        stdout += text;
        onStdout?.(text);
      },
    },
    stderr: {
      isTTY,
      columns,
      write: (text) => {
        stderr += text;
        onStderr?.(text);
      },
    },
  };
  const code = await runCli([...argv], world);
  return { code, stdout, stderr };
}
