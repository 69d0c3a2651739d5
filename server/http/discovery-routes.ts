import * as routes from '../contract/discovery.ts';
import * as hostRoutes from '../contract/host-routes.ts';
import type { HostView } from '../contract/hosts.ts';
import type { PolicyEdition } from '../core/discovery.ts';
import type { Host } from '../core/host.ts';
import type { DiscoveryUseCases } from '../core/use-cases.ts';
import { type AdminApp, byOf, expectedIn } from './admin-app.ts';
import { namesStrongly } from './etag.ts';
import { problem } from './problem.ts';

/** What operators do with machines that nobody has enrolled. */
export function addDiscoveryRoutes(
  app: AdminApp,
  discovery: DiscoveryUseCases,
  view: (host: Host) => HostView,
): void {
  app.openapi(hostRoutes.approveHost, async (c) => {
    const { mac } = c.req.valid('param');
    const { as, ...wish } = c.req.valid('json');
    const approved =
      as === undefined
        ? await discovery.approve(byOf(c), mac, wish, expectedIn(c))
        : await discovery.approveAs(byOf(c), mac, as, expectedIn(c));
    return c.json(view(approved), 200);
  });
  app.openapi(hostRoutes.ignoreHost, async (c) =>
    c.json(
      view(
        await discovery.setIgnored(
          byOf(c),
          c.req.valid('param').mac,
          c.req.valid('json').ignored,
          expectedIn(c),
        ),
      ),
      200,
    ),
  );
  app.openapi(hostRoutes.nextOfHost, async (c) => {
    const { host, step, boot, discovery: decision } = await discovery.next(c.req.valid('param').mac);
    const { action, reason, until, slot, digest, attempt } = step;
    const hint = host && view(host).next.hint;
    const told = { action, reason, until, hint, slot, digest, attempt: attempt?.id ?? null };
    return c.json(
      {
        isKnown: host !== null,
        ...told,
        boot: { kind: boot.kind, reason: boot.reason },
        discovery: decision,
      },
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
    const edition = await discovery.setPolicy(byOf(c), c.req.valid('json'), wanted);
    if (edition) return c.json(policyView(edition), 200, { etag: etagOf(edition) });
    return problem(c, 412, 'The rules were changed meanwhile. Read them again, then change them.') as never;
  });
}

function etagOf({ version }: PolicyEdition): string {
  return `"discovery-${version}"`;
}

function policyView({ policy }: PolicyEdition): routes.PolicyView {
  return structuredClone(policy) as routes.PolicyView;
}
