import { type ImageView, imageListSchema } from '../../contract/images.ts';
import type { Api } from '../api.ts';
import { everyPage } from '../every-page.ts';
import { type Html, html, type Part } from '../html.ts';
import { field } from '../parts/form.ts';
import { shortDigest } from './image-names.ts';

type Picker = {
  readonly action: string;
  /** '' for none so far. */
  readonly chosen: string;
  readonly fields?: Part;
  readonly more?: Part;
};

/** Step one of an assignment: which image. A GET form, so that the plan that follows has an address. */
export async function imagePicker(api: Api, { action, chosen, fields, more }: Picker): Promise<Html> {
  const select = await imageSelect(api, chosen);
  return html`<form method="get" action="${action}" class="filter">${fields}${select}${more}<div class="buttons"><button${chosen === '' && html` class="primary"`}>Show what would happen</button></div></form>`;
}

/** OS images by their tags, the newest first; those without a tag by their digest. @param none what '' means; left out: one has to be chosen */
export async function imageSelect(api: Api, chosen: string, none?: string): Promise<Html> {
  const told = await everyPage(api, '/api/v1/images', imageListSchema, {}, ({ images }) => images);
  if (!told.ok) return html`<p class="notice bad" role="alert">${told.detail}</p>`;
  const images = told.value.filter(({ kind }) => kind === 'os').toReversed();
  const options = images.flatMap(optionsOf);
  const isThere = options.some(({ value }) => value === chosen);
  const first =
    none === undefined
      ? html`<option value="" disabled${chosen === '' && html` selected`}>choose one</option>`
      : html`<option value="">${none}</option>`;
  return field(
    'to',
    'Image',
    html`<select id="f-to" name="to"${none === undefined && html` required`}>${first}${!isThere && chosen !== '' && html`<option selected>${chosen}</option>`}${options.map(
      ({ value, label }) =>
        html`<option value="${value}"${value === chosen && html` selected`}>${label}</option>`,
    )}</select>`,
    images.length === 0 && 'There are no images. Build one on the page Images.',
  );
}

function optionsOf({ digest, tags, os, damaged }: ImageView) {
  const about = `${os}${damaged ? ', damaged' : ''}`;
  const short = shortDigest(digest);
  if (tags.length === 0) return [{ value: digest, label: `${short} (${about}, no tag)` }];
  return tags.map((tag) => ({ value: tag, label: `${tag} ${short} (${about})` }));
}
