import type { Context } from 'hono';
import { sessionSchema } from '../contract/tokens.ts';
import { apiOf, queryText, refusalOf } from './api.ts';
import { errorPage } from './error-page.ts';
import { html } from './html.ts';
import { bare } from './layout.ts';
import { ownPath } from './own-path.ts';
import { secured } from './security-headers.ts';
import { sessionCookie } from './session-cookie.ts';
import type { Site } from './site.ts';
import type { WebEnv } from './visit.ts';

/** The way in and out: a token of the API becomes a cookie of some hours. */
export function addLogin({ app, backstage, change }: Site): void {
  app.get('/login', secured, async (c) => {
    const then = ownPath(c.req.query('to'));
    const session = sessionCookie(c);
    if (session !== null) {
      const who = await apiOf(backstage.ask, c.env, session).get('/api/v1/session', sessionSchema);
      if (who.ok) return c.redirect(then, 303);
    }
    return c.html(String(loginPage(then, null)));
  });

  app.post('/login', secured, async (c) => {
    if (!backstage.isSameOrigin(c))
      return errorPage(
        c,
        {
          status: 403,
          detail: 'A page of another site wants to log you in, and it was refused. Log in here.',
        },
        null,
      );
    const form = new URLSearchParams(await c.req.text());
    const then = ownPath(form.get('to'));
    const body = { token: form.get('token')?.trim() ?? '' };
    const answer = await apiOf(backstage.ask, c.env, null).raw('POST', '/api/v1/session', { body });
    if (!answer.ok) {
      const { status, detail } = await refusalOf(answer);
      return c.html(String(loginPage(then, detail)), status as 401);
    }
    for (const cookie of answer.headers.getSetCookie()) c.header('set-cookie', cookie, { append: true });
    return c.redirect(then, 303);
  });

  change('/logout', async ({ c, api }) => {
    const answer = await api.raw('DELETE', '/api/v1/session');
    for (const cookie of answer.headers.getSetCookie()) c.header('set-cookie', cookie, { append: true });
    return c.redirect('/login', 303);
  });
}

function loginPage(then: string, refusal: string | null) {
  return bare(
    'Log in',
    html`<h1>Log in</h1>
${refusal !== null && html`<p class="notice bad" role="alert" id="refusal">${refusal}</p>`}
<form method="post" action="/login" class="login">
<input type="hidden" name="to" value="${then}">
<label for="token">Token</label>
<input id="token" name="token" type="password" autocomplete="current-password" spellcheck="false" required autofocus${refusal !== null && html` aria-invalid="true" aria-describedby="refusal"`}>
<button class="primary">Log in</button>
</form>
<p class="quiet">The first token lies in <code>DATA/admin.token</code> on the server. An admin makes others: <code>warmboot token create NAME --role viewer</code>.</p>`,
  );
}

/** To the login, and from there back to what was asked for; what a form has sent is not sent again. */
export function toLogin(c: Context<WebEnv>): Response {
  const { pathname, search } = new URL(c.req.url);
  const to = c.req.method === 'GET' && pathname !== '/' ? `${pathname}${search}` : undefined;
  return c.redirect(`/login${queryText({ to })}`, 303);
}

/**
 * A link on another site, such as a chat: the browser keeps the cookie back (SameSite=Strict), and sends it when this server's own
 * page leads to the same address.
 */
export function comesFromElsewhere(c: Context<WebEnv>): boolean {
  return c.req.method === 'GET' && c.req.header('sec-fetch-site') === 'cross-site';
}

export function comeAgain(c: Context<WebEnv>): Response {
  const { pathname, search } = new URL(c.req.url);
  c.header('refresh', `0; url=${pathname}${search}`);
  return c.html(
    String(bare('One moment', html`<h1>One moment</h1><p><a href="${pathname}${search}">Go on</a></p>`)),
  );
}
