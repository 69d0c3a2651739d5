import type { ProfileView } from '../../contract/profiles.ts';
import { html, type Part } from '../html.ts';
import { checkbox, field, hiddenField, type Option, select, textField } from '../parts/form.ts';

/** What an operator says of machines that he lets in, as the fields of a form, and as the API takes it. */

export type Approval = {
  readonly image: string;
  readonly profile: string;
  readonly layout: string;
  readonly disk: string;
  /** `name=value`, with commas or line ends between. */
  readonly labels: string;
  readonly wipe: boolean;
};

const TEXTS = ['image', 'profile', 'layout', 'disk', 'labels'] as const;

export function approvalOf(said: (name: string) => string): Approval {
  const [image = '', profile = '', layout = '', disk = '', labels = ''] = TEXTS.map(said);
  return { image, profile, layout, disk, labels, wipe: said('wipe') === 'yes' };
}

export function bodyOf({ labels, wipe, ...texts }: Approval): object {
  const given = Object.entries(texts).filter(([, value]) => value !== '');
  return {
    ...Object.fromEntries(given),
    ...(labels !== '' && { labels: labelsOf(labels) }),
    ...(wipe && { wipe: true }),
  };
}

/** `rack=r1, spare` → `{ rack: 'r1', spare: '' }`. */
export function labelsOf(text: string): Record<string, string> {
  const pairs = text
    .split(/[,\n]/)
    .map((each) => each.trim())
    .filter((each) => each !== '')
    .map((each) => {
      const [name = '', ...value] = each.split('=');
      return [name.trim(), value.join('=').trim()] as const;
    });
  // What must be no label (`__proto__`) stays a pair, and the server says so.
  return Object.fromEntries(pairs);
}

export function hiddenApproval(approval: Approval): Part {
  return [
    TEXTS.filter((name) => approval[name] !== '').map((name) => hiddenField(name, approval[name])),
    approval.wipe && hiddenField('wipe', 'yes'),
  ];
}

export type Choices = {
  /** References of OS images. */
  readonly images: readonly string[];
  readonly profiles: readonly ProfileView[];
  readonly layouts: readonly string[];
};

export function approvalFields(approval: Approval, { images, profiles, layouts }: Choices): Part {
  const none = (label: string): Option => ({ value: '', label });
  return [
    select('image', 'Image', [none('none yet: it waits for one'), ...images], approval.image),
    textField('labels', 'Labels', approval.labels, html` size="40" placeholder="rack=r1, pool=web"`),
    html`<div class="fields">${select('profile', 'Profile', [none('none'), ...profiles.map(({ name }) => name)], approval.profile)}
${select('layout', 'Disk layout', [none('the usual one'), ...layouts], approval.layout)}
${field('disk', 'Disk', html`<input id="f-disk" name="disk" value="${approval.disk}" placeholder="smallest" autocomplete="off" spellcheck="false" size="28">`, 'smallest, first-empty, serial=…, wwn=… or path=/dev/…, each also with ,min=200GB or ,max=2TB')}</div>`,
    checkbox('wipe', 'The disk may hold foreign data, which is lost', approval.wipe),
  ];
}
