import type { Context, Hono } from 'hono';
import type { SessionView } from '../contract/tokens.ts';
import type { Problem } from './api.ts';
import { addAssets } from './assets.ts';
import { formToken } from './csrf.ts';
import { errorPage } from './error-page.ts';
import { addLogin, toLogin } from './login.ts';
import { addApproval } from './pages/approval.ts';
import { addBuilds } from './pages/builds.ts';
import { addDiscovery } from './pages/discovery.ts';
import { addDiscoveryRules } from './pages/discovery-rules.ts';
import { addEvents } from './pages/events.ts';
import { addHost } from './pages/host.ts';
import { addHosts } from './pages/hosts.ts';
import { addImages } from './pages/images.ts';
import { addNewRollout } from './pages/new-rollout.ts';
import { addOverview } from './pages/overview.ts';
import { addProfiles } from './pages/profiles.ts';
import { addRollout } from './pages/rollout.ts';
import { addRolloutDeeds } from './pages/rollout-deeds.ts';
import { addRollouts } from './pages/rollouts.ts';
import { addSettings } from './pages/settings.ts';
import { addTokens } from './pages/tokens.ts';
import { SECURITY_HEADERS } from './security-headers.ts';
import { sessionCookie } from './session-cookie.ts';
import { type Backstage, createSite } from './site.ts';
import type { WebEnv } from './visit.ts';

/**
 * The pages for people. They know and change nothing by themselves: what they show they ask of the API, with the session of the
 * browser and so with its role, and what a form sends becomes a call of the API.
 *
 * How to add a page (`pages/events.ts` is the shortest):
 * 1. `pages/NAME.ts` has `addNAME({ look, change }: Site)`, which is called below.
 * 2. `look('/things/:id', async (visit) => …)` asks `visit.api.get(at`/api/v1/things/${id}`, schema)`, and answers
 *    `visit.refusal(told)` when that was refused, else `visit.page({ title, body, live })`. Bodies are made with html`…` and what
 *    `parts/` has: `table`, `filterForm`, `pager`, `badge`, `facts`, `section`, `progress`, times and amounts.
 * 3. What shall follow the fleet stands in `live('id', …)`; rows and other things that come and go have `data-key`.
 * 4. `change('/things/:id/stop', async (sent) => …)` calls `sent.api.post(…, { once: sent.once })`, and answers with
 *    `sent.done('/things/ID', { tone, text })`, which redirects, or `sent.refusal(told)`. Its button is `button(visit, …)`, shown only
 *    when `visit.mayOperate`. What is wide or cannot be taken back has a page with `confirm(visit, …)` before it.
 */
export function pages(backstage: Backstage): Pages {
  const site = createSite(backstage);
  addAssets(site.app, site.assets);
  addLogin(site);
  addOverview(site);
  addHosts(site);
  addHost(site);
  addEvents(site);
  addImages(site);
  addBuilds(site);
  addRollouts(site);
  addNewRollout(site);
  addRolloutDeeds(site);
  addRollout(site);
  addDiscovery(site);
  addApproval(site);
  addDiscoveryRules(site);
  addSettings(site);
  addProfiles(site);
  addTokens(site);
  return {
    app: site.app,
    explain(c, problem, who) {
      const cookie = sessionCookie(c);
      const now = backstage.clock();
      const frame = who !== undefined &&
        cookie !== null && {
          path: c.req.path,
          session: who,
          formToken: formToken(cookie),
          now,
          after: null,
          build: site.assets.build,
        };
      const answer = problem.status === 401 ? toLogin(c) : errorPage(c, problem, frame || null);
      for (const [name, value] of Object.entries(SECURITY_HEADERS)) answer.headers.set(name, value);
      answer.headers.set('cache-control', 'no-store');
      return answer;
    },
  };
}

export type Pages = {
  readonly app: Hono<WebEnv>;
  /** What was refused before a page could answer, as a page. @param who is logged in, where that is known */
  explain(
    c: Context<WebEnv>,
    problem: Pick<Problem, 'status' | 'detail'>,
    who: Pick<SessionView, 'name' | 'role'> | undefined,
  ): Response;
};
