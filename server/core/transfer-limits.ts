import { WarmbootError } from './errors.ts';

/** What machines may be sent of images and disks; null: no limit. Rates are bytes per second. */
export type TransferLimits = {
  readonly atOnce: number | null;
  readonly atOncePerHost: number | null;
  readonly rate: number | null;
  readonly ratePerHost: number | null;
};

export const NO_LIMITS: TransferLimits = { atOnce: null, atOncePerHost: null, rate: null, ratePerHost: null };

/** Where a rate is shared and nobody said by how many: by so many that each still gets this much. */
const FAIR_SHARE = 1024 ** 2;
/** Machines take a transfer for dead that is slower than some KB in 30 s; a part of it is up to 512 KiB. */
const LEAST_SHARE = 64 * 1024;

/**
 * What an operator said, completed: a rate without a number of transfers would be shared by any number, until each gets so
 * little that machines give it up and begin again.
 * @throws WarmbootError for limits under which no transfer would end
 */
export function transferLimits(said: TransferLimits): TransferLimits {
  const { rate, ratePerHost, atOnce, atOncePerHost } = said;
  if (atOnce === 0 || atOncePerHost === 0)
    throw new WarmbootError('invalid', 'A limit of 0 transfers lets no host have its image: say at least 1.');
  const limits = { ...said, atOnce: atOnce ?? (rate && Math.max(1, Math.floor(rate / FAIR_SHARE))) };
  const share = Math.min(
    limits.rate === null ? Infinity : limits.rate / (limits.atOnce ?? 1),
    ratePerHost === null ? Infinity : ratePerHost / (atOncePerHost ?? 1),
  );
  if (share >= LEAST_SHARE) return limits;
  throw new WarmbootError(
    'invalid',
    `These limits leave ${Math.floor(share)} bytes per second to a transfer, which machines take for a dead one: allow at least ${LEAST_SHARE}, or fewer transfers at once.`,
  );
}
