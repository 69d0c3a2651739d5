import path from 'node:path';
import type { Logger as Pino } from 'pino';
import { startBootServices } from './app/boot-services.ts';
import { diskLayouts } from './app/disk-layouts.ts';
import { dockerBuilder } from './app/docker-builder.ts';
import { openData } from './app/open-data.ts';
import { proxyNote, startProxy } from './app/proxy-dhcp.ts';
import { writeRunningNote } from './app/running-note.ts';
import { startChecker } from './blobs/check-process.ts';
import { contextSpool } from './blobs/context-spool.ts';
import { imageFiles } from './blobs/image-files.ts';
import { imageLibrary } from './blobs/image-library.ts';
import { packReaders } from './blobs/pack-readers.ts';
import { uploadFiles } from './blobs/upload-draft.ts';
import { buildLogs } from './build/build-logs.ts';
import type { Config } from './config.ts';
import { buildCases } from './control/builds.ts';
import type { Context } from './control/context.ts';
import { discoveryCases } from './control/discovery.ts';
import { garbageWatch } from './control/garbage-watch.ts';
import { hostCases } from './control/hosts.ts';
import { imageKeeper } from './control/image-keeper.ts';
import { imageRemoval } from './control/images.ts';
import { inventoryCases } from './control/inventories.ts';
import { manifestCases } from './control/manifests.ts';
import { reportCases } from './control/reports.ts';
import { storeCheck } from './control/store-check.ts';
import { startTicker } from './control/ticker.ts';
import { uploadCases } from './control/uploads.ts';
import { createWakes } from './control/wakes.ts';
import { PATIENCE } from './core/deadlines.ts';
import { unusableFolder } from './core/disk-trouble.ts';
import { fromHere, hostPort } from './core/listen-address.ts';
import type { MachineUseCases } from './core/use-cases.ts';
import { diskCases } from './disks/disk-images.ts';
import { adminPlane } from './http/admin-plane.ts';
import { lastSeen } from './http/last-seen.ts';
import { LARGE_BODIES, listen } from './http/listen.ts';
import { newId, sameText, sha256Hex } from './keys/tokens.ts';

export type Running = {
  /** How the command line reaches it. */
  readonly adminUrl: string;
  readonly boot: RunningBoot | null;
  /** Made now, at the first start; null when there was one. */
  readonly newAdminToken: string | null;
  close(): Promise<void>;
};

export type RunningBoot = {
  readonly url: string;
  readonly port: number;
  readonly tftpPort: number | null;
  readonly proxyDhcp: { readonly interfaces: readonly string[]; readonly relayed: boolean } | null;
};

const TICK_MS = 1_000;
const MAX_CONTEXT_BYTES = 4 * 1024 ** 3;
/** All contexts together, in contexts of the largest size. */
const CONTEXTS_KEPT = 4;
/** What contexts leave of the disk to the database and the images. */
const DISK_RESERVE_BYTES = 1024 ** 3;
const UPLOAD_EXPIRY_MS = 60_000;
const MANIFEST = { pollSeconds: 15, trialSeconds: 600 };

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
  const discovery = discoveryCases(context);
  const machines: MachineUseCases = {
    ...manifestCases(context),
    ...reportCases(context),
    ...inventoryCases(context),
  };
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
    discovery,
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
  const adminUrl = `http://${hostPort(fromHere(adminAt))}`;
  const answer = { adminUrl, newAdminToken: adminToken.isNew ? adminToken.text.trim() : null };
  // What never ends by itself (streams, long polls) ends first, or the servers would wait for it.
  const letGo = () => stopping.abort();
  if (boot === null) {
    closers.push(letGo);
    return { ...answer, boot: null };
  }

  const services = await startBootServices(
    boot,
    { machines, disks, library, images: store, key, seen, stopping: stopping.signal, room },
    closers,
  );
  closers.push(await startTicker(context, TICK_MS, (err) => room('control').error({ err }, 'tick failed')));
  const { url, port, tftp } = services;
  const proxy = await startProxy(boot, services, store, room('dhcp'), closers);
  const proxyDhcp = proxy && { interfaces: proxy.interfaces(), relayed: proxy.takesRelayed };
  const note = {
    adminUrl,
    instance,
    pid: process.pid,
    bootUrl: url,
    tftp,
    proxyDhcp: boot.proxyDhcp && proxyNote(boot.proxyDhcp),
  };
  closers.push(await writeRunningNote(dataDir, note), letGo);
  return { ...answer, boot: { url, port, tftpPort: tftp?.port ?? null, proxyDhcp } };
}
