import type { HostView } from '../contract/hosts.ts';
import * as routes from '../contract/lifecycle.ts';
import type { Host } from '../core/host.ts';
import type { LifecycleUseCases } from '../core/use-cases.ts';
import { type AdminApp, byOf, expectedIn } from './admin-app.ts';
import { reassignedView } from './host-routes.ts';

/** What operators do with a host besides giving it images. */
export function addLifecycleRoutes(
  app: AdminApp,
  lifecycle: LifecycleUseCases,
  view: (host: Host) => HostView,
): void {
  app.openapi(routes.retireHost, async (c) =>
    c.json(view(await lifecycle.retire(byOf(c), c.req.valid('param').mac, expectedIn(c))), 200),
  );
  app.openapi(routes.rollBackHost, async (c) => {
    const answer = await lifecycle.rollBack(byOf(c), c.req.valid('param').mac, expectedIn(c));
    return c.json(reassignedView(answer), answer.attempt ? 202 : 200);
  });
  app.openapi(routes.previousOfHost, async (c) =>
    c.json(await lifecycle.previous(c.req.valid('param').mac), 200),
  );
  app.openapi(routes.holdHost, async (c) => {
    const { reason } = c.req.valid('json');
    const host = await lifecycle.hold(
      byOf(c),
      c.req.valid('param').mac,
      reason ?? 'no reason was given',
      expectedIn(c),
    );
    return c.json(view(host), 200);
  });
  app.openapi(routes.resumeHost, async (c) =>
    c.json(view(await lifecycle.resume(byOf(c), c.req.valid('param').mac, expectedIn(c))), 200),
  );
  app.openapi(routes.releaseHost, async (c) => {
    const { reason } = c.req.valid('json');
    return c.json(
      view(await lifecycle.release(byOf(c), c.req.valid('param').mac, reason, expectedIn(c))),
      200,
    );
  });
}
