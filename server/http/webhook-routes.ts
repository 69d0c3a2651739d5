import * as routes from '../contract/webhooks.ts';
import type { WebhookUseCases } from '../core/use-cases.ts';
import type { Webhook } from '../core/webhook.ts';
import { type AdminApp, byOf } from './admin-app.ts';

/** Who is told of events. */
export function addWebhookRoutes(
  app: AdminApp,
  plane: { readonly webhooks: WebhookUseCases; readonly stopping: AbortSignal },
): void {
  const { webhooks, stopping } = plane;

  app.openapi(routes.listWebhooks, async (c) => {
    const [all, last] = [await webhooks.list(), await webhooks.last()];
    return c.json({ webhooks: all.map((hook) => webhookView(hook, last)) }, 200);
  });
  app.openapi(routes.addWebhook, async (c) => {
    const hook = await webhooks.add(byOf(c), c.req.valid('json'));
    const made = { ...webhookView(hook, await webhooks.last()), secret: hook.secret };
    return c.json(made, 201, { 'cache-control': 'no-store' });
  });
  app.openapi(routes.getWebhook, async (c) =>
    c.json(webhookView(await webhooks.find(c.req.valid('param').id), await webhooks.last()), 200),
  );
  app.openapi(routes.changeWebhook, async (c) => {
    const hook = await webhooks.change(byOf(c), c.req.valid('param').id, c.req.valid('json'));
    return c.json(webhookView(hook, await webhooks.last()), 200);
  });
  app.openapi(routes.removeWebhook, async (c) => {
    await webhooks.remove(byOf(c), c.req.valid('param').id);
    return c.body(null, 204);
  });
  app.openapi(routes.testWebhook, async (c) =>
    c.json(await webhooks.test(c.req.valid('param').id, stopping), 200),
  );
}

/** All but the secret. */
function webhookView(hook: Webhook, last: number) {
  const { id, url, kinds, selector, status, reason, createdAt, cursor, delivered, failures, nextAt, lost } =
    hook;
  return {
    id,
    url,
    kinds: kinds === null ? null : [...kinds],
    selector,
    enabled: status === 'enabled',
    reason,
    createdAt,
    cursor,
    behind: Math.max(0, last - cursor),
    delivered,
    failures,
    nextAt,
    last: hook.lastAt === null ? null : { at: hook.lastAt, status: hook.lastStatus, error: hook.lastError },
    lost,
  };
}
