import { buildListSchema } from '../../contract/builds.ts';
import { imageListSchema } from '../../contract/images.ts';
import { buildLine, isOpen } from '../builds/build-table.ts';
import { everyPage } from '../every-page.ts';
import { html } from '../html.ts';
import { imageTable } from '../images/image-table.ts';
import { IMAGE_KINDS } from '../images/kinds.ts';
import { addRemoveImage } from '../images/remove.ts';
import { live, section } from '../parts/facts.ts';
import { filterForm, textField } from '../parts/form.ts';
import { nothing } from '../parts/table.ts';
import type { Site } from '../site.ts';
import { addImage } from './image.ts';

/** What changes what is shown of images: their coming and going, and who runs them. */
const KINDS = [...IMAGE_KINDS, 'build-queued', 'build-began', 'build-ended'];

/** The images that hosts can run, newest first, and the builds that will add to them. */
export function addImages(site: Site): void {
  site.look('/images', async ({ api, page, query, refusal, now, mayOperate }) => {
    const q = query('q');
    const [told, builds] = await Promise.all([
      everyPage(api, '/api/v1/images', imageListSchema, {}, (list) => list.images),
      api.get('/api/v1/builds', buildListSchema, { limit: 20 }),
    ]);
    if (!told.ok) return refusal(told);
    const lower = q.toLowerCase();
    const images = told.value
      .toReversed()
      .filter(({ tags, digest, os, kernel }) =>
        [...tags, digest, os, kernel].some((text) => text.toLowerCase().includes(lower)),
      );
    const running = builds.ok ? builds.value.builds.filter(isOpen) : [];
    const none =
      told.value.length === 0
        ? html`There is no image yet. ${mayOperate ? html`<a href="/builds/new">Build one</a>, or` : 'Build one:'} <code>warmboot build NAME</code>.`
        : 'No image is like that.';
    return page({
      title: 'Images',
      actions: html`${mayOperate && html`<a class="button primary" href="/builds/new">Build an image</a>`} <a class="button" href="/builds">Builds</a>`,
      body: html`${filterForm('/images', textField('q', 'Tag, digest, OS or kernel', q), q !== '')}
${live(
  'builds',
  running.length > 0 &&
    section(
      'builds',
      'Builds under way',
      html`<ul class="lines">${running.map((build) => buildLine(build, now))}</ul>`,
    ),
)}
${live('images', images.length === 0 ? nothing(none) : imageTable(images, now))}`,
      live: { events: { kind: KINDS } },
    });
  });
  addRemoveImage(site);
  addImage(site);
}
