import { type BuildView, buildSchema, recipeListSchema } from '../../contract/builds.ts';
import { type ImageView, imageSchema } from '../../contract/images.ts';
import { bytes } from '../../words/quantity.ts';
import { at, queryText } from '../api.ts';
import { buildPath } from '../builds/build-table.ts';
import { type BuildWish, orderOf, WISH_FIELDS, wishOf } from '../builds/order.ts';
import { shortDigest } from '../hosts/image-names.ts';
import { type Html, html } from '../html.ts';
import { hostsLink, imagePath } from '../images/words.ts';
import { confirm } from '../parts/confirm.ts';
import { checkbox, field, hiddenField, select, textField } from '../parts/form.ts';
import type { Site } from '../site.ts';
import type { Visit } from '../visit.ts';

const VIEWER = { status: 403, detail: 'A viewer builds nothing. Log in with a token of an operator.' };

/** The order of a build: what to build, then what that will do, then its log. */
export function addNewBuild({ look, change }: Site): void {
  look('/builds/new', async (visit) => {
    const { mayOperate, query, page, refusal } = visit;
    if (!mayOperate) return refusal(VIEWER);
    const wish = wishOf(query);
    // The form of the first page asks for the second: nothing is changed by it.
    if (wish.name === '' || query('edit') !== '')
      return page({ title: 'Build an image', body: await orderForm(visit, wish) });
    return page({
      title: `Build ${wish.name}:${wish.tag || 'latest'}`,
      body: await announcement(visit, wish),
    });
  });

  change('/builds', async ({ api, field: sent, once, done, refusal }) => {
    const told = await api.post('/api/v1/builds', buildSchema, { body: orderOf(wishOf(sent)), once });
    if (!told.ok) return refusal(told);
    return done(buildPath(told.value), { tone: 'good', text: began(told.value) });
  });
}

function began({ status }: BuildView): string {
  return status === 'queued'
    ? 'The build is ordered, and begins when others have ended.'
    : 'The build has begun. Its log follows below.';
}

async function orderForm({ api }: Visit, wish: BuildWish): Promise<Html> {
  const told = await api.get('/api/v1/recipes', recipeListSchema);
  const recipes = told.ok ? told.value.recipes : [];
  const known = html`<datalist id="recipes">${recipes.map(
    ({ name, kind, filesystem }) =>
      html`<option value="${name}">${filesystem ? `${filesystem.type}, ${bytes(filesystem.bytes)}` : (kind ?? 'its image.json cannot be read')}</option>`,
  )}</datalist>`;
  const names = recipes.map(({ name }) => name).join(', ');
  return html`<form method="get" action="/builds/new" class="stack card order">
${field('name', 'Name', html`<input id="f-name" name="name" value="${wish.name}" list="recipes" required autocomplete="off" spellcheck="false" pattern="[a-z0-9][a-z0-9._\\-]*">${known}`, `Of the image, and of its folder below images/ of the server${names && `: ${names}`}.`)}
${textField('tag', 'Tag', wish.tag, html` placeholder="latest"`)}
${field('from', 'From a finished Docker image instead', html`<input id="f-from" name="from" value="${wish.from}" autocomplete="off" spellcheck="false" placeholder="registry.example/web:2">`, 'In Docker on the server, or in a registry. Left empty, the Dockerfile of the folder is built.')}
<details id="more"><summary>What counts instead of its image.json</summary><div class="stack">
${select('filesystem', 'Filesystem', [{ value: '', label: 'as image.json says' }, 'ext4', 'xfs'], wish.filesystem)}
${textField('size', 'Size of the filesystem', wish.size, html` placeholder="4GiB"`)}
${textField('append', 'Kernel arguments', wish.append)}
${checkbox('addAgent', 'Add the agent where the image has none', wish.addAgent)}
${field('arguments', 'Build arguments', html`<textarea id="f-arguments" name="arguments" rows="3" spellcheck="false" placeholder="NAME=VALUE">${wish.arguments}</textarea>`, 'One on each line, for ARG of the Dockerfile. Not for secrets: Docker keeps them in the image.')}
</div></details>
<div class="buttons"><button class="primary">Go on</button> <a href="/builds">Leave it</a></div>
</form>
<p class="quiet">A context of your own, secrets and stages are for the command line: <code>warmboot build NAME --context DIR</code>.</p>`;
}

/** What will happen before it happens. */
async function announcement(visit: Visit, wish: BuildWish): Promise<Html> {
  const { api } = visit;
  const { name, tag, from } = wish;
  const ref = `${name}:${tag || 'latest'}`;
  const back = `/builds/new${queryText({ ...wish, addAgent: wish.addAgent ? 'yes' : '', edit: 'yes' })}`;
  const [before, known] = await Promise.all([
    api.get(at`/api/v1/images/${ref}`, imageSchema),
    api.get('/api/v1/recipes', recipeListSchema),
  ]);
  const isKnown = !known.ok || known.value.recipes.some((recipe) => recipe.name === name);
  if (from === '' && !isKnown)
    return html`<p class="notice bad" role="alert">The server has no folder images/${name} with an image.json. Name one that it has, or a Docker image to take.</p>
<p><a href="${back}">Back to the form</a></p>`;
  const source =
    from === ''
      ? html`Docker on the server builds the Dockerfile in <code>images/${name}</code>`
      : html`Docker on the server takes the image <code>${from}</code>, or pulls it`;
  const { name: _, tag: __, from: ___, ...overrides } = orderOf(wish);
  const said = Object.entries(overrides).map(
    ([key, value]) =>
      html`<li><code>${key}</code>: ${typeof value === 'string' ? value : JSON.stringify(value)}</li>`,
  );
  return confirm(visit, {
    action: '/builds',
    deed: `Build ${ref}`,
    what: html`<p>${source}. Its files become an image, which is checked before it is stored. Two builds run at once, others wait.</p>
${before.ok ? moved(ref, before.value) : html`<p>The tag <strong>${ref}</strong> is new. No host runs it before it is assigned.</p>`}
${said.length > 0 && html`<p>What counts instead of its image.json:</p><ul>${said}</ul>`}`,
    fields: [
      WISH_FIELDS.map((each) => hiddenField(each, wish[each])),
      hiddenField('addAgent', wish.addAgent ? 'yes' : ''),
    ],
    back,
  });
}

function moved(ref: string, before: ImageView): Html {
  return html`<p>The tag <strong>${ref}</strong> moves to the new image, if that is another one than <a href="${imagePath(before.digest)}"><code>${shortDigest(before.digest)}</code></a> of now (hosts: ${hostsLink(before)}).</p>
<p>Left alone: every host. An assignment is to the image that its tag meant at that moment, and a build installs and switches nothing. The image of now is removed only if no other tag, host or slot needs it.</p>`;
}
