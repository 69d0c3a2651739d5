import * as routes from '../contract/rollouts.ts';
import { WarmbootError } from '../core/errors.ts';
import type { RolloutUseCases } from '../core/rollout-use-cases.ts';
import { type AdminApp, byOf } from './admin-app.ts';
import { cursorOf, placeOf } from './cursor.ts';
import { begunRolloutView, rolloutHost, rolloutPlan, rolloutSummary, rolloutView } from './rollout-views.ts';

const PAGE = 100;

/** What operators do with many hosts at once. */
export function addRolloutRoutes(app: AdminApp, rollouts: RolloutUseCases): void {
  app.openapi(routes.beginRollout, async (c) => {
    const wish = c.req.valid('json');
    if (c.req.valid('query').dryRun === 'true') {
      const { rollout, planned } = await rollouts.plan(wish);
      return c.json(rolloutPlan(rollout, planned), 200);
    }
    return c.json(begunRolloutView(await rollouts.begin(byOf(c), wish)), 201);
  });
  app.openapi(routes.listRollouts, async (c) => {
    const { cursor, limit = PAGE } = c.req.valid('query');
    // One more than is shown says whether there is a next page.
    const found = await rollouts.list(placeOf(cursor), limit + 1);
    const shown = found.slice(0, limit);
    const next = found.length > limit ? cursorOf(shown.at(-1)?.rollout ?? null) : null;
    return c.json({ rollouts: shown.map(({ rollout, total }) => rolloutSummary(rollout, total)), next }, 200);
  });
  app.openapi(routes.getRollout, async (c) =>
    c.json(rolloutView(await rollouts.find(c.req.valid('param').id)), 200),
  );
  app.openapi(routes.listRolloutHosts, async (c) => {
    const { cursor = '-1', limit = PAGE, state } = c.req.valid('query');
    if (!/^(-1|\d{1,9})$/.test(cursor))
      throw new WarmbootError(
        'malformed',
        'The cursor is none that this list gave: leave it out to begin anew.',
      );
    const query = { after: Number(cursor), limit, state: state ?? null };
    const { hosts, next } = await rollouts.hosts(c.req.valid('param').id, query);
    return c.json({ hosts: hosts.map(rolloutHost), next: next === null ? null : String(next) }, 200);
  });
  app.openapi(routes.pauseRollout, async (c) => {
    const { reason = '' } = c.req.valid('json');
    return c.json(rolloutView(await rollouts.pause(byOf(c), c.req.valid('param').id, reason)), 200);
  });
  app.openapi(routes.resumeRollout, async (c) => {
    const { reason = '', retry = false } = c.req.valid('json');
    return c.json(rolloutView(await rollouts.resume(byOf(c), c.req.valid('param').id, reason, retry)), 200);
  });
  app.openapi(routes.abortRollout, async (c) => {
    const { reason = '' } = c.req.valid('json');
    return c.json(rolloutView(await rollouts.abort(byOf(c), c.req.valid('param').id, reason)), 200);
  });
  app.openapi(routes.rollBackRollout, async (c) => {
    const { reason = '' } = c.req.valid('json');
    return c.json(begunRolloutView(await rollouts.rollback(byOf(c), c.req.valid('param').id, reason)), 201);
  });
}
