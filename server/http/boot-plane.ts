import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import type { HttpBindings } from '@hono/node-server';
import { type Context, Hono, type MiddlewareHandler } from 'hono';
import { claimSchema, reportSchema } from '../contract/host-plane.ts';
import { inventorySchema, MAX_INVENTORY_BYTES } from '../contract/inventory.ts';
import { cpioArchive } from '../core/cpio.ts';
import { parseDigest } from '../core/digest.ts';
import { WarmbootError } from '../core/errors.ts';
import { hostScript, type ScriptBase } from '../core/host-script.ts';
import { hostState } from '../core/host-state.ts';
import { INSTALLER, installerOf } from '../core/installer.ts';
import { autoexecScript, entryScript } from '../core/ipxe.ts';
import { parseMac } from '../core/mac.ts';
import { IMAGE_FILES, type ImageFile, type ImageLibrary, type Logger, type Store } from '../core/ports.ts';
import type { DiskUseCases, MachineUseCases } from '../core/use-cases.ts';
import { bodyOf } from './body.ts';
import { callerOf, hashToken } from './caller.ts';
import { diskRoute } from './disk-route.ts';
import { manifestRoute } from './manifest-route.ts';
import { problem, problemOf } from './problem.ts';
import { reportOf } from './report-wire.ts';
import { sendBytes } from './send-bytes.ts';

type Env = { Bindings: HttpBindings };

export type BootPlane = {
  readonly machines: MachineUseCases;
  readonly disks: DiskUseCases;
  readonly library: ImageLibrary;
  readonly images: Pick<Store, 'image'>;
  /** Absolute URLs come from here, never from a Host header. */
  readonly scripts: ScriptBase;
  readonly key: { readonly publicPem: string; sign(body: Buffer): string };
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

/** What firmware, installers and agents ask for. Nothing here changes the fleet but claims, reports and inventories. */
export function bootPlane(plane: BootPlane): Hono<Env> {
  const { machines, library, scripts, key, logger } = plane;
  const { bootUrl } = scripts;
  const app = new Hono<Env>();
  app.use(plane.onRequest);
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
  app.get('/boot/installer/config.img', (c) => {
    const files = [
      { path: 'etc/warmboot/server.pem', mode: 0o644, content: key.publicPem },
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
    const bytes = file ? await library.open(digest, file) : null;
    if (!file || !bytes)
      throw new WarmbootError('not-found', `There is no ${c.req.param('file')} of the image ${digest}.`);
    // How chunks are encoded may change when a damaged one is stored anew: a cache asks whether it has.
    const mayChange = file === 'frames.json' || file === 'data';
    return mayChange ? sendBytes(c, bytes, TYPE[file], 'no-cache') : sendBytes(c, bytes, TYPE[file]);
  });

  app.get('/boot/disks/:file', diskRoute(plane.disks));

  app.get('/boot/hosts/:mac/manifest', manifestRoute(machines, key.sign, plane.stopping));
  app.get('/boot/hosts/:mac/layout', async (c) => {
    const bytes = whole(c, 'bytes');
    const sector = whole(c, 'sector');
    if (sector !== 512 && sector !== 4096)
      throw new WarmbootError('invalid', `Disks have sectors of 512 or 4096 bytes, not of ${sector}.`);
    const disk = { bytes, sectorBytes: sector } as const;
    const attempt = c.req.query('attempt') ?? null;
    return c.text(await machines.partitionTable(c.req.param('mac'), attempt, disk, callerOf(c)));
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

  app.notFound((c) => {
    // Some firmware joins the directory and the file with one slash too many.
    const doubled = /^\/\/([^/]+)$/.exec(c.req.path);
    if (doubled?.[1] && ['GET', 'HEAD'].includes(c.req.method)) return nbp(c, doubled[1]);
    return problem(c, 404, `There is nothing at ${c.req.path.slice(0, 200)} on the boot plane.`);
  });
  return app;

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

  async function installerFile(c: Context<Env>, file: ImageFile): Promise<Response> {
    const { digest } = installerOf(await plane.images.image(INSTALLER));
    const bytes = await library.open(digest, file);
    if (!bytes) throw new WarmbootError('unavailable', 'The installer was removed a moment ago. Ask again.');
    return sendBytes(c, bytes, 'application/octet-stream', 'no-cache');
  }
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
