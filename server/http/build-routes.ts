import * as routes from '../contract/builds.ts';
import type { ContextSpool } from '../core/build-ports.ts';
import type { Digest } from '../core/digest.ts';
import { WarmbootError } from '../core/errors.ts';
import type { BuildUseCases } from '../core/use-cases.ts';
import { type AdminApp, byOf } from './admin-app.ts';
import { orderOf } from './build-order.ts';
import { cursorOf, placeOf } from './cursor.ts';
import { lastEventId } from './last-event-id.ts';
import { sse } from './sse.ts';
import { buildView } from './views.ts';

/** Builds, their logs, and the contexts they are made from. */
export function addBuildRoutes(
  app: AdminApp,
  plane: { readonly builds: BuildUseCases; readonly contexts: ContextSpool; readonly stopping: AbortSignal },
): void {
  const { builds, contexts } = plane;

  app.openapi(routes.listRecipes, async (c) => {
    const recipes = await builds.recipes();
    return c.json({ recipes: recipes.map((recipe) => ({ ...recipe })) }, 200);
  });
  app.openapi(routes.startBuild, async (c) => {
    return c.json(buildView(await builds.start(byOf(c), orderOf(c.req.valid('json')))), 202);
  });
  app.openapi(routes.listBuilds, async (c) => {
    const { limit = 20, cursor } = c.req.valid('query');
    // One more than the page holds: only then is there an older one.
    const found = await builds.list(limit + 1, placeOf(cursor)?.id);
    const page = found.slice(-limit);
    const oldest = found.length > limit ? page[0] : undefined;
    const next = cursorOf(oldest ? { createdAt: oldest.startedAt, id: oldest.id } : null);
    return c.json({ builds: page.map(buildView), next }, 200);
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
  app.openapi(routes.getBuild, async (c) =>
    c.json(buildView(await builds.find(c.req.valid('param').id)), 200),
  );
  app.openapi(routes.getBuildLog, async (c) => {
    const build = await builds.find(c.req.valid('param').id);
    // Who was cut off has the entries up to this one.
    const seen = lastEventId(c) ?? 0;
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
        await stream.writeSSE({ event: 'end', data: JSON.stringify(buildView(await builds.find(build.id))) });
    }) as never;
  });
}
