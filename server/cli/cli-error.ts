/** Ends a command with one sentence on stderr and an exit code; never with a stack. */
export class CliError extends Error {
  override readonly name = 'CliError';
  readonly exitCode: number;
  /** @param message what, why, what to do */
  constructor(message: string, exitCode = 1) {
    super(message);
    this.exitCode = exitCode;
  }
}

/** The request never got an answer, or the answer broke off: worth another try where a command waits. */
export class UnreachableError extends CliError {}

/** By shells' convention, 128 + SIGINT. */
const EXIT_INTERRUPTED = 130;

/** The user pressed Ctrl-C. `message` says what goes on without this command. */
export class InterruptedError extends CliError {
  constructor(message = 'stopped') {
    super(message, EXIT_INTERRUPTED);
  }
}

export function message(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** The `code` of a Node system error: ENOENT, ECONNREFUSED, … */
export function codeOf(error: unknown): string | undefined {
  const code = error instanceof Error ? (error as Error & { code?: unknown }).code : undefined;
  return typeof code === 'string' ? code : undefined;
}
