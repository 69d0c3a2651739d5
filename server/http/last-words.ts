import type { Mac } from '../core/mac.ts';
import { newest } from '../core/newest.ts';
import type { TokenWord } from '../core/token-hint.ts';
import { KEPT_MACS } from './last-seen.ts';

/**
 * The last word for each MAC that came with a token, right or wrong: without one nobody can push out a host's. Telemetry, as
 * `lastSeen` is.
 */
export function lastWords(clock: () => number) {
  const words = newest<string, TokenWord>(KEPT_MACS);
  return {
    note(mac: Mac, tokenHash: string, address: string): void {
      words.note(mac, { tokenHash, address, at: clock() });
    },
    of: (macs: readonly string[]): TokenWord | null =>
      macs.reduce<TokenWord | null>((last, mac) => {
        const word = words.of(mac);
        return word && word.at > (last?.at ?? 0) ? word : last;
      }, null),
  };
}
