import { hostname } from 'node:os';
import path from 'node:path';
import type { Logger as Pino } from 'pino';
import { listenForOperators } from './app/admin-listener.ts';
import { startBootServices } from './app/boot-services.ts';
import { diskLayouts } from './app/disk-layouts.ts';
import { dockerBuilder } from './app/docker-builder.ts';
import { eventLoopLag } from './app/event-loop-lag.ts';
import { freeBytes, metering } from './app/metering.ts';
import { openData } from './app/open-data.ts';
import { openTokens } from './app/open-tokens.ts';
import { powerHook } from './app/power-hook.ts';
import { proxyNote, startProxy } from './app/proxy-dhcp.ts';
import { looksOf } from './app/readiness.ts';
import { writeRunningNote } from './app/running-note.ts';
import { snapshotsOf } from './app/snapshots.ts';
import { serverStatus } from './app/status.ts';
import { letEnd, type Running as Sending } from './app/stop.ts';
import { joinWebhooks } from './app/webhooks.ts';
import { backupFiles } from './blobs/backup-files.ts';
import { startChecker } from './blobs/check-process.ts';
import { contextSpool } from './blobs/context-spool.ts';
import { imageFiles } from './blobs/image-files.ts';
import { imageLibrary } from './blobs/image-library.ts';
import { packReaders } from './blobs/pack-readers.ts';
import { uploadFiles } from './blobs/upload-draft.ts';
import { buildLogs } from './build/build-logs.ts';
import { knownRecipes } from './build/known-recipes.ts';
import type { Config } from './config.ts';
import { backupCases } from './control/backup.ts';
import { buildCases } from './control/builds.ts';
import { createCensus } from './control/census.ts';
import type { Context } from './control/context.ts';
import { discoveryCases, settleDiscovery } from './control/discovery.ts';
import { eventFeed } from './control/event-feed.ts';
import { eventRetention } from './control/event-retention.ts';
import { eventCases } from './control/events.ts';
import { garbageWatch } from './control/garbage-watch.ts';
import { hostFileCases } from './control/host-files.ts';
import { hostCases } from './control/hosts.ts';
import { imageDetailCases } from './control/image-details.ts';
import { imageKeeper } from './control/image-keeper.ts';
import { imageRemoval } from './control/images.ts';
import { inventoryCases } from './control/inventories.ts';
import { lifecycleCases } from './control/lifecycle.ts';
import { manifestCases } from './control/manifests.ts';
import { mirrorCases } from './control/mirrors.ts';
import { onceCases } from './control/once.ts';
import { powerCycles } from './control/power.ts';
import { profileCases, settleProfiles } from './control/profiles.ts';
import { readiness as askReadiness } from './control/readiness.ts';
import { reportCases } from './control/reports.ts';
import { rolloutEngine } from './control/rollout-engine.ts';
import { rolloutCases } from './control/rollouts.ts';
import { storeCheck } from './control/store-check.ts';
import { GRACE_MS, startTicker } from './control/ticker.ts';
import { uploadCases } from './control/uploads.ts';
import { createWakes } from './control/wakes.ts';
import { unusableFolder } from './core/disk-trouble.ts';
import { PATIENCE } from './core/patience.ts';
import type { ServerStatus } from './core/status.ts';
import { NO_LIMITS, transferLimits } from './core/transfer-limits.ts';
import type { MachineUseCases } from './core/use-cases.ts';
import { diskCases } from './disks/disk-images.ts';
import { adminPlane } from './http/admin-plane.ts';
import { lastSeen } from './http/last-seen.ts';
import { lastWords } from './http/last-words.ts';
import { listen } from './http/listen.ts';
import { monitorPlane } from './http/operations-routes.ts';
import { transfers } from './http/transfers.ts';
import { openTlsFolder } from './keys/tls-folder.ts';
import { newId, sha256Hex } from './keys/tokens.ts';
import { pages } from './web/pages.ts';

export type Running = {
  /** How the command line reaches it. */
  readonly adminUrl: string;
  /** Null: nothing here speaks TLS. `caFile` verifies the certificates that were made; `reload` reads them all anew. */
  readonly tls: { readonly caFile: string; reload(): Promise<void> } | null;
  readonly boot: RunningBoot | null;
  /** Made now, at the first start; null when there was one. */
  readonly newAdminToken: string | null;
  close(): Promise<void>;
};

export type RunningBoot = {
  readonly url: string;
  readonly port: number;
  /** Where hosts speak TLS; null: nowhere. */
  readonly agentUrl: string | null;
  readonly tftpPort: number | null;
  readonly proxyDhcp: { readonly interfaces: readonly string[]; readonly relayed: boolean } | null;
};

const TICK_MS = 1_000;
const MAX_CONTEXT_BYTES = 4 * 1024 ** 3;
/** All contexts together, in contexts of the largest size. */
const CONTEXTS_KEPT = 4;
/** What contexts leave of the disk to the database and the images. */
const DISK_RESERVE_BYTES = 1024 ** 3;
/** What hosts said of their keys is written down, and keys whose time came are moved. */
const TRUST_LOOK_MS = 2_000;
const UPLOAD_EXPIRY_MS = 60_000;
const TRIAL_SECONDS = 600;
const STOP_TIMEOUT_MS = 3_000;

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
  config: Config,
  logger: Pino,
  closers: (() => unknown)[],
): Promise<Omit<Running, 'close'>> {
  const { dataDir, imagesDir, migrationsDir, maxContextBytes = MAX_CONTEXT_BYTES, boot } = config;
  const room = (name: string) => logger.child({ room: name });
  const stopping = new AbortController();
  const startedAt = Date.now();
  const version = config.version ?? 'unknown';
  const sending = transfers(transferLimits(boot?.limits ?? NO_LIMITS));
  const { meters, metrics, census, over } = metering(dataDir, version, sending.now);

  const data = await openData(dataDir, migrationsDir, room, closers, meters.committed).catch(
    (error: unknown) => {
      throw unusableFolder(dataDir, error);
    },
  );
  const { adminToken, keys, trustIn } = data;
  const store = await over(data.store);

  const tokens = await openTokens(store, adminToken.text, room('tokens'), closers);
  const readers = packReaders();
  const library = imageLibrary(dataDir, store, readers);
  const onStoreError = (err: unknown) => room('store').error({ err }, 'upkeep failed');
  const files = imageFiles(dataDir, readers);
  const keeper = imageKeeper({ store, files, newId, onError: onStoreError });
  closers.push(keeper.stop);
  keeper.collect().catch(onStoreError);
  const { mirrors, mirrorOf } = await mirrorCases(store.mirrors);
  const lag = eventLoopLag();
  closers.push(lag.stop);
  const context: Context = {
    store,
    library,
    garbage: garbageWatch({ store, keeper, clock: Date.now, onError: onStoreError }),
    leaseImages: keeper.lease,
    wakes: createWakes(),
    clock: Date.now,
    newId,
    sha256Hex,
    layouts: await diskLayouts(path.join(imagesDir, 'disks')),
    patience: PATIENCE,
    // Requests may be answered before the ticker looks for the first time.
    deafness: { until: Date.now() + GRACE_MS },
    trialSeconds: TRIAL_SECONDS,
    hasPowerHook: Boolean(boot?.powerHook),
    restoredAt: (await store.restores.last())?.at ?? null,
    mirrorOf,
    census: createCensus(store, Date.now, lag.lagMs),
  };
  await settleProfiles(context);
  await settleDiscovery(context);
  const hosts = hostCases(context);
  const discovery = discoveryCases(context);
  const feed = eventFeed(store);
  closers.push(feed.stop);
  const onWebhookError = (err: unknown) => room('webhooks').error({ err }, 'delivery failed');
  const { webhookLinkLocal, ...kept } = config.events ?? { days: null, count: null, webhookLinkLocal: false };
  const { webhooks, step } = joinWebhooks(store, webhookLinkLocal, onWebhookError, closers);
  const lifecycle = lifecycleCases(context);
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
    recipes: () => knownRecipes(imagesDir),
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
    trialSeconds: TRIAL_SECONDS,
  });

  const seen = lastSeen(Date.now);
  const words = lastWords(Date.now);
  const onRolloutError = (err: unknown) => room('control').error({ err }, 'rollout failed');
  const engine = rolloutEngine(context, seen.of, onRolloutError);
  closers.push(engine.stop);
  const instance = newId();
  let isServing = false;
  // Both are known when all has started.
  let tftpTrouble: () => string | null = () => null;
  let bootStatus: () => ServerStatus['boot'] = () => null;
  const readiness = askReadiness(
    looksOf({
      dataDir,
      stopping: stopping.signal,
      isServing: () => isServing,
      tftpTrouble: () => tftpTrouble(),
      probe: store.probe,
    }),
    Date.now,
  );
  const operations = { instance, readiness, metrics };
  const admin = adminPlane({
    ...operations,
    settled: store.settled,
    status: serverStatus({
      version,
      schema: data.schema,
      startedAt,
      store,
      census,
      readiness,
      transfers: sending.now,
      freeBytes: () => freeBytes(dataDir),
      boot: () => bootStatus(),
    }),
    meters,
    hosts,
    files: hostFileCases(context),
    discovery,
    mirrors,
    events: eventCases(store),
    feed,
    webhooks,
    lifecycle,
    builds,
    contexts,
    images: {
      remove: imageRemoval({ store, keeper }),
      check: storeCheck({ store, files, startChecker: checker }),
    },
    details: imageDetailCases({ store, library }),
    uploads,
    disks,
    layouts: context.layouts,
    rollouts: rolloutCases(context, engine, seen.of, onRolloutError),
    library,
    profiles: profileCases(context),
    tokens,
    once: onceCases(store),
    keys,
    backups: backupCases({
      store,
      snapshots: snapshotsOf(dataDir),
      files: backupFiles(dataDir),
      clock: Date.now,
      product: version,
    }),
    clock: Date.now,
    lastSeen: seen.of,
    lastWord: words.of,
    pages,
    stopping: stopping.signal,
    logger: room('admin'),
    // The one client of a server that a command starts for itself is that command: what it breaks off it says itself.
    requests: boot ? room('admin') : logger.child({ room: 'admin' }, { level: 'silent' }),
  });
  const folder =
    config.adminTls || boot?.agent ? await openTlsFolder(dataDir, `Warmboot on ${hostname()}`) : null;
  const { adminUrl, adminAt, watch } = await listenForOperators(
    admin,
    config,
    folder,
    room('admin'),
    closers,
  );
  const tls = folder && { caFile: folder.caFile, reload: async () => void (await watch?.reload()) };
  const answer = { adminUrl, tls, newAdminToken: adminToken.isNew ? adminToken.text.trim() : null };
  if (config.metricsListen)
    closers.push((await listen(monitorPlane(operations), config.metricsListen)).close);
  const serving = (running: Pick<Sending, 'boot' | 'tftp'>) => {
    isServing = true;
    closers.push(async () => {
      // What never ends by itself (streams, long polls, builds) is ended first; then what is being sent may end.
      stopping.abort();
      void builds.stop();
      await letEnd({ ...running, admin: adminAt }, config.stopTimeoutMs ?? STOP_TIMEOUT_MS, room('stop'));
    });
  };
  if (boot === null) {
    serving({ boot: [], tftp: null });
    return { ...answer, boot: null };
  }

  const services = await startBootServices(
    boot,
    {
      machines,
      disks,
      library,
      images: store,
      settled: store.settled,
      tls: folder,
      trustIn,
      seen,
      onWord: words.note,
      meters,
      sending,
      stopping: stopping.signal,
      room,
    },
    closers,
  );
  const onTickError = (err: unknown) => room('control').error({ err }, 'tick failed');
  const hook = boot.powerHook ? powerHook(boot.powerHook) : null;
  const power = powerCycles(context, hook, seen.of, onTickError);
  const steps = [power, eventRetention(store, Date.now, kept), step, { name: 'rollouts', look: engine.look }];
  closers.push(power.stop, await startTicker(context, TICK_MS, onTickError, steps));
  const { trust } = services;
  const lookAfterTrust = setInterval(() => trust.flush().then(keys.settle).catch(onTickError), TRUST_LOOK_MS);
  closers.push(
    () => trust.flush().catch(onTickError),
    () => clearInterval(lookAfterTrust),
  );
  const { url, port, tftp, tftpService, agentUrl } = services;
  const proxy = await startProxy(boot, services, store, room('dhcp'), meters, closers);
  const proxyDhcp = proxy && { interfaces: proxy.interfaces(), relayed: proxy.takesRelayed };
  tftpTrouble = () => tftpService?.trouble() ?? null;
  bootStatus = () => ({
    url,
    tftp: tftp && { ...tftp, transfers: tftpService?.open() ?? 0 },
    proxyDhcp: proxy && { interfaces: proxy.interfaces(), relayed: proxy.takesRelayed },
  });
  const note = {
    adminUrl,
    adminListen: config.adminListen.host,
    instance,
    // Of the admin plane alone: with TLS for hosts there is an authority, too, and this plane may speak HTTP.
    caPem: config.adminTls ? (folder?.caPem ?? null) : null,
    pid: process.pid,
    bootUrl: url,
    agent: agentUrl !== null && folder ? { url: agentUrl, caPem: folder.caPem } : null,
    tftp,
    proxyDhcp: boot.proxyDhcp && proxyNote(boot.proxyDhcp),
  };
  closers.push(await writeRunningNote(dataDir, note));
  serving(services.running);
  return { ...answer, boot: { url, port, agentUrl, tftpPort: tftp?.port ?? null, proxyDhcp } };
}
