import type { Digest } from '../core/digest.ts';
import { WarmbootError } from '../core/errors.ts';

export function removedImage(digest: Digest): WarmbootError {
  return new WarmbootError('not-found', `The image ${digest} was removed.`);
}

/** @param reason a clause without a full stop */
export function damagedImage(digest: Digest, reason: string): WarmbootError {
  return new WarmbootError(
    'unavailable',
    `The image ${digest} is damaged: ${reason}. Build, import or push it again.`,
  );
}
