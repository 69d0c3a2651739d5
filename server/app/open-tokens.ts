import type { Logger as Pino } from 'pino';
import { type TokenKeeper, tokenCases } from '../control/tokens.ts';
import { WarmbootError } from '../core/errors.ts';
import type { Store } from '../core/ports.ts';
import { newId, newToken, sha256Hex } from '../keys/tokens.ts';

const FLUSH_MS = 60_000;

/**
 * Who may use the admin plane: the tokens of the store, and the first one from its file.
 * @param first the text of admin.token
 * @param closers gets what writes down the rest when the server stops
 */
export async function openTokens(
  store: Store,
  first: string,
  logger: Pino,
  closers: (() => unknown)[],
): Promise<TokenKeeper> {
  const secret = first.trim();
  if (secret === '')
    throw new WarmbootError(
      'unavailable',
      'The file admin.token in the data folder is empty. Remove it: the next start makes a new token.',
    );
  const tokens = tokenCases({ tokens: store.tokens, clock: Date.now, newId, newSecret: newToken, sha256Hex });
  if (!(await tokens.admitFirst(secret)))
    logger.warn(
      {},
      'the token in admin.token was revoked; remove the file to get a new one at the next start',
    );
  const flush = () => tokens.flush().catch((err: unknown) => logger.error({ err }, 'tokens not written'));
  const timer = setInterval(flush, FLUSH_MS);
  closers.push(flush, () => clearInterval(timer));
  return tokens;
}
