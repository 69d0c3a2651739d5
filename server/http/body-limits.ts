import type { MiddlewareHandler } from 'hono';
import { bodyLimit } from 'hono/body-limit';
import { MOST_FILE_BYTES } from '../core/file-set.ts';
import type { AdminEnv } from './admin-app.ts';
import { tooLarge } from './body-room.ts';

const KIB = 1024;
const MIB = 1024 * KIB;

/** What is read whole before it is looked at, in bytes. Anybody may log in; all else was asked by somebody with a token. */
const LIMITS: readonly { readonly at: RegExp; readonly maxBytes: number }[] = [
  { at: /^\/(api\/v1\/session|login)$/, maxBytes: 4 * KIB },
  { at: /^\/api\/v1\/hosts\/[^/]+\/files\//, maxBytes: MOST_FILE_BYTES },
  // With the secrets that Docker takes, each 500 KiB at most.
  { at: /^\/api\/v1\/builds$/, maxBytes: 16 * MIB },
  // The index of an image of some TiB, as a JSON string.
  { at: /^\/api\/v1\/uploads$/, maxBytes: 256 * MIB },
];
const USUAL_BYTES = MIB;

/** Bodies that are taken as they come, each checked by who takes it. */
const STREAMS = /^PUT \/api\/v1\/(contexts|uploads)\//;

/** Refuses larger bodies, by what they say of their length or, where that is not said, as soon as they exceed it. */
export const limitBodies: MiddlewareHandler<AdminEnv> = async (c, next) => {
  const { path, method } = c.req;
  if (STREAMS.test(`${method} ${path}`)) return next();
  const maxBytes = LIMITS.find(({ at }) => at.test(path))?.maxBytes ?? USUAL_BYTES;
  const onError = () => {
    throw tooLarge(maxBytes);
  };
  return bodyLimit({ maxSize: maxBytes, onError })(c, next);
};
