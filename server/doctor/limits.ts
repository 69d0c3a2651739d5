import { WarmbootError } from '../core/errors.ts';
import { type Finding, ok, problem } from '../core/finding.ts';
import { type TransferLimits, transferLimits } from '../core/transfer-limits.ts';

/** Whether transfers would end under these limits; null where there are none. */
export function limitsFinding(said: TransferLimits): Finding | null {
  if (Object.values(said).every((limit) => limit === null)) return null;
  try {
    const { atOnce, rate } = transferLimits(said);
    const all = rate === null ? '' : `, ${rate} bytes per second together`;
    return ok('transfer-limits', `${atOnce ?? 'any number of'} images are sent at once${all}`);
  } catch (error) {
    if (!(error instanceof WarmbootError)) throw error;
    return problem(
      'transfer-limits',
      error.message,
      'Change --max-transfers and --max-rate, or those per host.',
    );
  }
}
