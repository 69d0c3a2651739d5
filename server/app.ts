import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import type { Logger as Pino } from 'pino';
import { ensureFolder } from './blobs/atomic.ts';
import { startChecker } from './blobs/check-process.ts';
import { contextSpool } from './blobs/context-spool.ts';
import { discardDraft } from './blobs/image-draft.ts';
import { imageFiles } from './blobs/image-files.ts';
import { imageLibrary } from './blobs/image-library.ts';
import { packReaders } from './blobs/pack-readers.ts';
import { sweep } from './blobs/sweep.ts';
import { uploadFiles } from './blobs/upload-draft.ts';
import { BuildError } from './build/build-error.ts';
import { buildLogs } from './build/build-logs.ts';
import { runBuild } from './build/builder.ts';
import type { BuildRequest } from './build/messages.ts';
import { bootUrl, type Config } from './config.ts';
import { parseDiskLayout } from './contract/image-json.ts';
import { buildCases } from './control/builds.ts';
import type { Context } from './control/context.ts';
import { garbageWatch } from './control/garbage-watch.ts';
import { hostCases } from './control/hosts.ts';
import { imageKeeper } from './control/image-keeper.ts';
import { imageRemoval } from './control/images.ts';
import { manifestCases } from './control/manifests.ts';
import { reportCases } from './control/reports.ts';
import { storeCheck } from './control/store-check.ts';
import { startTicker } from './control/ticker.ts';
import { uploadCases } from './control/uploads.ts';
import { createWakes } from './control/wakes.ts';
import type { Builder, BuildOrder } from './core/build-ports.ts';
import { PATIENCE } from './core/deadlines.ts';
import type { Digest } from './core/digest.ts';
import type { DiskLayout } from './core/disk-layout.ts';
import { unusableFolder } from './core/disk-trouble.ts';
import { WarmbootError } from './core/errors.ts';
import { autoexecScript } from './core/ipxe.ts';
import type { Store } from './core/ports.ts';
import type { MachineUseCases } from './core/use-cases.ts';
import { diskCases } from './disks/disk-images.ts';
import { accessLog } from './http/access-log.ts';
import { adminPlane } from './http/admin-plane.ts';
import { bootPlane } from './http/boot-plane.ts';
import { lastSeen } from './http/last-seen.ts';
import { LARGE_BODIES, listen } from './http/listen.ts';
import { manifestKey, newManifestKeyPem } from './keys/manifest-key.ts';
import { secretFile } from './keys/secret-file.ts';
import { newId, newToken, sameText, sha256Hex } from './keys/tokens.ts';
import { ownAddresses } from './own-addresses.ts';
import { type RunningNote, writeRunningNote } from './running-note.ts';
import { lockData } from './store/data-lock.ts';
import { openDatabase } from './store/database.ts';
import { sqliteStore } from './store/store.ts';
import { firstOf, generatedFiles } from './tftp/files.ts';
import { nbpFolder, nbpFolders } from './tftp/nbp-files.ts';
import { startTftp } from './tftp/server.ts';

export type Running = {
  /** How the command line reaches it. */
  readonly adminUrl: string;
  readonly boot: { readonly url: string; readonly port: number; readonly tftpPort: number | null } | null;
  /** Made now, at the first start; null when there was one. */
  readonly newAdminToken: string | null;
  close(): Promise<void>;
};

const TICK_MS = 1_000;
const MAX_CONTEXT_BYTES = 4 * 1024 ** 3;
/** All contexts together, in contexts of the largest size. */
const CONTEXTS_KEPT = 4;
/** What contexts leave of the disk to the database and the images. */
const DISK_RESERVE_BYTES = 1024 ** 3;
const UPLOAD_EXPIRY_MS = 60_000;
const MANIFEST = { pollSeconds: 15, trialSeconds: 600 };
/** The installer's consoles: the screen and the first serial port; the last one named is /dev/console. */
const INSTALLER_ARGUMENTS = 'console=tty0 console=ttyS0,115200n8';

/**
 * Joins the rooms into a running service. Whatever was started is closed again, in the opposite order, both at
 * `close` and when a later step fails.
 * @throws WarmbootError for what the operator can mend: a taken port, a locked data folder
 */
export async function start(config: Config, logger: Pino): Promise<Running> {
  const closers: (() => unknown)[] = [];
  const close = async () => {
    for (const step of closers.splice(0).reverse()) await step();
  };
  try {
    return { ...(await join(config, logger, closers)), close };
  } catch (error) {
    await close();
    throw error;
  }
}

async function join(
  { dataDir, imagesDir, migrationsDir, maxContextBytes = MAX_CONTEXT_BYTES, adminListen, boot }: Config,
  logger: Pino,
  closers: (() => unknown)[],
): Promise<Omit<Running, 'close'>> {
  const room = (name: string) => logger.child({ room: name });
  const stopping = new AbortController();

  const { adminToken, key, store } = await openData(dataDir, migrationsDir, room, closers).catch(
    (error: unknown) => {
      throw unusableFolder(dataDir, error);
    },
  );

  const readers = packReaders();
  const library = imageLibrary(dataDir, store, readers);
  const onStoreError = (err: unknown) => room('store').error({ err }, 'upkeep failed');
  const files = imageFiles(dataDir, readers);
  const keeper = imageKeeper({ store, files, newId, onError: onStoreError });
  closers.push(keeper.stop);
  keeper.collect().catch(onStoreError);
  const context: Context = {
    store,
    library,
    garbage: garbageWatch({ store, keeper, clock: Date.now, onError: onStoreError }),
    wakes: createWakes(),
    clock: Date.now,
    newId,
    sha256Hex,
    layouts: await diskLayouts(path.join(imagesDir, 'disks')),
    patience: PATIENCE,
    manifest: MANIFEST,
  };
  const hosts = hostCases(context);
  const machines: MachineUseCases = { ...manifestCases(context), ...reportCases(context) };
  const contexts = await contextSpool({
    dataDir,
    maxBytes: maxContextBytes,
    maxTotalBytes: CONTEXTS_KEPT * maxContextBytes,
    reserveBytes: DISK_RESERVE_BYTES,
  });
  closers.push(contexts.close);
  const builds = buildCases({
    store,
    keeper,
    contexts,
    logs: buildLogs(dataDir),
    builder: dockerBuilder(dataDir, imagesDir, context.layouts),
    clock: Date.now,
    newId,
    onError: (err) => room('build').error({ err }, 'build failed'),
  });
  closers.push(builds.stop);
  const checker = () => startChecker(dataDir);
  const uploads = uploadCases({
    store,
    keeper,
    files: uploadFiles(dataDir),
    startChecker: checker,
    clock: Date.now,
    newId,
    sha256Hex,
  });
  const expiry = setInterval(() => uploads.expire().catch(onStoreError), UPLOAD_EXPIRY_MS);
  closers.push(uploads.stop, () => clearInterval(expiry));

  const disks = diskCases({
    images: store,
    library,
    layouts: context.layouts,
    sha256Hex,
    trialSeconds: MANIFEST.trialSeconds,
  });

  const seen = lastSeen(Date.now);
  const instance = newId();
  const admin = adminPlane({
    hosts,
    builds,
    contexts,
    images: {
      remove: imageRemoval({ store, keeper }),
      check: storeCheck({ store, files, startChecker: checker }),
    },
    uploads,
    disks,
    library,
    instance,
    isAdmin: (token) => sameText(token, adminToken.text.trim()),
    lastSeen: seen.of,
    stopping: stopping.signal,
    logger: room('admin'),
  });
  const adminAt = await listen(admin, adminListen, LARGE_BODIES);
  closers.push(adminAt.close);
  const adminUrl = urlOf(adminAt);
  const answer = { adminUrl, newAdminToken: adminToken.isNew ? adminToken.text.trim() : null };
  // What never ends by itself (streams, long polls) ends first, or the servers would wait for it.
  const letGo = () => stopping.abort();
  if (boot === null) {
    closers.push(letGo);
    return { ...answer, boot: null };
  }

  const nbps = nbpFolder(nbpFolders(boot.nbpFolders));
  const missing = await nbps.missing();
  if (missing.length > 0)
    room('tftp').warn(
      { missing },
      'network boot programs are missing: install the package ipxe, or name a folder with --nbp-dir',
    );
  // The boot plane must know its own port before it can name itself: it listens first, then learns what to answer.
  const plane: { fetch: ReturnType<typeof bootPlane>['fetch'] } = {
    fetch: () => new Response(null, { status: 503 }),
  };
  const bootAt = await listen({ fetch: (...args) => plane.fetch(...args) }, boot.listen);
  closers.push(bootAt.close);
  const url = bootUrl(boot.url, bootAt, ownAddresses());
  const app = bootPlane({
    machines,
    disks,
    library,
    images: store,
    bootUrl: url,
    installerArguments: INSTALLER_ARGUMENTS,
    key,
    findNbp: nbps.find,
    stopping: stopping.signal,
    logger: room('http'),
    onRequest: accessLog(room('http'), seen.note),
  });
  plane.fetch = app.fetch;

  let tftp: RunningNote['tftp'] = null;
  if (boot.tftp) {
    const files = firstOf(
      generatedFiles({ 'autoexec.ipxe': () => autoexecScript({ bootUrl: url }) }),
      nbps.files,
    );
    const { port, close } = await startTftp({ ...boot.tftp, files, logger: room('tftp') });
    closers.push(close);
    tftp = { host: boot.tftp.host, port };
  }
  closers.push(await startTicker(context, TICK_MS, (err) => room('control').error({ err }, 'tick failed')));
  const note = { adminUrl, instance, pid: process.pid, bootUrl: url, tftp };
  closers.push(await writeRunningNote(dataDir, note), letGo);
  return { ...answer, boot: { url, port: bootAt.port, tftpPort: tftp?.port ?? null } };
}

/** Opens the data folder for this process alone, and makes in it what is missing. */
async function openData(
  dataDir: string,
  migrationsDir: string,
  room: (name: string) => Pino,
  closers: (() => unknown)[],
) {
  // Tokens' hashes and keys lie in it.
  await ensureFolder(dataDir, 0o700);
  const unlock = lockData(path.join(dataDir, 'lock.db'));
  if (!unlock)
    throw new WarmbootError(
      'unavailable',
      `Another Warmboot works in ${dataDir}. Stop it, wait until its command has ended, or choose another --data.`,
    );
  closers.push(unlock);
  const adminToken = secretFile(path.join(dataDir, 'admin.token'), () => `${newToken()}\n`);
  const key = manifestKey(secretFile(path.join(dataDir, 'keys', 'manifest.pem'), newManifestKeyPem).text);
  const db = openDatabase(path.join(dataDir, 'warmboot.db'), migrationsDir, (migration) =>
    room('store').info({ migration }, 'migrated'),
  );
  const store = sqliteStore(db, Date.now);
  closers.push(store.close);
  await clearLeftOvers(store, dataDir, (removed) => room('blobs').info({ removed }, 'left-overs removed'));
  return { adminToken, key, store };
}

/** After a crash: builds that ran are interrupted, and what they left is removed before anybody can build again. */
async function clearLeftOvers(
  store: Store,
  dataDir: string,
  tell: (removed: string[]) => void,
): Promise<void> {
  await store.interruptBuilds();
  const removed = await sweep(dataDir, {
    packIds: new Set(await store.packIds()),
    digests: new Set((await store.images()).map(({ digest }) => digest)),
    runningBuilds: new Set(),
  });
  if (removed.length > 0) tell(removed);
}

/** Every `images/disks/NAME.json`, by name. */
async function diskLayouts(folder: string): Promise<ReadonlyMap<string, DiskLayout>> {
  const found = await readdir(folder).catch((error: Error) => {
    throw new WarmbootError(
      'invalid',
      `The folder of disk layouts cannot be read: ${error.message}. Give --images a folder that has disks/.`,
    );
  });
  const names = found.filter((name) => name.endsWith('.json')).sort();
  const layouts = names.map(async (file): Promise<[string, DiskLayout]> => {
    const name = path.basename(file, '.json');
    const read = parseDiskLayout(await readFile(path.join(folder, file), 'utf8'));
    if (!read.ok)
      throw new WarmbootError('invalid', `The disk layout ${file} is wrong: ${read.faults.join('; ')}.`);
    return [name, { name, ...read.value }];
  });
  return new Map(await Promise.all(layouts));
}

function dockerBuilder(
  dataDir: string,
  imagesDir: string,
  layouts: ReadonlyMap<string, DiskLayout>,
): Builder {
  const slots = [...layouts.values()].map(({ slotBytes }) => slotBytes);
  const room = slots.length > 0 ? { largestSlotBytes: Math.max(...slots) } : {};
  return async ({ id, order, contextPath }, { lookup, onProgress, signal }) => {
    const discard = (build: string) => discardDraft(dataDir, build);
    try {
      const request = { ...requestOf(id, order, contextPath), ...room };
      const built = await runBuild(request, {
        dataDir,
        imagesDir,
        lookup,
        discard,
        onProgress,
        signal,
      });
      if (built.kind === 'tool') return { kind: 'tool', dockerImage: built.dockerImage };
      const { kind, packBytes, chunks } = built;
      return { kind: 'image', draft: { id, digest: built.digest as Digest, kind, packBytes, chunks } };
    } catch (error) {
      // What a Dockerfile or a full disk causes is told to the user; only our own mistakes keep their stack.
      if (error instanceof BuildError && error.code !== 'internal')
        throw new WarmbootError('unavailable', error.message);
      throw error;
    }
  };
}

function requestOf(id: string, order: BuildOrder, contextPath: string | null): BuildRequest {
  const { name, source, target, buildArguments, secrets, overrides } = order;
  const tar = contextPath ?? '';
  return {
    id,
    name,
    source: source.kind === 'context' ? { kind: 'context', tar, dockerfile: source.dockerfile } : source,
    buildArguments,
    secrets,
    overrides,
    ...(target !== null && { target }),
  };
}

function urlOf({ host, port }: { host: string; port: number }): string {
  const address = host === '0.0.0.0' ? '127.0.0.1' : host === '::' ? '::1' : host;
  return `http://${address.includes(':') ? `[${address}]` : address}:${port}`;
}
