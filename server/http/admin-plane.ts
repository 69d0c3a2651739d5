import type { HttpBindings } from '@hono/node-server';
import { OpenAPIHono } from '@hono/zod-openapi';
import * as routes from '../contract/admin-routes.ts';
import type { ContextSpool } from '../core/build-ports.ts';
import type { Digest } from '../core/digest.ts';
import { WarmbootError } from '../core/errors.ts';
import type { Host } from '../core/host.ts';
import { hostState } from '../core/host-state.ts';
import type { ImageLibrary, Logger, StoredImage } from '../core/ports.ts';
import type {
  BuildUseCases,
  DiscoveryUseCases,
  DiskUseCases,
  HostUseCases,
  Reassigned,
  StoreUseCases,
  UploadUseCases,
} from '../core/use-cases.ts';
import { orderOf } from './build-order.ts';
import { bearerToken } from './caller.ts';
import { addDiscoveryRoutes } from './discovery-routes.ts';
import { diskRoute } from './disk-route.ts';
import { refusalOf } from './plain-words.ts';
import { problem, problemOf } from './problem.ts';
import { sse } from './sse.ts';
import { addStoreRoutes } from './store-routes.ts';
import { attemptView, eventView, hostView, imageView, inventoryView } from './views.ts';

export type AdminPlane = {
  readonly hosts: HostUseCases;
  readonly discovery: DiscoveryUseCases;
  readonly builds: BuildUseCases;
  readonly contexts: ContextSpool;
  readonly images: StoreUseCases;
  readonly uploads: UploadUseCases;
  readonly disks: DiskUseCases;
  readonly library: ImageLibrary;
  /** Whether this is an administrator's token. */
  isAdmin(token: string): boolean;
  lastSeen(macs: readonly string[]): number | null;
  /** Told apart from any other server that ever wrote its address down. */
  readonly instance: string;
  /** Ends what streams for ever when the server stops. */
  readonly stopping: AbortSignal;
  readonly logger: Logger;
};

type Env = { Bindings: HttpBindings };

/** What operators and their programs ask for: `/api/v1`, described by `/api/v1/openapi.json`. */
export function adminPlane(plane: AdminPlane): OpenAPIHono<Env> {
  const { hosts, discovery, builds, contexts, library, logger } = plane;
  const app = new OpenAPIHono<Env>({
    defaultHook: (result) => {
      if (result.success) return;
      throw refusalOf(result.error, 'the request');
    },
  });
  app.onError((error, c) => problemOf(c, error, logger));
  app.notFound((c) => problem(c, 404, `There is nothing at ${c.req.path.slice(0, 200)} on the admin plane.`));
  app.get('/healthz', (c) => c.json({ status: 'ok', instance: plane.instance }));
  app.doc31('/api/v1/openapi.json', routes.document);
  app.openAPIRegistry.registerComponent('securitySchemes', 'token', { type: 'http', scheme: 'bearer' });
  app.use('/api/v1/*', async (c, next) => {
    const token = bearerToken(c);
    if (token === null || !plane.isAdmin(token))
      return problem(
        c,
        401,
        'The admin plane needs a token: "Authorization: Bearer TOKEN", as in DATA/admin.token.',
      );
    return next();
  });

  app.openapi(routes.listHosts, async (c) => {
    const { state, label } = c.req.valid('query');
    const all = (await hosts.list()).map(view);
    const wanted = all.filter(
      (host) =>
        (state ? host.state === state : host.state !== 'ignored') && (!label || hasLabel(host.labels, label)),
    );
    return c.json({ hosts: wanted }, 200);
  });
  app.openapi(routes.enrolHost, async (c) => c.json(view(await hosts.enrol(c.req.valid('json'))), 201));
  app.openapi(routes.getHost, async (c) => {
    const { mac } = c.req.valid('param');
    const host = await hosts.find(mac);
    const inventory = inventoryView(await discovery.inventory(mac));
    return c.json({ ...view(host), inventory }, 200);
  });
  app.openapi(routes.changeHost, async (c) => {
    const host = await hosts.update(c.req.valid('param').mac, c.req.valid('json'));
    return c.json(view(host), 200);
  });
  app.openapi(routes.removeHost, async (c) => {
    await hosts.remove(c.req.valid('param').mac);
    return c.body(null, 204);
  });
  app.openapi(routes.listAttempts, async (c) => {
    const attempts = await hosts.attempts(c.req.valid('param').mac);
    return c.json({ attempts: attempts.map(attemptView) }, 200);
  });
  app.openapi(routes.reassignHost, async (c) => {
    const { image, fresh } = c.req.valid('json');
    const answer = await hosts.reassign(c.req.valid('param').mac, image, fresh ?? false);
    return c.json(reassignedView(answer), answer.attempt ? 202 : 200);
  });
  app.openapi(routes.retryHost, async (c) =>
    c.json(reassignedView(await hosts.retry(c.req.valid('param').mac)), 202),
  );
  app.openapi(routes.reinstallHost, async (c) => {
    const { wipe } = c.req.valid('json');
    return c.json(reassignedView(await hosts.reinstall(c.req.valid('param').mac, wipe ?? false)), 202);
  });

  app.openapi(routes.listImages, async (c) => {
    const images = await builds.images();
    return c.json({ images: await Promise.all(images.map(shownImage)) }, 200);
  });
  app.openapi(routes.getImage, async (c) =>
    c.json(await shownImage(await builds.image(c.req.valid('param').image)), 200),
  );
  addDiscoveryRoutes(app, discovery, view);
  addStoreRoutes(app, plane, shownImage);
  const sendDisk = diskRoute(plane.disks);
  app.openapi(routes.getDisk, (c) => sendDisk(c) as never);
  app.openapi(routes.startBuild, async (c) => {
    return c.json(await builds.start(orderOf(c.req.valid('json'))), 202);
  });
  app.openapi(routes.listBuilds, async (c) => {
    const found = await builds.list(c.req.valid('query').limit ?? 20);
    return c.json({ builds: [...found] }, 200);
  });
  app.openapi(routes.getContext, async (c) => {
    const { digest } = c.req.valid('param');
    const found = await contexts.find(digest as Digest);
    if (!found) throw new WarmbootError('not-found', `There is no context ${digest}. Send it with PUT.`);
    return c.json({ digest, ...found }, 200);
  });
  app.openapi(routes.putContext, async (c) => {
    const { digest } = c.req.valid('param');
    // Web streams are async iterables in Node; the DOM's type does not say so.
    const content = (c.req.raw.body ?? []) as unknown as AsyncIterable<Uint8Array>;
    const length = c.req.header('content-length');
    const stored = await contexts.put(
      digest as Digest,
      content,
      length === undefined ? null : Number(length),
    );
    return c.json({ digest, ...stored }, 201);
  });
  app.openapi(routes.getBuild, async (c) => c.json(await builds.find(c.req.valid('param').id), 200));
  app.get('/api/v1/builds/:id/log', async (c) => {
    const build = await builds.find(c.req.param('id'));
    // Who was cut off has the entries up to this one.
    const seen = Number(c.req.header('last-event-id') ?? 0) || 0;
    return sse(c, async (stream, gone) => {
      const signal = AbortSignal.any([gone, plane.stopping]);
      for await (const news of builds.log(build.id, signal)) {
        if ('buildsBefore' in news) {
          await stream.writeSSE({ event: 'queued', data: JSON.stringify(news) });
          continue;
        }
        const { number, ...entry } = news;
        if (number <= seen) continue;
        await stream.writeSSE({ id: String(number), event: 'entry', data: JSON.stringify(entry) });
      }
      if (!signal.aborted)
        await stream.writeSSE({ event: 'end', data: JSON.stringify(await builds.find(build.id)) });
    });
  });

  app.openapi(routes.listEvents, async (c) => {
    const { after, limit, host } = c.req.valid('query');
    const query = { ...(host !== undefined && { mac: host }), limit: limit ?? 100 };
    if (c.req.header('accept')?.includes('text/event-stream')) {
      // Once the stream has begun it is too late to refuse.
      if (host !== undefined) await hosts.find(host);
      const lastId = Number(c.req.header('last-event-id') ?? after ?? 0);
      return follow(c, { ...query, afterId: Number.isSafeInteger(lastId) ? lastId : 0 }) as never;
    }
    const events = await hosts.events({
      ...query,
      ...(after === undefined ? { newest: true } : { afterId: after }),
    });
    return c.json({ events: events.map(eventView), next: events.at(-1)?.id ?? after ?? 0 }, 200);
  });
  return app;

  function view(host: Host) {
    return hostView(host, hosts.stepOf(host), plane.lastSeen(host.enrolment.macs));
  }

  /** An index that is damaged must not hide the image, nor the others in a list. */
  async function shownImage(image: StoredImage) {
    const index = await library.index(image.digest).catch((error: unknown) => {
      if (error instanceof WarmbootError && error.code === 'unavailable') return 'damaged' as const;
      throw error;
    });
    return index === 'damaged' ? imageView({ ...image, filesDamaged: true }, null) : imageView(image, index);
  }

  /** Reads on where it stopped, a few times a second: one indexed look, however many hosts there are. */
  function follow(
    c: Parameters<typeof sse>[0],
    query: { afterId: number; mac?: string; limit: number },
  ): Response {
    return sse(c, async (stream, gone) => {
      const signal = AbortSignal.any([gone, plane.stopping]);
      let { afterId } = query;
      while (!signal.aborted) {
        for (const found of await hosts.events({ ...query, afterId })) {
          afterId = found.id;
          await stream.writeSSE({
            id: String(found.id),
            event: found.kind,
            data: JSON.stringify(eventView(found)),
          });
        }
        await pause(EVENT_LOOK_MS, signal);
      }
    });
  }
}

const EVENT_LOOK_MS = 250;

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer);
      signal.removeEventListener('abort', done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    signal.addEventListener('abort', done);
  });
}

function reassignedView({ host, attempt }: Reassigned) {
  return {
    attempt: attempt?.id ?? null,
    digest: attempt?.digest ?? host.enrolment.assignment?.digest ?? '',
    state: hostState(host),
    reason: attempt?.reason ?? 'the host runs this image already',
  };
}

/** `key=value`, or `key` alone for hosts that have the label at all. */
function hasLabel(labels: Readonly<Record<string, string>>, selector: string): boolean {
  const [key = '', ...rest] = selector.split('=');
  const value = rest.length > 0 ? rest.join('=') : undefined;
  return Object.hasOwn(labels, key) && (value === undefined || labels[key] === value);
}
