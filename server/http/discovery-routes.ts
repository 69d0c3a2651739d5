import type { HttpBindings } from '@hono/node-server';
import type { OpenAPIHono } from '@hono/zod-openapi';
import type { HostView } from '../contract/admin-plane.ts';
import * as routes from '../contract/admin-routes.ts';
import type { PolicyView } from '../contract/discovery.ts';
import type { PolicyEdition } from '../core/discovery.ts';
import type { Host } from '../core/host.ts';
import type { DiscoveryUseCases } from '../core/use-cases.ts';
import { namesStrongly } from './etag.ts';
import { problem } from './problem.ts';

/** What operators do with machines that nobody has enrolled. */
export function addDiscoveryRoutes(
  app: OpenAPIHono<{ Bindings: HttpBindings }>,
  discovery: DiscoveryUseCases,
  view: (host: Host) => HostView,
): void {
  app.openapi(routes.approveHost, async (c) =>
    c.json(view(await discovery.approve(c.req.valid('param').mac, c.req.valid('json'))), 200),
  );
  app.openapi(routes.ignoreHost, async (c) =>
    c.json(view(await discovery.setIgnored(c.req.valid('param').mac, c.req.valid('json').ignored)), 200),
  );
  app.openapi(routes.nextOfHost, async (c) => {
    const { isKnown, step, boot, discovery: decision } = await discovery.next(c.req.valid('param').mac);
    const { action, reason, slot, digest, attempt } = step;
    const told = { action, reason, slot, digest, attempt: attempt?.id ?? null };
    return c.json(
      { isKnown, ...told, boot: { kind: boot.kind, reason: boot.reason }, discovery: decision },
      200,
    );
  });

  app.openapi(routes.getDiscovery, async (c) => {
    const edition = await discovery.policy();
    return c.json(policyView(edition), 200, { etag: etagOf(edition) });
  });
  app.openapi(routes.putDiscovery, async (c) => {
    const expected = c.req.header('if-match');
    if (expected === undefined)
      return problem(
        c,
        428,
        'Say which edition of the rules you change: If-Match with the ETag of GET.',
      ) as never;
    const present = await discovery.policy();
    const wanted = namesStrongly(expected, etagOf(present)) ? present.version : -1;
    const edition = await discovery.setPolicy(c.req.valid('json'), wanted);
    if (edition) return c.json(policyView(edition), 200, { etag: etagOf(edition) });
    return problem(c, 412, 'The rules were changed meanwhile. Read them again, then change them.') as never;
  });
}

function etagOf({ version }: PolicyEdition): string {
  return `"discovery-${version}"`;
}

function policyView({ policy }: PolicyEdition): PolicyView {
  return structuredClone(policy) as PolicyView;
}
