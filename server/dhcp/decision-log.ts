import type { Logger } from '../core/ports.ts';

/** How long the same word about the same client is not repeated, milliseconds: firmware asks some ten times a minute. */
const REPEAT_MS = 60_000;
/** Clients remembered; beyond, the ones that were silent longest are forgotten. */
const CLIENTS = 4096;
/** Lines a minute for all clients together: addresses are easily made up. */
const LINES = 1000;

export type Decision = {
  /** What was sent. */
  readonly kind: 'offer' | 'ack' | 'none';
  readonly client: string;
  readonly level: 'info' | 'warn';
  readonly fields: object;
  readonly text: string;
};

/** One line for each decision, and not the same one again and again. */
export function decisionLog(logger: Logger, clock: () => number): (decision: Decision) => void {
  const last = new Map<string, { readonly said: string; readonly atMs: number }>();
  let minute = { fromMs: clock(), lines: 0 };
  return ({ client, level, fields, text }) => {
    const atMs = clock();
    const said = JSON.stringify([text, fields]);
    const before = last.get(client);
    const isRepeated = before?.said === said && atMs - before.atMs < REPEAT_MS;
    if (!isRepeated) {
      last.delete(client);
      last.set(client, { said, atMs });
      const [oldest] = last.keys();
      if (last.size > CLIENTS && oldest !== undefined) last.delete(oldest);
    }
    if (atMs - minute.fromMs >= REPEAT_MS) {
      if (minute.lines > LINES) logger.warn({ lines: minute.lines - LINES }, 'proxyDHCP lines left out');
      minute = { fromMs: atMs, lines: 0 };
    }
    if (!isRepeated) minute.lines += 1;
    if (isRepeated || minute.lines > LINES) logger.debug({ client, ...fields }, text);
    else logger[level]({ client, ...fields }, text);
  };
}
