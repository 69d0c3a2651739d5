import type { Context } from 'hono';
import { Hono } from 'hono';
import { eventListSchema } from '../contract/events.ts';
import { sessionSchema } from '../contract/tokens.ts';
import { type Ask, apiOf, type Problem } from './api.ts';
import { formToken, isFormToken } from './csrf.ts';
import { errorPage } from './error-page.ts';
import { layout } from './layout.ts';
import { comeAgain, comesFromElsewhere, toLogin } from './login.ts';
import { type Notices, notices } from './notices.ts';
import { secured } from './security-headers.ts';
import { forgetSession, sessionCookie } from './session-cookie.ts';
import { onceEach } from './twice.ts';
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
  /** A page: `GET path`, for whoever is logged in. */
  look(path: string, show: (visit: Visit) => Answer): void;
  /** What a form does: `POST path`; it answers with `done` or, when it was refused, with a page that says why. */
  change(path: string, act: (sent: Sent) => Answer): void;
};

/** Says that a script of ours asks for what changed: nobody reads notices there. */
const AGAIN = 'warmboot-again';

export function createSite(backstage: Backstage): Site {
  const app = new Hono<WebEnv>();
  const left = notices(backstage.clock);
  const clicks = onceEach();

  return {
    app,
    backstage,
    look(path, show) {
      app.get(path, secured, async (c) => {
        const visit = await begin(c, left, backstage);
        return visit instanceof Response ? visit : show(visit);
      });
    },
    change(path, act) {
      app.post(path, secured, async (c) => {
        if (!backstage.isSameOrigin(c)) return errorPage(c, { status: 403, detail: FOREIGN }, null);
        const visit = await begin(c, left, backstage);
        if (visit instanceof Response) return visit;
        const type = c.req.header('content-type') ?? '';
        if (!type.startsWith('application/x-www-form-urlencoded'))
          return visit.refusal({ status: 415, detail: 'This takes a form as pages send it. Use the page.' });
        const body = await c.req.text();
        const form = new URLSearchParams(body);
        if (!isFormToken(form.get('form'), sessionCookie(c) ?? ''))
          return visit.refusal({ status: 403, detail: FOREIGN_FORM });
        const sent: Sent = {
          ...visit,
          field: (name) => form.get(name)?.trim() ?? '',
          fields: (name) => form.getAll(name),
          once: form.get('once'),
          done(to, notice) {
            left.leave(visit.formToken, new URL(to, 'http://localhost').pathname, notice);
            return c.redirect(to, 303);
          },
        };
        return sent.once ? clicks([visit.formToken, c.req.path, body], () => act(sent)) : act(sent);
      });
    },
  };
}

const FOREIGN =
  'A page of another site asks for this change, and it was refused. Use the pages of this server.';
const FOREIGN_FORM =
  'The form was not made for this session, and nothing was done. Go back, load its page again, and send it once more.';

/** @returns an answer instead of a visit for a browser that is not logged in */
async function begin(
  c: Context<WebEnv>,
  left: Notices,
  { ask, clock }: Backstage,
): Promise<Visit | Response> {
  const cookie = sessionCookie(c);
  if (cookie === null && comesFromElsewhere(c)) return comeAgain(c);
  if (cookie === null) return toLogin(c);
  const api = apiOf(ask, c.env, `warmboot-session=${cookie}`);
  const isLook = c.req.method !== 'POST';
  // Before the page reads anything: what happens from then on is told by the stream.
  const [who, events] = await Promise.all([
    api.get('/api/v1/session', sessionSchema),
    isLook ? api.get('/api/v1/events', eventListSchema, { limit: 1 }) : null,
  ]);
  // Too many wrong ones came from this address: this one is wrong as well, for a right one is never refused so.
  if (!who.ok && (who.status === 401 || who.status === 429)) {
    forgetSession(c);
    return toLogin(c);
  }
  if (!who.ok) return errorPage(c, who, null);
  const session = who.value;
  const key = formToken(cookie);
  const frame = {
    path: c.req.path,
    session,
    formToken: key,
    now: clock(),
    after: events?.ok ? events.value.next : null,
  };
  const told = () => (c.req.header(AGAIN) === undefined && isLook ? left.take(key, c.req.path) : []);

  return {
    c,
    api,
    session,
    mayOperate: session.role !== 'viewer',
    mayAdminister: session.role === 'admin',
    now: frame.now,
    formToken: key,
    param: (name) => c.req.param(name) ?? '',
    query: (name) => c.req.query(name)?.trim() ?? '',
    queries: (name) => c.req.queries(name) ?? [],
    page: (parts) => c.html(String(layout({ ...frame, ...parts, notices: told() })), parts.status ?? 200),
    refusal: (problem: Pick<Problem, 'status' | 'detail'>) => errorPage(c, problem, frame),
  };
}
