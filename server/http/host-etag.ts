import { createHash } from 'node:crypto';
import type { HostView } from '../contract/hosts.ts';

/** Digits of the hash: enough to tell two representations of one revision apart. */
const HASH_LENGTH = 22;

/** Of all that is shown but for what is not in its records, `lastSeen` and `hint`: an agent that only asks what to do makes no news. */
export function hostEtag({ lastSeen: _, next: { hint: __, ...next }, ...shown }: HostView): string {
  const hash = createHash('sha256')
    .update(JSON.stringify({ ...shown, next }))
    .digest('base64url');
  return `"${shown.revision}.${hash.slice(0, HASH_LENGTH)}"`;
}
