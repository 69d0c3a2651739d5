import type { Command } from 'commander';
import type { GlobalOptions, Session, SessionNeeds } from './session.ts';
import type { CliWorld } from './world.ts';

/** What a command's file hangs its command on. */
export interface Cli {
  readonly program: Command;
  readonly world: CliWorld;
  globals(): GlobalOptions;
  /** Runs a task that speaks to a server; what it returns is the exit code. */
  run(needs: SessionNeeds, task: (session: Session) => Promise<number>): Promise<void>;
  /** For a command that speaks to none. */
  end(exitCode: number): void;
}
