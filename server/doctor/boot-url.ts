import { type Finding, ok, problem, warning } from '../core/finding.ts';
import { isLoopback } from '../core/listen-address.ts';

/** What hosts are told about where the server is. */
export type BootUrlFacts = {
  /** What the operator said; null: nothing. */
  readonly said: string | null;
  /** What hosts would be told. */
  readonly url: string;
  /** Addresses of this machine that others can reach. */
  readonly ownAddresses: readonly string[];
};

const CHECK = 'boot-url';
const SAY = 'Say how hosts reach this server: --boot-url http://ADDRESS:PORT.';

export function bootUrlFinding({ said, url, ownAddresses }: BootUrlFacts): Finding {
  const { hostname } = new URL(url);
  const address = hostname.replace(/^\[|\]$/g, '');
  if (isLoopback(address)) return problem(CHECK, `hosts would be told ${url}, which is themselves`, SAY);
  if (said === null && ownAddresses.length > 1)
    return warning(
      CHECK,
      `hosts would be told ${url}, the first of this machine's addresses (${ownAddresses.join(', ')})`,
      SAY,
    );
  if (said !== null && isAddress(address) && !ownAddresses.includes(address))
    return warning(
      CHECK,
      `hosts would be told ${url}, and this machine does not have that address`,
      'Right where a cache, a proxy or address translation stands in front; else mend --boot-url.',
    );
  return ok(CHECK, `hosts are told ${url}`);
}

function isAddress(host: string): boolean {
  return /^[0-9.]+$/.test(host) || host.includes(':');
}
