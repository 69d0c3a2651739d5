import type { HttpBindings } from '@hono/node-server';
import type { Context, Env, Hono, MiddlewareHandler } from 'hono';
import type { Clock } from '../core/ports.ts';
import type { Principal } from '../core/token.ts';
import type { AdminApp, AdminEnv } from './admin-app.ts';

/** The pages for people, as the room of the pages makes them. */
export type Pages = {
  readonly app: Hono<{ Bindings: HttpBindings }>;
  /** @param who is logged in, where that is known */
  explain(
    c: Context,
    problem: { readonly status: number; readonly detail: string },
    who: Pick<Principal, 'name' | 'role'> | undefined,
  ): Response;
};

export type MakePages = (backstage: {
  ask(request: Request, env: HttpBindings): Response | Promise<Response>;
  isSameOrigin(c: Pick<Context, 'req'>): boolean;
  readonly clock: Clock;
}) => Pages;

/** Requests that pages make of the API within a request of a browser, which is the one that is logged, counted and has an id. */
export type Inner = {
  ask(app: AdminApp, request: Request, env: HttpBindings): Response | Promise<Response>;
  /** @returns a handler that does nothing for them */
  not<E extends Env>(handler: MiddlewareHandler<E>): MiddlewareHandler<E>;
};

export function innerRequests(): Inner {
  const inner = new WeakSet<Request>();
  return {
    ask(app, request, env) {
      inner.add(request);
      return app.fetch(request, env);
    },
    not: (handler) => (c, next) => (inner.has(c.req.raw) ? next() : handler(c, next)),
  };
}

/** `METHOD /path/:parameter` of each page: these look themselves who is logged in. */
export function openRoutes({ app }: Pages): readonly string[] {
  return app.routes.map(({ method, path }) => `${method} ${path}`);
}

/** For programs, wherever they stand. */
const NO_PAGES = /^\/(api\/|healthz$|readyz$|metrics$)/;

/** Problem documents become pages for whoever asks for a page. What programs ask, and the API, is answered as ever. */
export function problemsAsPages(pages: Pages): MiddlewareHandler<AdminEnv> {
  return async (c, next) => {
    await next();
    const wantsPage = c.req.header('accept')?.includes('text/html') && !NO_PAGES.test(c.req.path);
    if (!wantsPage || c.res.headers.get('content-type') !== 'application/problem+json') return;
    const problem = (await c.res.json()) as { status: number; detail: string };
    const kept = ['allow', 'retry-after'].flatMap((name) => {
      const value = c.res.headers.get(name);
      return value === null ? [] : [[name, value] as const];
    });
    const page = pages.explain(c, problem, c.get('by'));
    c.res = undefined;
    for (const [name, value] of kept) page.headers.set(name, value);
    c.res = page;
  };
}
