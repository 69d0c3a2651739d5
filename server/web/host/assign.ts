import { type HostView, reassignedSchema } from '../../contract/hosts.ts';
import { type ImageView, imageSchema } from '../../contract/images.ts';
import { at, type Problem } from '../api.ts';
import { imageLink, imageNames } from '../hosts/image-names.ts';
import { imagePicker } from '../hosts/image-picker.ts';
import { hostPath, isOpen, running } from '../hosts/words.ts';
import { type Html, html } from '../html.ts';
import { confirm } from '../parts/confirm.ts';
import { checkbox, hiddenField } from '../parts/form.ts';
import type { Site } from '../site.ts';
import type { Visit } from '../visit.ts';
import { deedFrame, withHost } from './deed-frame.ts';

/** Another image for one host: which one, then what would happen, then the order. */
export function addAssign({ look, change }: Site): void {
  look('/hosts/:mac/assign', (visit) =>
    withHost(visit, (host) => assignPage(visit, host, visit.query('to'), visit.query('fresh') !== '')),
  );
  change('/hosts/:mac/assign', (sent) =>
    withHost(sent, async (host) => {
      const [ref, isFresh] = [sent.field('image'), sent.field('fresh') !== ''];
      const image = await sent.api.get(at`/api/v1/images/${ref}`, imageSchema);
      if (!image.ok) return assignPage(sent, host, ref, isFresh, image);
      if (image.value.digest !== sent.field('digest'))
        return assignPage(sent, host, ref, isFresh, {
          ok: false,
          status: 412,
          detail: `${ref} is another image by now than the one that was shown.`,
        });
      const told = await sent.api.put(at`/api/v1/hosts/${host.mac}/os`, reassignedSchema, {
        body: { image: ref, ...(isFresh && { fresh: true }) },
        revision: sent.field('revision'),
      });
      if (!told.ok) return assignPage(sent, host, ref, isFresh, told);
      const { attempt, reason } = told.value;
      return sent.done(hostPath(host), {
        tone: 'good',
        text: attempt === null ? `${ref}: ${reason}.` : `${ref} is ordered: ${reason}.`,
      });
    }),
  );
}

async function assignPage(
  visit: Visit,
  host: HostView,
  ref: string,
  isFresh: boolean,
  problem?: Problem,
): Promise<Response> {
  const { api } = visit;
  const title = `Assign an image to ${host.mac}`;
  const picker = await imagePicker(api, {
    action: hostPath(host, 'assign'),
    chosen: ref,
    more: checkbox('fresh', 'write the slot anew even if one holds the image', isFresh),
  });
  if (ref === '') return deedFrame(visit, { title, host, problem, body: picker });
  const image = await api.get(at`/api/v1/images/${ref}`, imageSchema);
  if (!image.ok)
    return deedFrame(visit, { title, host, problem: problem ?? { ...image, status: 422 }, body: picker });
  const names = await imageNames(api, [host]);
  const asked = confirm(visit, {
    action: hostPath(host, 'assign'),
    deed: `Assign ${ref}`,
    what: html`<p>From ${running(host, names)} to <strong>${imageLink(image.value.digest, ref)}</strong>.</p>${whatWords(host, image.value, isFresh)}`,
    fields: [
      hiddenField('image', ref),
      hiddenField('digest', image.value.digest),
      isFresh && hiddenField('fresh', 'yes'),
      hiddenField('revision', String(host.revision)),
    ],
    back: hostPath(host),
  });
  return deedFrame(visit, { title, host, problem, body: html`${picker}${asked}` });
}

function whatWords(host: HostView, { digest, damaged }: ImageView, isFresh: boolean): Html {
  const { observation: seen, attempt } = host;
  const slots = Object.entries(seen?.slots ?? {});
  const holding = slots.find(
    ([, slot]) => slot.digest === digest && ['valid', 'modified'].includes(slot.state),
  );
  const hasSystem =
    seen?.environment === 'os' || slots.some(([, { state }]) => ['valid', 'modified'].includes(state));
  const isSame = !isFresh && seen?.environment === 'os' && seen.digest === digest;
  const hasFailed =
    !isFresh &&
    !isSame &&
    attempt?.digest === digest &&
    ['failed', 'rolled-back'].includes(attempt.outcome ?? '');
  const way = hasFailed
    ? 'Nothing begins.'
    : isSame
      ? 'It runs this image already: nothing happens to it.'
      : !hasSystem
        ? 'It has no system of ours: it is installed when it netboots, onto a disk that is empty or ours.'
        : holding && !isFresh
          ? `Slot ${holding[0]} holds it already: nothing is downloaded. The host jumps into it (${host.switch}) for a trial, and comes back by itself if that fails.`
          : `Its agent writes it into a free slot while the present OS works, then jumps into it (${host.switch}) for a trial, and comes back by itself if that fails.`;
  return html`<p>${way}</p>
${isOpen(host) && attempt && attempt.digest !== digest && html`<p>The order for ${attempt.image} that is under way (${attempt.phase}) ends${attempt.rollout && ', and the host leaves its rollout'}.</p>`}
${isOpen(host) && attempt?.digest === digest && html`<p>It is on its way there already: the order stays as it is.</p>`}
${hasFailed && html`<p class="notice warn">The last attempt with this image failed: <q>${attempt?.reason}</q>. Assigning it again begins none: once it is mended, <a href="${hostPath(host, 'retry')}">retry</a>, or write the slot anew.</p>`}
${host.held !== null && html`<p class="notice warn">It is held (<q>${host.held}</q>): the order waits until it is resumed.</p>`}
${damaged && html`<p class="notice warn">This image is damaged in the store: a host that fetches it may fail. Build or import it again first.</p>`}`;
}
