import {
  type ImageDetailView,
  imageDetailSchema,
  type SharedView,
  sharedSchema,
} from '../../contract/images.ts';
import { bytes } from '../../words/quantity.ts';
import { at } from '../api.ts';
import { type Html, html } from '../html.ts';
import { IMAGE_KINDS } from '../images/kinds.ts';
import { layerBar } from '../images/layer-bar.ts';
import { layerTable } from '../images/layer-table.ts';
import { removePath } from '../images/remove.ts';
import { sharedStrips } from '../images/shared-strips.ts';
import { hostsLink, imagePath, nameOf } from '../images/words.ts';
import { badge } from '../parts/badge.ts';
import { facts, live, section } from '../parts/facts.ts';
import { moment } from '../parts/time.ts';
import type { Site } from '../site.ts';
import type { Visit } from '../visit.ts';

/** One image: what it is, where it runs, how it is layered, and what it shares with which other. */
export function addImage({ look }: Site): void {
  look('/images/:image', async (visit) => {
    const { api, page, refusal, param, c } = visit;
    const image = param('image');
    const told = await api.get(at`/api/v1/images/${image}`, imageDetailSchema);
    if (!told.ok) return refusal(told);
    const { digest, kind, damaged } = told.value;
    // One page of an image, under whichever name it was asked for: a name may move on.
    if (image !== digest) return c.redirect(imagePath(digest), 303);
    const shared = kind === 'os' ? await api.get(at`/api/v1/images/${digest}/shared`, sharedSchema) : null;
    return page({
      title: nameOf(told.value),
      heading: html`${nameOf(told.value)} <span data-live="state">${damaged ? badge('damaged', 'bad') : badge('whole', 'good')}</span>`,
      actions: actions(visit, told.value),
      body: html`${live('damage', damaged && DAMAGED)}
<div class="grid">${section('facts', 'What it is', live('facts', imageFacts(told.value)))}
${section('tags', 'Tags', live('tags', tagList(visit, told.value)))}</div>
${kind === 'os' && section('layers', 'Layers', live('layers', layers(told.value, shared?.ok ? shared.value : null)))}
${shared !== null && section('shared', 'Shared with other images, on the same scale', live('shared', shared.ok ? sharedStrips(told.value, shared.value) : html`<p class="notice bad">${shared.detail}</p>`))}`,
      live: { events: { kind: IMAGE_KINDS } },
    });
  });
}

const DAMAGED = html`<p class="notice bad">A check found that it is not as it was stored, and hosts cannot fetch it. Build, import or push it again: what is damaged is replaced, and nothing else. Which file or chunk it was is told by <code>warmboot images verify</code>.</p>`;

function actions({ mayOperate }: Visit, { digest }: ImageDetailView): Html {
  return html`<a class="button" href="${at`/api/v1/images/${digest}/archive`}" download>Download</a> ${mayOperate && html`<a class="button danger" href="${removePath(digest)}">Remove…</a>`}`;
}

function imageFacts(image: ImageDetailView): Html {
  const { digest, kind, os, kernel, filesystem, filesystemBytes, dataBytes, chunks, append, createdAt } =
    image;
  return facts([
    ['Digest', html`<code>${digest}</code>`],
    ['Operating system', kind === 'installer' ? `${os}, as the installer` : os],
    ['Kernel', html`<code>${kernel}</code>`],
    ['Kernel arguments', append ? html`<code>${append}</code>` : null],
    ['Filesystem', filesystemBytes !== null && `${filesystem ?? ''} ${bytes(filesystemBytes)}`],
    [
      'To fetch',
      kind === 'os' &&
        `${bytes(dataBytes)} in ${chunks.toLocaleString('en')} chunks, by a host that has none of it`,
    ],
    ['Here since', moment(createdAt)],
    ['Hosts', kind === 'os' && hostsLink(image)],
  ]);
}

function tagList({ mayOperate }: Visit, { tags, digest }: ImageDetailView): Html {
  if (tags.length === 0)
    return html`<p class="nothing">None: it is here because a host, a build or an upload needs it.</p>`;
  return html`<ul class="lines">${tags.map(
    (tag) =>
      html`<li data-key="${tag}"><code>${tag}</code>${mayOperate && html` <a href="${removePath(digest, tag)}" aria-label="Remove the tag ${tag}">remove…</a>`}</li>`,
  )}</ul>`;
}

function layers({ layers: recorded, bytesBefore = 0 }: ImageDetailView, shared: SharedView | null): Html {
  if (recorded == null)
    return html`<p class="nothing">Not recorded: it came as a file or from another server, or was built before layers were written down. To build it again records them.</p>`;
  return html`<p class="quiet">The content of the partition to scale, its start at the left. ${bytesBefore > 0 && `Before the first layer lie ${bytes(bytesBefore)} of the filesystem itself.`}</p>
<div class="picture">${layerBar(recorded, bytesBefore)}</div>
${layerTable(recorded, shared)}`;
}
