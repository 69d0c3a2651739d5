import type { Context } from 'hono';
import { matchedRoutes } from 'hono/route';
import { IMAGE_FILES } from '../core/ports.ts';

/** For what no route has matched: strangers ask for anything. */
const NONE = 'none';

/**
 * The pattern that a request matched, such as `/boot/hosts/:mac/manifest`, as a label with few values. Of an image's files the
 * name is kept: they differ by orders of magnitude.
 */
export function routeLabel(c: Context): string {
  const path = matchedRoutes(c)
    .map((route) => route.path)
    .findLast((pattern) => !pattern.endsWith('*'));
  if (path === undefined) return NONE;
  // What a name may be is no part of the label, and has no place in one.
  if (!path.endsWith('/:digest/:file')) return path.replace('{.+}', '');
  const file = IMAGE_FILES.find((name) => c.req.path.endsWith(`/${name}`));
  return file === undefined ? path : path.replace(':file', file);
}
