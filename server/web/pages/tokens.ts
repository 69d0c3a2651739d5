import { madeTokenSchema, type TokenView, tokenListSchema, tokenSchema } from '../../contract/tokens.ts';
import { at } from '../api.ts';
import { type Html, html } from '../html.ts';
import { confirm } from '../parts/confirm.ts';
import { live, section } from '../parts/facts.ts';
import { field, form, select, textField } from '../parts/form.ts';
import { type Column, table } from '../parts/table.ts';
import { ago, moment } from '../parts/time.ts';
import type { Site } from '../site.ts';
import type { Visit } from '../visit.ts';

const PATH = '/api/v1/tokens';
const DAY_SECONDS = 86_400;

/** Who may use the API and these pages; for admins. */
export function addTokens({ look, change }: Site): void {
  look('/tokens', async (visit) => {
    const { api, now, page, refusal, session } = visit;
    const told = await api.get(PATH, tokenListSchema);
    if (!told.ok) return refusal(told);
    return page({
      title: 'Tokens',
      live: { events: { kind: ['token-created', 'token-revoked'] } },
      body: html`${live('tokens', tokenTable(told.value.tokens, session.name, now))}
${section('new', 'New token', tokenForm(visit))}`,
    });
  });

  // Its answer is the page itself and no way to another: nobody can see the token again, and a second try is refused, for its name is taken.
  change('/tokens', async ({ api, field: said, once, page, refusal }) => {
    const days = said('days');
    const body = {
      name: said('name'),
      role: said('role'),
      ...(days !== '' && { expiresInSeconds: Math.round(Number(days) * DAY_SECONDS) }),
    };
    const told = await api.post(PATH, madeTokenSchema, { body, once });
    if (!told.ok) return refusal(told);
    const { name, role, token, expiresAt } = told.value;
    return page({
      title: `The token "${name}"`,
      body: html`<section class="confirm"><p>This is the token of <strong>${name}</strong>, of role ${role}, ${expiresAt === null ? 'which does not expire' : html`good until ${moment(expiresAt)}`}. Keep it: nobody can see it again.</p>
<p><label for="token" class="quiet">Token</label><br><input id="token" class="code secret" readonly size="70" value="${token}"></p>
<p><a href="/tokens">To the tokens</a></p></section>`,
    });
  });

  look('/tokens/:id/revoke', async (visit) => {
    const { api, now, page, param, refusal, session } = visit;
    const told = await api.get(at`/api/v1/tokens/${param('id')}`, tokenSchema);
    if (!told.ok) return refusal(told);
    const { id, name, role, lastUsedAt } = told.value;
    const isOwn = name === session.name;
    return page({
      title: `Revoke the token ${name}?`,
      body: confirm(visit, {
        action: `/tokens/${encodeURIComponent(id)}/revoke`,
        deed: 'Revoke it',
        tone: 'danger',
        what: html`<p>Whoever has the token <strong>${name}</strong>, of role ${role}, is shut out at once, with all sessions and streams that began with it. It was last used ${ago(lastUsedAt, now)}. There is no way back.</p>
${isOwn && html`<p class="notice warn">You are logged in with this token: you will be logged out.</p>`}`,
        back: '/tokens',
      }),
    });
  });
  change('/tokens/:id/revoke', async ({ api, done, param, refusal }) => {
    const told = await api.delete(at`/api/v1/tokens/${param('id')}`);
    return told.ok ? done('/tokens', { tone: 'good', text: 'The token is revoked.' }) : refusal(told);
  });
}

function tokenTable(tokens: readonly TokenView[], own: string, now: number): Html {
  const revoke: Column<TokenView> = {
    head: html`<span class="unseen">Revoke</span>`,
    cell: ({ id, name }) =>
      html`<a href="/tokens/${encodeURIComponent(id)}/revoke" aria-label="Revoke ${name}">Revoke</a>`,
  };
  return table(
    'Tokens',
    [
      {
        head: 'Name',
        names: true,
        cell: ({ name }: TokenView) =>
          html`${name}${name === own && html` <span class="quiet">(yours)</span>`}`,
      },
      { head: 'Role', cell: ({ role }) => role },
      { head: 'Made', cell: ({ createdAt }) => ago(createdAt, now) },
      { head: 'By', cell: ({ createdBy }) => createdBy ?? 'the server' },
      {
        head: 'Expires',
        cell: ({ expiresAt }) =>
          expiresAt !== null && expiresAt <= now ? html`<strong>has expired</strong>` : ago(expiresAt, now),
      },
      { head: 'Last used', cell: ({ lastUsedAt }) => ago(lastUsedAt, now) },
      revoke,
    ],
    tokens,
    ({ id }) => id,
  );
}

const ROLES = [
  { value: 'viewer', label: 'viewer: looks' },
  { value: 'operator', label: 'operator: works with hosts, images and rollouts' },
  { value: 'admin', label: 'admin: everything' },
];

function tokenForm(visit: Visit): Html {
  return form(
    visit,
    '/tokens',
    html`${textField('name', 'Whose it is: stands in events', '', html` required pattern="[A-Za-z0-9._\\-]+" size="24" placeholder="ci"`)}
${select('role', 'Role', ROLES, 'viewer')}
${field('days', 'Good for so many days', html`<input id="f-days" name="days" type="number" min="1" max="3650" value="90">`, 'empty: it does not expire')}
<div class="buttons"><button class="primary">Make the token</button></div>`,
    'stack',
  );
}
