import { createHash } from 'node:crypto';
import type { HttpBindings } from '@hono/node-server';
import type { Context } from 'hono';
import { WarmbootError } from '../core/errors.ts';
import { filesAt, type Manifest, manifestText } from '../core/manifest.ts';
import type { MachineUseCases } from '../core/use-cases.ts';
import { callerOf } from './caller.ts';
import { namesWeakly } from './etag.ts';
import { heldKeys } from './held-keys.ts';
import { type Answer, type LongPolls, longPolls, sentBy } from './long-poll.ts';
import { problem } from './problem.ts';

/** The longest that a manifest may be waited for, in seconds. */
const MAX_WAIT_SECONDS = 60;

/** What signs, and the edition of what hosts shall trust in. */
export type HostTrust = {
  document(): Promise<{ readonly edition: number; readonly text: string }>;
  sign(body: Uint8Array, held: readonly string[] | null, mac: string | null): Promise<string>;
};

type Told = Manifest & { readonly trust: number };
type Representation = {
  readonly body: Uint8Array<ArrayBuffer>;
  readonly etag: string;
  readonly type: string;
};

/** Where the manifest is asked for. */
export type ManifestPlane = {
  readonly machines: MachineUseCases;
  readonly trust: HostTrust;
  /** Where the image's files are, when not beside the manifest. */
  readonly filesUrl: string | null;
  readonly polls: LongPolls;
};

/**
 * `GET /boot/hosts/MAC/manifest`: JSON, or shell lines for `Accept: text/plain`. With `If-None-Match` and `?wait=S` it
 * answers as soon as the manifest differs, and with 304 when the time is over.
 */
export function manifestRoute({ machines, trust, filesUrl, polls }: ManifestPlane) {
  const hold = longPolls(polls);
  return async (c: Context<{ Bindings: HttpBindings }>): Promise<Response> => {
    if (polls.stopping.aborted) {
      // Those who come later find the next server; not all of them in its first second.
      c.header('retry-after', String(3 + Math.floor(Math.random() * 8)));
      return problem(c, 503, 'The server stops. Ask again in some seconds.');
    }
    const mac = c.req.param('mac') ?? '';
    const caller = callerOf(c);
    const asText = prefersText(c.req.header('accept'));
    const known = c.req.header('if-none-match');
    const held = heldKeys(c);
    const forMs = waitOf(c.req.query('wait')) * 1000;

    async function answer(isOver: boolean): Promise<Answer | null> {
      const found = await machines.manifest(mac, caller);
      const manifest = filesUrl === null ? found : filesAt(found, filesUrl);
      const { edition } = await trust.document();
      const { body, etag, type } = represent({ ...manifest, trust: edition }, asText);
      const headers = { etag, vary: 'Accept', 'cache-control': 'no-cache' };
      if (namesWeakly(known, etag)) return isOver ? { status: 304, headers, body: null } : null;
      const signature = await trust.sign(body, held, mac);
      return {
        status: 200,
        headers: { ...headers, 'content-type': type, 'warmboot-signature': signature },
        body,
      };
    }

    if (forMs > 0 && known !== undefined)
      return hold(c, { forMs, answer, listen: (onChange) => machines.listen(mac, onChange) });
    return sentBy(c, (await answer(true)) as Answer);
  };
}

function represent(manifest: Told, asText: boolean): Representation {
  const body = new TextEncoder().encode(asText ? manifestText(manifest) : `${JSON.stringify(manifest)}\n`);
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
