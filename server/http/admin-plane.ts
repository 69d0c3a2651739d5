import { OpenAPIHono } from '@hono/zod-openapi';
import { completed, document } from '../contract/openapi.ts';
import type { BackupUseCases } from '../core/backup-port.ts';
import type { ContextSpool } from '../core/build-ports.ts';
import type { DiskLayout } from '../core/disk-layout.ts';
import { WarmbootError } from '../core/errors.ts';
import type { Host } from '../core/host.ts';
import type { HostFileUseCases } from '../core/host-file-port.ts';
import type { HttpMeters } from '../core/meters-port.ts';
import type { MirrorUseCases } from '../core/mirrors-port.ts';
import type { OnceUseCases } from '../core/once-port.ts';
import type { Clock, ImageLibrary, Logger, Store, StoredImage } from '../core/ports.ts';
import type { RolloutUseCases } from '../core/rollout-use-cases.ts';
import type { AskStatus } from '../core/status.ts';
import type { TokenUseCases } from '../core/token.ts';
import type { TokenWord } from '../core/token-hint.ts';
import type { KeyUseCases } from '../core/trust-port.ts';
import type {
  BuildUseCases,
  DiscoveryUseCases,
  DiskUseCases,
  EventFeed,
  EventUseCases,
  HostUseCases,
  ImageDetailUseCases,
  LifecycleUseCases,
  ProfileUseCases,
  StoreUseCases,
  UploadUseCases,
  WebhookUseCases,
} from '../core/use-cases.ts';
import { access, countFailures, isSameOrigin } from './access.ts';
import { accessLog } from './access-log.ts';
import type { AdminApp, AdminEnv } from './admin-app.ts';
import { addBackupRoutes } from './backup-routes.ts';
import { limitBodies } from './body-limits.ts';
import { addBuildRoutes } from './build-routes.ts';
import { addDiscoveryRoutes } from './discovery-routes.ts';
import { addEventRoutes } from './event-routes.ts';
import { addHostFileRoutes } from './host-file-routes.ts';
import { addHostRoutes } from './host-routes.ts';
import { addImageRoutes } from './image-routes.ts';
import { addKeyRoutes } from './key-routes.ts';
import { addLayoutRoutes } from './layout-routes.ts';
import { addLifecycleRoutes } from './lifecycle-routes.ts';
import { addMirrorRoutes } from './mirror-routes.ts';
import { nothingHere } from './nothing-here.ts';
import { once } from './once.ts';
import { addMetricsRoute, addProbeRoutes, type Operations } from './operations-routes.ts';
import { innerRequests, type MakePages, openRoutes, problemsAsPages } from './page-routes.ts';
import { refuseCodedBodies } from './plain-bodies.ts';
import { refusalOf } from './plain-words.ts';
import { problemOf } from './problem.ts';
import { addProfileRoutes } from './profile-routes.ts';
import { requestId } from './request-id.ts';
import { addRolloutRoutes } from './rollout-routes.ts';
import { onceSettled } from './settled.ts';
import { addStatusRoutes } from './status-routes.ts';
import { refuseWhenStopping } from './stopping.ts';
import { addTokenRoutes } from './token-routes.ts';
import { addUploadRoutes } from './upload-routes.ts';
import { hostView, imageView } from './views.ts';
import { addWebhookRoutes } from './webhook-routes.ts';

export type AdminPlane = Operations & {
  readonly status: AskStatus;
  readonly hosts: HostUseCases;
  readonly files: HostFileUseCases;
  readonly discovery: DiscoveryUseCases;
  readonly mirrors: MirrorUseCases;
  readonly events: EventUseCases;
  readonly feed: EventFeed;
  readonly webhooks: WebhookUseCases;
  readonly lifecycle: LifecycleUseCases;
  readonly builds: BuildUseCases;
  readonly contexts: ContextSpool;
  readonly images: StoreUseCases;
  readonly details: ImageDetailUseCases;
  readonly uploads: UploadUseCases;
  readonly disks: DiskUseCases;
  readonly layouts: ReadonlyMap<string, DiskLayout>;
  readonly rollouts: RolloutUseCases;
  readonly library: ImageLibrary;
  readonly profiles: ProfileUseCases;
  readonly tokens: TokenUseCases;
  readonly once: OnceUseCases;
  readonly keys: KeyUseCases;
  readonly backups: BackupUseCases;
  readonly clock: Clock;
  readonly settled: Store['settled'];
  lastSeen(macs: readonly string[]): number | null;
  lastWord(macs: readonly string[]): TokenWord | null;
  readonly meters: HttpMeters;
  /** Null: there is the API alone. */
  readonly pages: MakePages | null;
  /** Ends what streams for ever when the server stops. */
  readonly stopping: AbortSignal;
  readonly logger: Logger;
  /** Told of each request. */
  readonly requests: Logger;
};

/** What is answered to the end, also while the server stops. */
const PROBES = ['/healthz', '/readyz', '/metrics'];

/** What operators and their programs ask for: `/api/v1`, described by `/api/v1/openapi.json`; and the pages, which ask it too. */
export function adminPlane(plane: AdminPlane): AdminApp {
  const { hosts, discovery, library, logger } = plane;
  const app = new OpenAPIHono<AdminEnv>({
    defaultHook: (result) => {
      if (result.success) return;
      throw refusalOf(result.error, result.target === 'json' ? 'the body' : 'the request');
    },
  });
  const inner = innerRequests();
  const log = accessLog(plane.requests, { plane: 'admin', meters: plane.meters });
  app.use(inner.not(requestId), inner.not(log));
  const pages =
    plane.pages?.({
      ask: (request, env) => inner.ask(app, request, env),
      isSameOrigin,
      clock: plane.clock,
    }) ?? null;
  if (pages) app.use(inner.not(problemsAsPages(pages)));
  app.use(refuseWhenStopping(plane.stopping, PROBES));
  app.use('/api/*', onceSettled(plane.settled));
  app.onError((error, c) => problemOf(c, error, logger));
  app.notFound(nothingHere(app, 'admin'));
  addProbeRoutes(app, plane);
  let openapi: object | null = null;
  app.get('/api/v1/openapi.json', (c) => {
    openapi ??= completed(app.getOpenAPI31Document(document));
    return c.json(openapi);
  });
  app.openAPIRegistry.registerComponent('securitySchemes', 'token', { type: 'http', scheme: 'bearer' });
  const failures = countFailures(plane.clock, logger);
  app.use(access(app, plane.tokens, failures, pages ? openRoutes(pages) : []));
  app.use(refuseCodedBodies);
  app.use(limitBodies);
  app.use(once(plane.once));
  addMetricsRoute(app, plane.metrics);
  addStatusRoutes(app, plane.status);

  addHostRoutes(app, plane, view);
  addHostFileRoutes(app, plane.files);
  addDiscoveryRoutes(app, discovery, view);
  addLifecycleRoutes(app, plane.lifecycle, view);
  addLayoutRoutes(app, plane.layouts);
  addMirrorRoutes(app, plane);
  addImageRoutes(app, plane, shownImage);
  addUploadRoutes(app, plane, shownImage);
  addBuildRoutes(app, plane);
  addEventRoutes(app, plane);
  addProfileRoutes(app, plane.profiles);
  addRolloutRoutes(app, plane.rollouts);
  addWebhookRoutes(app, plane);
  addTokenRoutes(app, plane.tokens, failures);
  addKeyRoutes(app, plane.keys);
  addBackupRoutes(app, plane);
  if (pages) app.route('/', pages.app);
  return app;

  function view(host: Host) {
    const { macs } = host.enrolment;
    return hostView(host, hosts.stepOf(host), { lastSeen: plane.lastSeen(macs), word: plane.lastWord(macs) });
  }

  /** An index that is damaged must not hide the image, nor the others in a list. */
  async function shownImage(image: StoredImage) {
    const index = await library.index(image.digest).catch((error: unknown) => {
      if (error instanceof WarmbootError && error.code === 'unavailable') return 'damaged' as const;
      throw error;
    });
    return index === 'damaged' ? imageView({ ...image, filesDamaged: true }, null) : imageView(image, index);
  }
}
