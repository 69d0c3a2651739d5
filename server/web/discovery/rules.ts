import type { PolicyView } from '../../contract/discovery.ts';
import { labelsOf } from './approval.ts';

/** Rules for machines that nobody has enrolled, as forms say them. */

export type Rule = PolicyView['rules'][number];

/** Fields of a form; '' is not given. */
export type RuleWish = Readonly<Record<(typeof FIELDS)[number], string>>;

const FIELDS = [
  'name',
  'vendor',
  'product',
  'serials',
  'subnet',
  'architecture',
  'action',
  'image',
  'layout',
  'profile',
  'labels',
  'first',
] as const;

export function ruleWishOf(field: (name: string) => string): RuleWish {
  return Object.fromEntries(FIELDS.map((name) => [name, field(name)])) as RuleWish;
}

/** A rule that is there, to be changed. */
export function wishFrom({ name, match, action, image, layout, profile, labels = {} }: Rule): RuleWish {
  return {
    name,
    vendor: match.vendor ?? '',
    product: match.product ?? '',
    serials: (match.serials ?? []).join(', '),
    subnet: match.subnet ?? '',
    architecture: match.architecture ?? '',
    action,
    image: image ?? '',
    layout: layout ?? '',
    profile: profile ?? '',
    labels: labelText(labels),
    first: '',
  };
}

/** What is wrong in it the server says. */
export function ruleOf({ name, serials, action, first, labels, ...wish }: RuleWish): Rule {
  const { vendor, product, subnet, architecture, ...given } = wish;
  return {
    name,
    match: {
      ...filled({ vendor, product, subnet, architecture }),
      ...(serials !== '' && { serials: serials.split(/[\s,]+/).filter((serial) => serial !== '') }),
    },
    action: action as Rule['action'],
    ...filled(given),
    ...(labels !== '' && { labels: labelsOf(labels) }),
  };
}

function filled(texts: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(texts).filter(([, value]) => value !== ''));
}

/** In the place of the one of its name, else after all others; `first`: before them. */
export function withRule(policy: PolicyView, rule: Rule, first: boolean): PolicyView {
  const at = policy.rules.findIndex(({ name }) => name === rule.name);
  if (at >= 0 && !first) return { ...policy, rules: policy.rules.with(at, rule) };
  const others = policy.rules.filter(({ name }) => name !== rule.name);
  return { ...policy, rules: first ? [rule, ...others] : [...others, rule] };
}

export function withoutRule(policy: PolicyView, name: string): PolicyView {
  return { ...policy, rules: policy.rules.filter((rule) => rule.name !== name) };
}

/** `vendor Dell*, subnet 10.1.0.0/16`. */
export function conditionText({ serials, ...match }: Rule['match']): string {
  const words = Object.entries(match).map(([what, value]) => `${what} ${value}`);
  if (serials) words.push(`serial ${serials.join(' or ')}`);
  return words.join(', ') || 'any machine';
}

/** `enrolled, for debian-13, with the labels pool=web`. */
export function actionText({ action, image, layout, profile, labels = {} }: Rule): string {
  if (action === 'hold') return 'it waits for an operator';
  if (action === 'ignore') return 'it is ignored: it boots its disk, and is not listed';
  const more = [
    image === undefined ? 'without an image' : `for ${image}`,
    layout !== undefined && `layout ${layout}`,
    profile !== undefined && `profile ${profile}`,
    Object.keys(labels).length > 0 && `labels ${labelText(labels)}`,
  ];
  return `it is enrolled at once, ${more.filter((text) => text !== false).join(', ')}`;
}

function labelText(labels: Readonly<Record<string, string>>): string {
  return Object.entries(labels)
    .map(([name, value]) => (value === '' ? name : `${name}=${value}`))
    .join(', ');
}
