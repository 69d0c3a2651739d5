import { hostListSchema } from '../../contract/hosts.ts';
import { layoutListSchema } from '../../contract/layouts.ts';
import { type ProfileView, profileListSchema, profileSchema } from '../../contract/profiles.ts';
import { type Api, at, queryText, type Told } from '../api.ts';
import { type Html, html } from '../html.ts';
import { count } from '../parts/amounts.ts';
import { confirm } from '../parts/confirm.ts';
import { live, section } from '../parts/facts.ts';
import { hiddenField, textField } from '../parts/form.ts';
import { nothing, table } from '../parts/table.ts';
import {
  bodyOf,
  differences,
  type Settings,
  settingsFields,
  settingsFrom,
  settingsOf,
  shown,
  WORDS,
} from '../profiles/settings.ts';
import type { Site } from '../site.ts';

const EVENTS = { events: { kind: ['profile-changed', 'profile-removed'] } };
/** Hosts that are counted; above that there are simply many. */
const COUNTED = 1000;

/** Settings for many hosts at once. No profile's name begins with the line of `_new` and `_review`. */
export function addProfiles({ look, change }: Site): void {
  look('/profiles', async ({ api, mayOperate, page, refusal }) => {
    const told = await api.get('/api/v1/profiles', profileListSchema);
    if (!told.ok) return refusal(told);
    const { profiles } = told.value;
    return page({
      title: 'Profiles',
      actions: mayOperate && html`<a class="button primary" href="/profiles/_new">New profile</a>`,
      live: EVENTS,
      body: live(
        'profiles',
        profiles.length === 0
          ? nothing('There are no profiles. One says for many hosts at once what they do not say themselves.')
          : profileTable(profiles),
      ),
    });
  });

  look('/profiles/_new', async ({ api, page }) =>
    page({
      title: 'New profile',
      body: html`<form method="get" action="/profiles/_review" class="stack card">${hiddenField('new', 'yes')}${textField('name', 'Name', '', html` required size="24" placeholder="dell-r640"`)}
${settingsFields(
  settingsOf(() => ''),
  await layoutNames(api),
)}<div class="buttons"><button class="primary">Show what would happen</button> <a href="/profiles">Leave it</a></div></form>`,
    }),
  );

  look('/profiles/_review', async (visit) => {
    const { api, page, query, refusal } = visit;
    const name = query('name');
    const isNew = query('new') === 'yes';
    const told = isNew ? null : await profileOf(api, name);
    if (told?.ok === false) return refusal(told);
    const before = told?.ok ? settingsFrom(told.value) : settingsOf(() => '');
    const after = settingsOf(query);
    const hosts = isNew ? 'no host has it yet' : await hostsWith(api, name);
    return page({
      title: isNew ? `Make the profile ${name}?` : `Change the profile ${name}?`,
      body: confirm(visit, {
        action: '/profiles',
        deed: isNew ? 'Make it' : 'Change it',
        what: changes(before, after, hosts),
        fields: [
          hiddenField('name', name),
          isNew ? hiddenField('new', 'yes') : hiddenField('revision', query('revision')),
          Object.entries(after).map(([setting, value]) => hiddenField(setting, value)),
        ],
        back: isNew ? '/profiles' : pathOf(name),
      }),
    });
  });

  change('/profiles', async ({ api, done, field, refusal }) => {
    const name = field('name');
    const body = bodyOf(settingsOf(field));
    const condition = field('new') === 'yes' ? { isNew: true } : { revision: field('revision') || 'unknown' };
    const told = await api.put(at`/api/v1/profiles/${name}`, profileSchema, { body, ...condition });
    if (!told.ok) return refusal(told);
    return done(pathOf(name), { tone: 'good', text: `The profile "${name}" is as it stands here.` });
  });

  look('/profiles/:name', async ({ api, mayOperate, page, param, refusal }) => {
    const told = await profileOf(api, param('name'));
    if (!told.ok) return refusal(told);
    const profile = told.value;
    const settings = settingsFrom(profile);
    return page({
      title: `Profile ${profile.name}`,
      actions: html`<a class="button" href="/hosts${queryText({ profile: profile.name })}">Its hosts</a>${mayOperate && html` <a class="button danger" href="${pathOf(profile.name)}/remove">Remove</a>`}`,
      body: mayOperate
        ? html`<form method="get" action="/profiles/_review" class="stack card">${hiddenField('name', profile.name)}${hiddenField('revision', String(profile.revision))}
${settingsFields(settings, await layoutNames(api))}<div class="buttons"><button class="primary">Show what would happen</button> <a href="/profiles">Leave it</a></div></form>`
        : section('settings', 'What it says', profileTable([profile])),
    });
  });

  look('/profiles/:name/remove', async (visit) => {
    const { api, page, param, refusal } = visit;
    const told = await profileOf(api, param('name'));
    if (!told.ok) return refusal(told);
    const { name, revision } = told.value;
    return page({
      title: `Remove the profile ${name}?`,
      body: confirm(visit, {
        action: `${pathOf(name)}/remove`,
        deed: 'Remove it',
        tone: 'danger',
        what: html`<p>The profile <strong>${name}</strong> is forgotten. That is refused while a host has it: ${await hostsWith(api, name)}.</p>`,
        fields: hiddenField('revision', String(revision)),
        back: pathOf(name),
      }),
    });
  });
  change('/profiles/:name/remove', async ({ api, done, field, param, refusal }) => {
    const name = param('name');
    const told = await api.delete(at`/api/v1/profiles/${name}`, { revision: field('revision') });
    if (!told.ok) return refusal(told);
    return done('/profiles', { tone: 'good', text: `The profile "${name}" is forgotten.` });
  });
}

function pathOf(name: string): string {
  return `/profiles/${encodeURIComponent(name)}`;
}

function profileOf(api: Api, name: string): Promise<Told<ProfileView>> {
  return api.get(at`/api/v1/profiles/${name}`, profileSchema);
}

async function layoutNames(api: Api): Promise<readonly string[]> {
  const told = await api.get('/api/v1/layouts', layoutListSchema);
  return told.ok ? told.value.layouts.map(({ name }) => name) : [];
}

/** `3 hosts have it`. */
async function hostsWith(api: Api, profile: string): Promise<string> {
  const told = await api.get('/api/v1/hosts', hostListSchema, { profile, limit: COUNTED });
  if (!told.ok) return 'how many hosts have it is not known';
  const { length } = told.value.hosts;
  if (length === 0) return 'no host has it';
  return `${told.value.next === null ? count(length, 'host has', 'hosts have') : `more than ${COUNTED} hosts have`} it`;
}

function changes(before: Settings, after: Settings, hosts: string): Html {
  const changed = differences(before, after);
  if (changed.length === 0) return html`<p>Nothing differs from what it says now; ${hosts}.</p>`;
  return html`<p>Hosts change with their profile where they say nothing themselves; ${hosts}.</p>
<ul>${changed.map(({ name, from, to }) => html`<li>${WORDS[name]}: ${shown(name, from)} → <strong>${shown(name, to)}</strong></li>`)}</ul>`;
}

function profileTable(profiles: readonly ProfileView[]): Html {
  return table(
    'Profiles',
    [
      {
        head: 'Profile',
        names: true,
        cell: ({ name }: ProfileView) => html`<a href="${pathOf(name)}">${name}</a>`,
      },
      ...(Object.keys(WORDS) as (keyof Settings)[]).map((name) => ({
        head: WORDS[name],
        cell: (profile: ProfileView) => {
          const value = settingsFrom(profile)[name];
          return value !== '' && shown(name, value);
        },
      })),
      {
        head: 'Hosts',
        cell: ({ name }) =>
          html`<a href="/hosts${queryText({ profile: name })}" aria-label="See the hosts with the profile ${name}">See</a>`,
      },
    ],
    profiles,
    ({ name }) => name,
  );
}
