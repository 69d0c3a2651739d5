import type { OpenAPIHono } from '@hono/zod-openapi';
import { type Env, Hono } from 'hono';
import * as routes from '../contract/operations.ts';
import type { Exposition } from '../core/meters-port.ts';
import type { AskReadiness, Readiness } from '../core/readiness.ts';
import type { AdminEnv } from './admin-app.ts';

export type Operations = {
  /** Told apart from any other server that ever wrote its address down. */
  readonly instance: string;
  readonly readiness: AskReadiness;
  readonly metrics: Exposition;
};

/** `/healthz` and `/readyz`, for whoever asks: they say nothing that needs a token. */
export function addProbeRoutes<E extends Env>(
  app: Hono<E>,
  { instance, readiness }: Pick<Operations, 'instance' | 'readiness'>,
): void {
  app.get('/healthz', (c) => c.json({ status: 'ok', instance }));
  app.get('/readyz', async (c) => {
    const found = await readiness();
    return c.json({ ready: found.isReady, checks: checksView(found) }, found.isReady ? 200 : 503);
  });
}

export function checksView({ checks }: Readiness): Record<string, { ok: boolean; detail?: string }> {
  const told = checks.map(({ name, trouble }) => [
    name,
    trouble === null ? { ok: true } : { ok: false, detail: trouble },
  ]);
  return Object.fromEntries(told);
}

export function addMetricsRoute(app: OpenAPIHono<AdminEnv>, metrics: Exposition): void {
  app.openapi(routes.getMetrics, async (c) => {
    const { contentType, text } = await metrics();
    return c.body(text, 200, { 'content-type': contentType }) as never;
  });
}

/** The same for a listener of its own, which needs no token: `--metrics-listen`. */
export function monitorPlane(operations: Operations): Hono {
  const app = new Hono();
  addProbeRoutes(app, operations);
  app.get('/metrics', async (c) => {
    const { contentType, text } = await operations.metrics();
    return c.body(text, 200, { 'content-type': contentType });
  });
  return app;
}
