import * as routes from '../contract/host-routes.ts';
import { HOSTS_ON_A_PAGE, type HostChangesView, type HostView } from '../contract/hosts.ts';
import { WarmbootError } from '../core/errors.ts';
import type { Host } from '../core/host.ts';
import { hostState } from '../core/host-state.ts';
import type { DiscoveryUseCases, HostChanges, HostUseCases, Reassigned } from '../core/use-cases.ts';
import { type AdminApp, byOf, expectedIn } from './admin-app.ts';
import { cursorOf, placeOf } from './cursor.ts';
import { namesWeakly } from './etag.ts';
import { hostEtag } from './host-etag.ts';
import { sendPage } from './send-list.ts';
import { attemptView, inventoryView } from './views.ts';

const ATTEMPTS_ON_A_PAGE = 1000;

/** What operators do with hosts. */
export function addHostRoutes(
  app: AdminApp,
  { hosts, discovery }: { readonly hosts: HostUseCases; readonly discovery: DiscoveryUseCases },
  view: (host: Host) => HostView,
): void {
  app.openapi(routes.listHosts, async (c) => {
    const {
      label = [],
      state = [],
      image,
      profile,
      q,
      limit = HOSTS_ON_A_PAGE,
      cursor,
    } = c.req.valid('query');
    const after = placeOf(cursor);
    const page = await hosts.list({ labels: label, states: state, image, profile, text: q, after, limit });
    return sendPage(c, 'hosts', page.hosts, cursorOf(page.next), view);
  });
  app.openapi(routes.enrolHost, async (c) =>
    c.json(view(await hosts.enrol(byOf(c), c.req.valid('json'))), 201),
  );
  app.openapi(routes.getHost, async (c) => {
    const { mac } = c.req.valid('param');
    const host = await hosts.find(mac);
    const inventory = inventoryView(await discovery.inventory(mac));
    const shown = { ...view(host), inventory };
    const etag = hostEtag(shown);
    if (namesWeakly(c.req.header('if-none-match'), etag)) return c.body(null, 304, { etag });
    return c.json(shown, 200, { etag });
  });
  app.openapi(routes.changeHost, async (c) => {
    const changes = changesOf(c.req.valid('json'), c.req.header('content-type'));
    const host = await hosts.update(byOf(c), c.req.valid('param').mac, changes, expectedIn(c));
    return c.json(view(host), 200);
  });
  app.openapi(routes.removeHost, async (c) => {
    await hosts.remove(byOf(c), c.req.valid('param').mac, expectedIn(c));
    return c.body(null, 204);
  });
  app.openapi(routes.listAttempts, async (c) => {
    const { cursor, limit = ATTEMPTS_ON_A_PAGE } = c.req.valid('query');
    const page = await hosts.attempts(c.req.valid('param').mac, placeOf(cursor), limit);
    return c.json({ attempts: page.attempts.map(attemptView), next: cursorOf(page.next) }, 200);
  });
  app.openapi(routes.reassignHost, async (c) => {
    const { image, fresh } = c.req.valid('json');
    const answer = await hosts.reassign(
      byOf(c),
      c.req.valid('param').mac,
      image,
      fresh ?? false,
      expectedIn(c),
    );
    return c.json(reassignedView(answer), answer.attempt ? 202 : 200);
  });
  app.openapi(routes.retryHost, async (c) =>
    c.json(reassignedView(await hosts.retry(byOf(c), c.req.valid('param').mac, expectedIn(c))), 202),
  );
  app.openapi(routes.reinstallHost, async (c) => {
    const { wipe } = c.req.valid('json');
    return c.json(
      reassignedView(await hosts.reinstall(byOf(c), c.req.valid('param').mac, wipe ?? false, expectedIn(c))),
      202,
    );
  });
}

/** By its type a body of labels means all of them, or only those that change (RFC 7396). */
function changesOf({ labels, ...changes }: HostChangesView, type: string | undefined): HostChanges {
  if (labels === undefined) return changes;
  if (labels === null) return { ...changes, labels: {} };
  if (type?.toLowerCase().startsWith('application/merge-patch+json'))
    return { ...changes, labelChanges: labels };
  const isWhole = (all: Record<string, string | null>): all is Record<string, string> =>
    !Object.values(all).includes(null);
  if (isWhole(labels)) return { ...changes, labels };
  throw new WarmbootError(
    'invalid',
    'In application/json `labels` replaces all labels, so none of them can be null. Leave it out, or send application/merge-patch+json.',
  );
}

export function reassignedView({ host, attempt }: Reassigned) {
  return {
    attempt: attempt?.id ?? null,
    digest: attempt?.digest ?? host.enrolment.assignment?.digest ?? '',
    state: hostState(host),
    reason: attempt?.reason ?? 'the host runs this image already',
  };
}
