import type { Context } from 'hono';
import { eventListSchema } from '../contract/events.ts';
import { sessionSchema } from '../contract/tokens.ts';
import { type Ask, apiOf } from './api.ts';
import { formToken } from './csrf.ts';
import { errorPage } from './error-page.ts';
import { layout } from './layout.ts';
import { comeAgain, comesFromElsewhere, toLogin } from './login.ts';
import type { Notices } from './notices.ts';
import { pathOf } from './own-path.ts';
import { forgetSession, sessionCookie } from './session-cookie.ts';
import type { Visit, WebEnv } from './visit.ts';

export type Doors = {
  readonly ask: Ask;
  readonly clock: () => number;
  readonly left: Notices;
  readonly build: string;
};

/** Says that a script of ours asks for what changed: nobody reads notices there. */
const AGAIN = 'warmboot-again';

/** @returns an answer instead of a visit for a browser that is not logged in */
export async function begin(
  c: Context<WebEnv>,
  { ask, clock, left, build }: Doors,
): Promise<Visit | Response> {
  const cookie = sessionCookie(c);
  if (cookie === null) return comesFromElsewhere(c) ? comeAgain(c) : toLogin(c);
  const api = apiOf(ask, c.env, cookie);
  const isLook = c.req.method !== 'POST';
  // Before the page reads anything: what happens from then on is told by the stream.
  const [who, events] = await Promise.all([
    api.get('/api/v1/session', sessionSchema),
    isLook ? api.get('/api/v1/events', eventListSchema, { limit: 1 }) : null,
  ]);
  if (!who.ok && who.status === 401) {
    forgetSession(c);
    return toLogin(c);
  }
  if (!who.ok) return errorPage(c, who, null);
  const session = who.value;
  const frame = {
    path: c.req.path,
    session,
    formToken: formToken(cookie),
    now: clock(),
    after: events?.ok ? events.value.next : null,
    build,
  };
  const told = () => {
    const isRead = isLook && c.req.header(AGAIN) === undefined;
    return isRead ? left.take(frame.formToken, pathOf(new URL(c.req.url))) : [];
  };

  return {
    c,
    api,
    session,
    mayOperate: session.role !== 'viewer',
    mayAdminister: session.role === 'admin',
    now: frame.now,
    formToken: frame.formToken,
    param: (name) => c.req.param(name) ?? '',
    query: (name) => c.req.query(name)?.trim() ?? '',
    queries: (name) => c.req.queries(name) ?? [],
    page: (parts) => c.html(String(layout({ ...frame, ...parts, notices: told() })), parts.status ?? 200),
    refusal: (problem) => errorPage(c, problem, frame),
  };
}
