import { WarmbootError } from '../core/errors.ts';
import type { Host } from '../core/host.ts';
import { type Mac, parseMac } from '../core/mac.ts';
import type { Decision, Records, Store } from '../core/ports.ts';
import { type Expected, requireRevision } from '../core/revision.ts';
import { type Context, change } from './context.ts';

/** One host, named by any of its MACs. */

/** @throws WarmbootError for a MAC that is none, or that no host has */
export async function findHost(
  { store }: { readonly store: Pick<Store, 'host'> },
  macText: string,
): Promise<Host> {
  const mac = macOf(macText);
  const host = await store.host({ mac });
  if (!host) throw notEnrolled(mac);
  return host;
}

/**
 * One host, one decision, with the host known to exist, and to be as the operator saw it.
 * @throws WarmbootError `outdated` when it has another revision than one of `expected`
 */
export function onHost<Answer>(
  context: Context,
  macText: string,
  expected: Expected,
  decide: (host: Host, records: Records, now: number) => Decision<Answer>,
): Promise<Answer> {
  const mac = macOf(macText);
  return change(context, { macs: [mac] }, (records, now) => {
    const [host] = records.hosts;
    if (!host) throw notEnrolled(mac);
    requireRevision(host, expected);
    return decide(host, records, now);
  });
}

export function macOf(text: string): Mac {
  const mac = parseMac(text);
  if (mac) return mac;
  throw new WarmbootError(
    'malformed',
    `"${text.slice(0, 40)}" is not a MAC of a network card. Write six hex bytes, as in 52:54:00:12:34:56.`,
  );
}

export function notEnrolled(mac: Mac): WarmbootError {
  return new WarmbootError('not-found', `No host has the MAC ${mac}. Enrol it with POST /api/v1/hosts.`);
}
