import { createHash } from 'node:crypto';
import type { Context } from 'hono';
import { WarmbootError } from '../core/errors.ts';
import { type Manifest, manifestText } from '../core/manifest.ts';
import type { MachineUseCases } from '../core/use-cases.ts';
import { callerOf } from './caller.ts';
import { namesWeakly } from './etag.ts';

/** The longest that a manifest may be waited for, in seconds. */
const MAX_WAIT_SECONDS = 60;

type Representation = { readonly body: Buffer; readonly etag: string; readonly type: string };

/**
 * `GET /boot/hosts/MAC/manifest`: JSON, or shell lines for `Accept: text/plain`. With `If-None-Match` and `?wait=S` it
 * answers as soon as the manifest differs, and with 304 when the time is over.
 */
export function manifestRoute(
  machines: MachineUseCases,
  sign: (body: Buffer) => string,
  stopping: AbortSignal,
) {
  return async (c: Context): Promise<Response> => {
    const mac = c.req.param('mac') ?? '';
    const caller = callerOf(c);
    const asText = prefersText(c.req.header('accept'));
    const known = c.req.header('if-none-match');
    const isKnown = ({ etag }: Representation) => namesWeakly(known, etag);
    const read = async () => represent(await machines.manifest(mac, caller), asText);

    const waitMs = waitOf(c.req.query('wait')) * 1000;
    let found: Representation;
    if (waitMs === 0 || !known) found = await read();
    else {
      const wait = await machines.listen(mac);
      const over = AbortSignal.any([c.req.raw.signal, stopping]);
      try {
        const end = Date.now() + waitMs;
        found = await read();
        while (isKnown(found) && Date.now() < end && !over.aborted) {
          await wait.changed(end - Date.now(), over);
          found = await read();
        }
      } finally {
        wait.stop();
      }
    }
    const headers = { etag: found.etag, vary: 'Accept', 'cache-control': 'no-cache' };
    if (isKnown(found)) return c.body(null, 304, headers);
    return c.body(new Uint8Array(found.body), 200, {
      ...headers,
      'content-type': found.type,
      'warmboot-signature': sign(found.body),
    });
  };
}

function represent(manifest: Manifest, asText: boolean): Representation {
  const body = Buffer.from(asText ? manifestText(manifest) : `${JSON.stringify(manifest)}\n`);
  const hash = createHash('sha256').update(body).digest('hex').slice(0, 32);
  return { body, etag: `"${hash}"`, type: asText ? 'text/plain; charset=utf-8' : 'application/json' };
}

/** JSON unless plain text is named and JSON is not named before it. */
function prefersText(accept: string | undefined): boolean {
  const types = (accept ?? '').split(',').map((part) => part.split(';')[0]?.trim().toLowerCase());
  const text = types.indexOf('text/plain');
  const json = types.indexOf('application/json');
  return text !== -1 && (json === -1 || text < json);
}

function waitOf(text: string | undefined): number {
  if (text === undefined) return 0;
  if (!/^\d{1,6}$/.test(text))
    throw new WarmbootError('malformed', `"wait" is a number of seconds, at most ${MAX_WAIT_SECONDS}.`);
  return Math.min(Number(text), MAX_WAIT_SECONDS);
}
