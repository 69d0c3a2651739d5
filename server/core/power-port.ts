import type { Mac } from './mac.ts';

/** What a power hook is told of a machine. */
export type PowerFacts = {
  readonly macs: readonly Mac[];
  readonly labels: Readonly<Record<string, string>>;
  /** As the machine itself said, so not proven; null: nobody knows. */
  readonly serial: string | null;
  readonly bmc: string | null;
};

/** `output`: the end of what the hook said. */
export type PowerOutcome = { readonly ok: boolean; readonly how: string; readonly output: string };

/** The operator's command that cycles a machine's power. */
export type PowerHook = {
  /** So many run at once and no more. */
  readonly atOnce: number;
  /** Never throws: what goes wrong is an outcome. `signal` aborts when the server stops. */
  cycle(facts: PowerFacts, signal: AbortSignal): Promise<PowerOutcome>;
};

/** Which hosts a hook is about; by id. */
export type PowerLookups = {
  /** Whose power is to be cycled, those first that have waited for longest. */
  queued(limit: number): Promise<readonly string[]>;
  /** Whose hook was begun and has not ended. */
  begun(): Promise<readonly string[]>;
};
