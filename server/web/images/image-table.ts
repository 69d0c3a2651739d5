import type { ImageView } from '../../contract/images.ts';
import { bytes } from '../../words/quantity.ts';
import { shortDigest } from '../hosts/image-names.ts';
import { type Html, html } from '../html.ts';
import { badge } from '../parts/badge.ts';
import { table } from '../parts/table.ts';
import { ago } from '../parts/time.ts';
import { hostsLink, imageLink } from './words.ts';

export function imageTable(images: readonly ImageView[], now: number): Html {
  return table(
    'Images, newest first',
    [
      { head: 'Image', cell: named, names: true },
      { head: 'Digest', cell: ({ digest }) => shortDigest(digest), as: 'code' },
      { head: 'OS', cell: ({ os, kind }) => (kind === 'installer' ? 'the installer' : os) },
      { head: 'Kernel', cell: ({ kernel }) => kernel, as: 'code' },
      {
        head: 'Filesystem',
        cell: ({ filesystemBytes }) => (filesystemBytes === null ? '' : bytes(filesystemBytes)),
        as: 'number',
      },
      {
        head: 'To fetch',
        cell: ({ dataBytes, kind }) => (kind === 'os' ? bytes(dataBytes) : ''),
        as: 'number',
      },
      { head: 'Hosts', cell: (image) => (image.kind === 'os' ? hostsLink(image) : '') },
      { head: 'Since', cell: ({ createdAt }) => ago(createdAt, now) },
      { head: 'State', cell: ({ damaged }) => (damaged ? badge('damaged', 'bad') : badge('whole', 'good')) },
    ],
    images,
    ({ digest }) => digest,
  );
}

function named(image: ImageView): Html {
  const [, ...more] = image.tags;
  return html`<span class="names">${imageLink(image)}${more.map((tag) => html` <span class="quiet">${tag}</span>`)}${image.tags.length === 0 && html` <span class="quiet">no tag</span>`}</span>`;
}
