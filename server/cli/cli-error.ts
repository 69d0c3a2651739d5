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

/** By shells' convention, 128 and the signal's number. */
const EXIT_BY_SIGNAL = { SIGINT: 130, SIGPIPE: 141, SIGTERM: 143 } as const;

/** The user pressed Ctrl-C, or a SIGTERM came. `message` says what goes on without this command. */
export class InterruptedError extends CliError {
  constructor(message = 'stopped') {
    super(message, EXIT_BY_SIGNAL.SIGINT);
  }
  /** @param reason of the signal that was aborted: the name of the one that the process got */
  static exitCode(reason: unknown): number {
    return reason === 'SIGTERM' ? EXIT_BY_SIGNAL.SIGTERM : EXIT_BY_SIGNAL.SIGINT;
  }
}

/** The reader of our standard output has closed it: nothing is said. */
export class ClosedPipeError extends CliError {
  constructor() {
    super('standard output was closed', EXIT_BY_SIGNAL.SIGPIPE);
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
