import type { ProfileView } from '../../contract/profiles.ts';
import { duration } from '../../words/quantity.ts';
import { type Html, html, type Part } from '../html.ts';
import { field, type Option, select } from '../parts/form.ts';

/** What a profile says for its hosts, as fields of a form; '' is what it does not say. */
export type Settings = Readonly<Record<Name, string>>;
type Name = (typeof NAMES)[number];
const NAMES = ['layout', 'disk', 'append', 'switch', 'trialSeconds', 'rate', 'readBack'] as const;

export const WORDS: Readonly<Record<Name, string>> = {
  layout: 'Disk layout',
  disk: 'Disk',
  append: 'Kernel arguments',
  switch: 'Switches by',
  trialSeconds: 'Trial',
  rate: 'Staging rate',
  readBack: 'Read-back',
};

export function settingsOf(said: (name: string) => string): Settings {
  return Object.fromEntries(NAMES.map((name) => [name, said(name)])) as Settings;
}

export function settingsFrom(profile: ProfileView): Settings {
  const texts = Object.fromEntries(NAMES.map((name) => [name, String(profile[name] ?? '')])) as Settings;
  return { ...texts, rate: profile.rate === null ? '' : rateText(profile.rate) };
}

/** `20MiB` where it is whole. */
function rateText(rate: number): string {
  const unit = [...UNITS].reverse().find(([, size]) => rate % size === 0);
  return unit ? `${rate / unit[1]}${unit[0]}` : String(rate);
}

/** @returns NaN for what is none, which the server refuses */
function rateOf(text: string): number {
  const [, number = '', unit = ''] = /^(\d{1,15})\s*([KMG]iB)?$/.exec(text) ?? [];
  return number === '' ? Number.NaN : Number(number) * (UNITS.get(unit) ?? 1);
}

const UNITS = new Map([
  ['KiB', 1024],
  ['MiB', 1024 ** 2],
  ['GiB', 1024 ** 3],
]);

/** The body of `PUT /api/v1/profiles/NAME`: what it does not say is left out. */
export function bodyOf(settings: Settings): object {
  const { trialSeconds, rate, readBack, ...texts } = settings;
  return {
    ...Object.fromEntries(Object.entries(texts).filter(([, value]) => value !== '')),
    ...(trialSeconds !== '' && { trialSeconds: Number(trialSeconds) }),
    ...(rate !== '' && { rate: rateOf(rate) }),
    ...(readBack !== '' && { readBack: readBack === 'true' }),
  };
}

/** Each setting that differs, with what it was and what it becomes. */
export function differences(
  before: Settings,
  after: Settings,
): readonly { readonly name: Name; readonly from: string; readonly to: string }[] {
  return NAMES.filter((name) => before[name] !== after[name]).map((name) => ({
    name,
    from: before[name],
    to: after[name],
  }));
}

/** As people read it. */
export function shown(name: Name, value: string): Part {
  if (value === '') return html`<span class="quiet">does not say</span>`;
  const number = Number(value);
  if (name === 'trialSeconds' && Number.isFinite(number)) return duration(number * 1000);
  if (name === 'rate') return `${value}/s`;
  if (name === 'readBack') return value === 'true' ? 'yes' : 'no';
  return name === 'append' ? html`<code>${value}</code>` : value;
}

/** @param layouts that there are */
export function settingsFields(settings: Settings, layouts: readonly string[]): Html {
  const none: Option = { value: '', label: 'does not say' };
  const text = (name: Name, placeholder: string, help: Part = null, type = 'text') =>
    field(
      name,
      WORDS[name],
      html`<input id="f-${name}" name="${name}" value="${settings[name]}" type="${type}" placeholder="${placeholder}" autocomplete="off" spellcheck="false" size="30">`,
      help,
    );
  return html`<div class="fields">
${select('layout', WORDS.layout, [none, ...layouts], settings.layout)}
${text('disk', 'smallest', 'smallest, first-empty, serial=…, wwn=… or path=/dev/…, each also with ,min=200GB or ,max=2TB')}
${select('switch', WORDS.switch, [none, 'kexec', 'reboot'], settings.switch)}
${text('append', 'console=ttyS1,115200', "after the image's own")}
${text('trialSeconds', '600', 'seconds that an image may take to prove itself', 'number')}
${text('rate', 'no limit', 'what staging may take of the network in a second, such as 20MiB')}
${select('readBack', 'Read back what was written', [none, { value: 'true', label: 'yes' }, { value: 'false', label: 'no: the disks are beyond doubt, and the time counts' }], settings.readBack)}
</div>`;
}
