import type { Context } from 'hono';
import { Hono } from 'hono';
import type { Ask } from './api.ts';
import { type Assets, readAssets } from './assets.ts';
import { begin, type Doors } from './begin.ts';
import { isFormToken } from './csrf.ts';
import { errorPage } from './error-page.ts';
import { notices } from './notices.ts';
import { pathOf } from './own-path.ts';
import { secured } from './security-headers.ts';
import { sessionCookie } from './session-cookie.ts';
import type { Sent, Visit, WebEnv } from './visit.ts';

/** What the pages are given by the plane that they stand on. */
export type Backstage = {
  readonly ask: Ask;
  /** Whether a page of this server asks for a change. */
  isSameOrigin(c: Pick<Context, 'req'>): boolean;
  readonly clock: () => number;
};

type Answer = Response | Promise<Response>;

/** Where pages are added. */
export type Site = {
  readonly app: Hono<WebEnv>;
  readonly backstage: Backstage;
  readonly assets: Assets;
  /** A page: `GET path`, for whoever is logged in. */
  look(path: string, show: (visit: Visit) => Answer): void;
  /** What a form does: `POST path`; it answers with `done` or, when it was refused, with a page that says why. */
  change(path: string, act: (sent: Sent) => Answer): void;
};

const FORM_TYPE = 'application/x-www-form-urlencoded';

export function createSite(backstage: Backstage): Site {
  const app = new Hono<WebEnv>();
  const assets = readAssets();
  const doors: Doors = { ...backstage, left: notices(backstage.clock), build: assets.build };

  return {
    app,
    backstage,
    assets,
    look(path, show) {
      app.get(path, secured, async (c) => {
        const visit = await begin(c, doors);
        return visit instanceof Response ? visit : show(visit);
      });
    },
    change(path, act) {
      app.post(path, secured, async (c) => {
        if (!backstage.isSameOrigin(c)) return errorPage(c, { status: 403, detail: FOREIGN }, null);
        const visit = await begin(c, doors);
        if (visit instanceof Response) return visit;
        if (!c.req.header('content-type')?.startsWith(FORM_TYPE))
          return visit.refusal({ status: 415, detail: 'This takes a form as pages send it. Use the page.' });
        const form = new URLSearchParams(await c.req.text());
        if (!isFormToken(form.get('form'), sessionCookie(c) ?? ''))
          return visit.refusal({ status: 403, detail: FOREIGN_FORM });
        return act({
          ...visit,
          field: (name) => form.get(name)?.trim() ?? '',
          fields: (name) => form.getAll(name),
          once: form.get('once'),
          done(to, notice) {
            doors.left.leave(visit.formToken, pathOf(new URL(to, c.req.url)), notice);
            return c.redirect(to, 303);
          },
        });
      });
    },
  };
}

const FOREIGN =
  'A page of another site asks for this change, and it was refused. Use the pages of this server.';
const FOREIGN_FORM =
  'The form was not made for this session, and nothing was done. Go back, load its page again, and send it once more.';
