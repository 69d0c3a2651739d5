import { type ImageDetailView, imageDetailSchema, removedImageSchema } from '../../contract/images.ts';
import { bytes } from '../../words/quantity.ts';
import { at, queryText, refusalOf } from '../api.ts';
import { shortDigest } from '../hosts/image-names.ts';
import { type Html, html } from '../html.ts';
import { count } from '../parts/amounts.ts';
import { confirm } from '../parts/confirm.ts';
import { hiddenField } from '../parts/form.ts';
import type { Site } from '../site.ts';
import { hostsLink, imagePath, nameOf } from './words.ts';

/** Hosts named in what came of it. */
const NAMED = 5;

export function removePath(digest: string, tag?: string): string {
  return at`/images/${digest}/remove` + queryText({ tag });
}

/** Taking a tag away, or all of them: what goes, what stays and why, and what came of it. */
export function addRemoveImage({ look, change }: Site): void {
  look('/images/:image/remove', async (visit) => {
    const { api, page, param, query, refusal, mayOperate } = visit;
    const told = await api.get(at`/api/v1/images/${param('image')}`, imageDetailSchema);
    if (!told.ok) return refusal(told);
    if (!mayOperate)
      return refusal({
        status: 403,
        detail: 'A viewer removes nothing. Log in with a token of an operator.',
      });
    const image = told.value;
    const tag = query('tag');
    if (tag !== '' && !image.tags.includes(tag))
      return refusal({
        status: 404,
        detail: `The image has no tag ${tag} any more. Look at it again: somebody was faster.`,
      });
    const left = tag === '' ? [] : image.tags.filter((each) => each !== tag);
    const title = tag === '' ? `Remove ${nameOf(image)}` : `Remove the tag ${tag}`;
    const isHeld = left.length === 0 && ((image.hosts?.assigned ?? 0) > 0 || (image.hosts?.running ?? 0) > 0);
    const body = isHeld
      ? html`<p class="notice warn">${nameOf(image)} stays: ${hostsLink(image)}. Assign another image to them first.</p>
<p><a href="${imagePath(image.digest)}">Back to the image</a></p>`
      : confirm(visit, {
          action: at`/images/${image.digest}/remove`,
          deed: tag === '' ? 'Remove the image' : 'Remove the tag',
          tone: 'danger',
          what: consequences(image, tag, left),
          fields: hiddenField('tag', tag),
          back: imagePath(image.digest),
        });
    return page({ title, body });
  });

  change('/images/:image/remove', async ({ api, param, field, refusal, done }) => {
    const digest = param('image');
    const ref = field('tag') || digest;
    if (ref !== digest) {
      const now = await api.get(at`/api/v1/images/${ref}`, imageDetailSchema);
      if (!now.ok) return refusal(now);
      if (now.value.digest !== digest)
        return refusal({
          status: 412,
          detail: `${ref} is another image by now than the one that was shown, and nothing was done. Look at it again.`,
        });
    }
    const answer = await api.raw('DELETE', at`/api/v1/images/${ref}`);
    if (!answer.ok) return refusal(await refusalOf(answer));
    const { isGone, freedBytes, keptFor } = removedImageSchema.parse(await answer.json());
    const name = ref === digest ? `The image ${shortDigest(digest)}` : `The tag ${ref}`;
    if (isGone)
      return done('/images', {
        tone: 'good',
        text: `${name} was removed, and the image is gone: ${bytes(freedBytes)} became free.`,
      });
    const named = keptFor.slice(0, NAMED).join(', ');
    const more = keptFor.length > NAMED ? ` and ${keptFor.length - NAMED} more` : '';
    return done(imagePath(digest), {
      tone: 'good',
      text:
        keptFor.length > 0
          ? `${name} was removed. The image itself stays for hosts that hold it in a slot: ${named}${more}.`
          : `${name} was removed. The image stays: another tag, a build or an upload needs it.`,
    });
  });
}

function consequences(image: ImageDetailView, tag: string, left: readonly string[]): Html {
  if (left.length > 0)
    return html`<p>The tag <strong>${tag}</strong> goes. The image <code>${shortDigest(image.digest)}</code> stays as ${left.join(', ')}.</p>
<p>Hosts that were assigned to it by this tag stay so: an assignment is to the digest.</p>`;
  return html`<p>${image.tags.length === 0 ? 'The image has no tag.' : html`${count(image.tags.length, 'tag')} ${image.tags.length === 1 ? 'goes' : 'go'}: ${image.tags.join(', ')}.`} No host shall run it, and none runs it.</p>
<p>Then nobody needs the image <code>${shortDigest(image.digest)}</code>, and it is removed with those of its chunks that no other image has (${bytes(image.dataBytes)} at most). It cannot be brought back but by building or importing it again.</p>
<p>Left alone: hosts that still hold it in a slot, to be able to go back to it. As long as one does, the image stays on the server without a tag.</p>`;
}
