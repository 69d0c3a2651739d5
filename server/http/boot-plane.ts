import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import type { HttpBindings } from '@hono/node-server';
import { type Context, Hono, type MiddlewareHandler } from 'hono';
import { claimSchema, reportSchema } from '../contract/host-plane.ts';
import { inventorySchema, MAX_INVENTORY_BYTES } from '../contract/inventory.ts';
import { cpioArchive } from '../core/cpio.ts';
import { type Digest, parseDigest } from '../core/digest.ts';
import { WarmbootError } from '../core/errors.ts';
import { hostScript, type ScriptBase } from '../core/host-script.ts';
import { hostState } from '../core/host-state.ts';
import { INSTALLER, installerOf } from '../core/installer.ts';
import { autoexecScript, entryScript } from '../core/ipxe.ts';
import { type Mac, parseMac } from '../core/mac.ts';
import {
  type ByteSource,
  IMAGE_FILES,
  type ImageFile,
  type ImageLibrary,
  type Logger,
  type Store,
} from '../core/ports.ts';
import type { DiskUseCases, MachineUseCases } from '../core/use-cases.ts';
import { bodyOf } from './body.ts';
import { callerOf, hashToken } from './caller.ts';
import { diskRoute } from './disk-route.ts';
import { heldKeys } from './held-keys.ts';
import { knownIndex } from './known-index.ts';
import { type HostTrust, manifestRoute } from './manifest-route.ts';
import { memorySource } from './memory-source.ts';
import { nothingHere } from './nothing-here.ts';
import { refuseCodedBodies } from './plain-bodies.ts';
import { problem, problemOf } from './problem.ts';
import { reportOf } from './report-wire.ts';
import { requestId } from './request-id.ts';
import { type Begin, sendBytes } from './send-bytes.ts';
import { onceSettled } from './settled.ts';
import { refuseWhenStopping } from './stopping.ts';
import type { Transfers } from './transfers.ts';

type Env = { Bindings: HttpBindings };

export type BootPlane = {
  readonly machines: MachineUseCases;
  readonly disks: DiskUseCases;
  readonly library: ImageLibrary;
  readonly images: Pick<Store, 'image'>;
  readonly settled: Store['settled'];
  /** Absolute URLs come from here, never from a Host header. */
  readonly scripts: ScriptBase;
  readonly trust: HostTrust & {
    publicPem(): string;
    note(held: { mac: string; tokenHash: string; keys: readonly string[]; secure: boolean }): void;
  };
  /** Told that a machine speaks with this token, before that is looked at. */
  onWord(mac: Mac, tokenHash: string, address: string): void;
  /** Whether this is the plane with TLS, which is for hosts alone. */
  readonly secure: boolean;
  /** Where hosts have to ask instead; null: here. */
  readonly movedTo: string | null;
  /** The limits of what is sent of images and disks. */
  readonly transfers: Transfers;
  /** Finds an NBP by name on this machine's disk. */
  findNbp(name: string): Promise<string | null>;
  /** Ends long polls when the server stops. */
  readonly stopping: AbortSignal;
  readonly logger: Logger;
  /** Runs around every request: the access log. */
  readonly onRequest: MiddlewareHandler<Env>;
};

const TYPE: Readonly<Record<ImageFile, string>> = {
  'index.json': 'application/json',
  'frames.json': 'application/json',
  data: 'application/zstd',
  raw: 'application/octet-stream',
  kernel: 'application/octet-stream',
  initrd: 'application/octet-stream',
  loader: 'application/octet-stream',
};

const TAR = 'application/x-tar';

/** What is worth a turn; the rest is small, or firmware fetches it, which knows no Retry-After. */
const LARGE: ReadonlySet<ImageFile> = new Set(['data', 'raw']);

/** What firmware, installers and agents ask for. Nothing here changes the fleet but claims, reports and inventories. */
export function bootPlane(plane: BootPlane): Hono<Env> {
  const { machines, library, scripts, trust, logger } = plane;
  const { bootUrl } = scripts;
  const app = new Hono<Env>();
  app.use(requestId, plane.onRequest, refuseWhenStopping(plane.stopping), refuseCodedBodies);
  app.use('/boot/*', onceSettled(plane.settled));
  app.onError((error, c) => problemOf(c, error, logger));

  app.get('/boot.ipxe', (c) => ipxe(c, entryScript({ bootUrl })));
  app.get('/boot/script', async (c) => {
    const mac = parseMac(c.req.query('mac') ?? '');
    if (!mac) throw new WarmbootError('malformed', 'Say which machine asks: ?mac=52:54:00:12:34:56.');
    return ipxe(c, hostScript(scripts, mac, await machines.bootChoice(mac), c.req.query('arch')));
  });

  app.get('/boot/nbp/:file', (c) => nbp(c, c.req.param('file')));
  app.get('/boot/installer/vmlinuz', (c) => installerFile(c, 'kernel'));
  app.get('/boot/installer/initrd.img', (c) => installerFile(c, 'initrd'));
  app.get('/boot/trust', async (c) => {
    const { text } = await trust.document();
    return c.body(text, 200, {
      'content-type': 'text/plain; charset=utf-8',
      'cache-control': 'no-cache',
      vary: 'Warmboot-Key',
      'warmboot-signature': await trust.sign(Buffer.from(text), heldKeys(c), null),
    });
  });
  app.get('/boot/installer/config.img', async (c) => {
    const files = [
      { path: 'etc/warmboot/server.pem', mode: 0o644, content: trust.publicPem() },
      { path: 'etc/warmboot/trust', mode: 0o644, content: (await trust.document()).text },
      { path: 'etc/warmboot/server.url', mode: 0o644, content: `${bootUrl}\n` },
    ];
    const archive = cpioArchive(files, (text) => new TextEncoder().encode(text));
    return c.body(new Uint8Array(archive), 200, { 'content-type': 'application/octet-stream' });
  });

  app.get('/boot/images/:digest/:file', async (c) => {
    const digest = parseDigest(c.req.param('digest').toLowerCase());
    if (!digest)
      throw new WarmbootError('malformed', 'An image is named by its digest: sha256: and 64 hex digits.');
    const file = IMAGE_FILES.find((name) => name === c.req.param('file'));
    const bytes = file ? await imageFile(c, digest, file) : null;
    if (!file || !bytes)
      throw new WarmbootError('not-found', `There is no ${c.req.param('file')} of the image ${digest}.`);
    // How chunks are encoded may change when a damaged one is stored anew: a cache asks whether it has.
    const mayChange = file === 'frames.json' || file === 'data';
    const caching = mayChange ? 'no-cache' : undefined;
    return sendBytes(c, bytes, TYPE[file], caching, LARGE.has(file) ? beginFor(c) : undefined);
  });

  app.get('/boot/disks/:file', diskRoute(plane.disks, beginFor));

  app.use('/boot/hosts/:mac/*', async (c, next) => {
    if (plane.movedTo !== null) return moved(c, plane.movedTo);
    const { tokenHash } = callerOf(c);
    const [mac, keys] = [parseMac(c.req.param('mac')), heldKeys(c)];
    if (mac && tokenHash !== null)
      plane.onWord(mac, tokenHash, c.env.incoming.socket.remoteAddress ?? 'unknown');
    await next();
    if (c.res.status < 400 && mac && keys && tokenHash !== null)
      trust.note({ mac, tokenHash, keys, secure: plane.secure });
    return undefined;
  });
  app.get(
    '/boot/hosts/:mac/manifest',
    manifestRoute({
      machines,
      trust,
      filesUrl: plane.secure ? bootUrl : null,
      polls: {
        stopping: plane.stopping,
        settled: plane.settled,
        refuse: (c, error) => problemOf(c, error, logger),
      },
    }),
  );
  app.get('/boot/hosts/:mac/files/:sha256', async (c) => {
    const { mac, sha256 } = c.req.param();
    const tar = await machines.files(mac, sha256, callerOf(c));
    return sendBytes(c, memorySource(tar, sha256), TAR, 'no-store');
  });
  app.get('/boot/hosts/:mac/layout', async (c) => {
    const bytes = whole(c, 'bytes');
    const sector = whole(c, 'sector');
    if (sector !== 512 && sector !== 4096)
      throw new WarmbootError('invalid', `Disks have sectors of 512 or 4096 bytes, not of ${sector}.`);
    const disk = { bytes, sectorBytes: sector } as const;
    const attempt = c.req.query('attempt') ?? null;
    const table = await machines.partitionTable(c.req.param('mac'), attempt, disk, callerOf(c));
    // An answer that is made of nothing but its text cannot be made into one to HEAD by hono's adapter.
    return c.text(table, 200);
  });
  app.post('/boot/hosts/:mac/claims', async (c) => {
    const { value } = await bodyOf(c, claimSchema);
    const claim = { attempt: value.attempt, tokenHash: hashToken(value.token) };
    const answer = await machines.claim(c.req.param('mac'), claim);
    if (answer === 'refused')
      return problem(
        c,
        409,
        'The claim was refused: another token holds this host, or no such install of it is open.',
      );
    return c.json({ claimed: true }, answer === 'new' ? 201 : 200);
  });
  app.post('/boot/hosts/:mac/inventory', async (c) => {
    const { value } = await bodyOf(c, inventorySchema, MAX_INVENTORY_BYTES);
    const address = c.env.incoming.socket.remoteAddress ?? 'unknown';
    const host = await machines.takeInventory(c.req.param('mac'), value, address, callerOf(c));
    return c.json({ state: hostState(host) }, 200);
  });
  app.post('/boot/hosts/:mac/reports', async (c) => {
    const { value, bytes } = await bodyOf(c, reportSchema);
    const bodyHash = createHash('sha256').update(bytes).digest('hex');
    const { verdict, why, serial } = await machines.report(
      c.req.param('mac'),
      reportOf(value),
      bodyHash,
      callerOf(c),
    );
    return c.json({ applied: verdict === 'applied', verdict, why, serial }, verdict === 'stale' ? 202 : 200);
  });

  const nowhere = nothingHere(app, 'boot');
  app.notFound((c) => {
    // Some firmware joins the directory and the file with one slash too many.
    const doubled = /^\/\/([^/]+)$/.exec(c.req.path);
    if (doubled?.[1] && ['GET', 'HEAD'].includes(c.req.method)) return nbp(c, doubled[1]);
    return nowhere(c);
  });
  return app;

  /** A host is known by its token; who has none, by the address that it asks from. */
  function beginFor(c: Context): Begin {
    return async () => {
      const { tokenHash } = callerOf(c);
      const host = tokenHash === null ? null : await machines.hostOfToken(tokenHash);
      if (host !== null) return plane.transfers.begin(host, 'machine');
      return plane.transfers.begin(c.env.incoming.socket.remoteAddress ?? 'unknown', 'others');
    };
  }

  async function nbp(c: Context<Env>, name: string): Promise<Response> {
    if (name === 'autoexec.ipxe') return ipxe(c, autoexecScript({ bootUrl }));
    const file = await plane.findNbp(name);
    if (!file) return problem(c, 404, `There is no NBP ${name.slice(0, 64)} here. Install the package ipxe.`);
    const { size, mtimeMs } = await stat(file);
    const etag = `"${size.toString(16)}-${Math.floor(mtimeMs).toString(16)}"`;
    const read = ({ start, end }: { start: number; end: number }, signal: AbortSignal) =>
      createReadStream(file, { start, end: end - 1, signal }) as AsyncIterable<Uint8Array>;
    return sendBytes(c, { sizeBytes: size, etag, read }, 'application/octet-stream', 'no-cache');
  }

  /** The texts come without what the client has, where it says what that is. */
  async function imageFile(c: Context<Env>, digest: Digest, file: ImageFile): Promise<ByteSource | null> {
    if (file !== 'index.json' && file !== 'frames.json') return library.open(digest, file);
    const known = knownIndex(c);
    return (known && (await library.openCoded(digest, file, known))) ?? library.open(digest, file);
  }

  async function installerFile(c: Context<Env>, file: ImageFile): Promise<Response> {
    const { digest } = installerOf(await plane.images.image(INSTALLER));
    const bytes = await library.open(digest, file);
    if (!bytes) throw new WarmbootError('unavailable', 'The installer was removed a moment ago. Ask again.');
    return sendBytes(c, bytes, 'application/octet-stream', 'no-cache');
  }
}

/** RFC 9110, 15.5.22: nothing of it is answered over plain HTTP. */
function moved(c: Context<Env>, url: string): Response {
  c.header('upgrade', 'TLS/1.2, HTTP/1.1');
  c.header('connection', 'upgrade');
  const detail = `Hosts speak to this server by TLS: ${url}. What to trust there: GET /boot/trust.`;
  return problem(c, 426, detail);
}

function ipxe(c: Context<Env>, script: string): Response {
  return c.body(script, 200, { 'content-type': 'text/plain; charset=utf-8', 'cache-control': 'no-store' });
}

function whole(c: Context<Env>, name: string): number {
  const text = c.req.query(name) ?? '';
  if (/^\d{1,15}$/.test(text)) return Number(text);
  throw new WarmbootError(
    'malformed',
    `"${name}" must be a whole number, as in ?bytes=6442450944&sector=512.`,
  );
}
