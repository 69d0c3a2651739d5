import type { HttpBindings } from '@hono/node-server';
import type { Context } from 'hono';
import { WarmbootError } from '../core/errors.ts';
import type { DiskUseCases } from '../core/use-cases.ts';
import { type Begin, sendBytes } from './send-bytes.ts';

const SUFFIXES = ['.img', '.img.zst'] as const;
const TYPE = { '.img': 'application/octet-stream', '.img.zst': 'application/zstd' } as const;

/** `GET …/LAYOUT.img[.zst]?a=REF&b=REF…[&sector=512|4096][&seed=TEXT]`: the same on both planes. */
export function diskRoute(disks: DiskUseCases, beginFor?: (c: Context) => Begin) {
  return async <E extends { Bindings: HttpBindings }>(c: Context<E>): Promise<Response> => {
    const file = c.req.param('file') ?? '';
    const suffix = SUFFIXES.find((ending) => file.endsWith(ending));
    if (!suffix)
      throw new WarmbootError(
        'not-found',
        `There is no ${file.slice(0, 64)}: a disk is LAYOUT.img or LAYOUT.img.zst.`,
      );
    const twice = Object.entries(c.req.queries()).find(([, values]) => values.length > 1);
    if (twice)
      throw new WarmbootError(
        'malformed',
        `"${twice[0].slice(0, 32)}" is given more than once. Give it once.`,
      );
    const { sector = '512', seed = '', ...slots } = c.req.query();
    if (!/^\d{1,6}$/.test(sector)) throw new WarmbootError('malformed', '"sector" is 512 or 4096.');
    if (seed.length > 128) throw new WarmbootError('malformed', '"seed" has 128 characters at most.');
    const wish = { layout: file.slice(0, -suffix.length), slots, sectorBytes: Number(sector), seed };
    const bytes = await disks.open(wish, suffix === '.img' ? 'img' : 'img.zst');
    // A name may mean another image tomorrow: a cache asks again, and the ETag answers.
    return sendBytes(c, bytes, TYPE[suffix], 'no-cache', beginFor?.(c));
  };
}
