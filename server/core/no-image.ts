import { WarmbootError } from './errors.ts';

/** `not-found` where the address names the image, `invalid` where an order does. */
export function noImage(code: 'not-found' | 'invalid', ref: string): WarmbootError {
  return new WarmbootError(
    code,
    `There is no image ${ref.slice(0, 200)}. Build it, or see which there are with warmboot images.`,
  );
}
