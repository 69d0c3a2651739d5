import * as routes from '../contract/status.ts';
import type { AskStatus } from '../core/status.ts';
import type { AdminApp } from './admin-app.ts';
import { checksView } from './operations-routes.ts';

export function addStatusRoutes(app: AdminApp, status: AskStatus): void {
  app.openapi(routes.getStatus, async (c) => {
    const { readiness, hosts, ...facts } = await status();
    const counts = Object.fromEntries(hosts) as routes.StatusView['hosts'];
    const said = { ready: readiness.isReady, checks: checksView(readiness), hosts: counts };
    return c.json({ ...facts, ...said } as routes.StatusView, 200);
  });
}
