import type { HostView } from '../../contract/hosts.ts';
import { type Html, html } from '../html.ts';
import { field } from '../parts/form.ts';

/** Labels as people write them: a line each, `NAME=VALUE`, or the name alone. */

export function labelLines(labels: HostView['labels']): string {
  return Object.entries(labels)
    .map(([name, value]) => (value === '' ? name : `${name}=${value}`))
    .join('\n');
}

export function labelsField(lines: string): Html {
  return field(
    'labels',
    'Labels',
    html`<textarea id="f-labels" name="labels" rows="${Math.min(12, Math.max(3, lines.split('\n').length + 1))}" spellcheck="false" placeholder="rack=r1">${lines}</textarea>`,
    'one a line: NAME=VALUE',
  );
}

export function parseLabels(
  text: string,
): { readonly labels: Readonly<Record<string, string>> } | { readonly refused: string } {
  const pairs: [string, string][] = [];
  for (const line of text.split('\n').map((each) => each.trim())) {
    if (line === '') continue;
    const [name = '', ...rest] = line.split('=');
    if (name.trim() === '')
      return { refused: `"${line.slice(0, 80)}" is no label. Write NAME=VALUE, one a line.` };
    if (pairs.some(([known]) => known === name.trim()))
      return { refused: `The label ${name.trim().slice(0, 80)} is there twice. Leave one away.` };
    pairs.push([name.trim(), rest.join('=').trim()]);
  }
  return { labels: Object.fromEntries(pairs) };
}

/** What has to change, as RFC 7396 has it: null takes a label away. */
export function labelChanges(
  before: HostView['labels'],
  after: Readonly<Record<string, string>>,
): Record<string, string | null> {
  const gone = Object.keys(before).filter((name) => !Object.hasOwn(after, name));
  const set = Object.entries(after).filter(([name, value]) => before[name] !== value);
  return Object.fromEntries([...gone.map((name) => [name, null] as const), ...set]);
}
