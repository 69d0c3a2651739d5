/** What an operator may set for a host instead of the server's own: bounds of the trial, and of the rate of staging. */

/** Less would not let a system start; a machine that hangs longer than a day has been forgotten. */
export const TRIAL_SECONDS = { least: 60, most: 86_400 } as const;

/** A host that takes less than this would stage a common image for days. In bytes per second. */
export const LEAST_RATE_BYTES = 64 * 1024;

/** Of one host. All of them, as JSON, fit into the environment of a power hook, where Linux takes 128 KiB for one text. */
export const MOST_LABELS = 128;

type HostLimits = {
  readonly trialSeconds?: number | null | undefined;
  readonly rate?: number | null | undefined;
};

/** Why these cannot be a host's limits, in a sentence; null where they can. Null in them means the server's own. */
export function unusableLimit({ trialSeconds, rate }: HostLimits): string | null {
  const { least, most } = TRIAL_SECONDS;
  if (typeof trialSeconds === 'number' && !isWithin(trialSeconds, least, most))
    return `A trial of ${trialSeconds} seconds cannot be: say ${least} to ${most}, or null for the server's own time.`;
  if (typeof rate === 'number' && !isWithin(rate, LEAST_RATE_BYTES, Number.MAX_SAFE_INTEGER))
    return `A rate of ${rate} bytes per second is too low or no whole number: say at least ${LEAST_RATE_BYTES}, or null for none.`;
  return null;
}

function isWithin(value: number, least: number, most: number): boolean {
  return Number.isSafeInteger(value) && value >= least && value <= most;
}
