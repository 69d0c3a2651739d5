import { hostSchema } from '../../contract/hosts.ts';
import { at } from '../api.ts';
import { html } from '../html.ts';
import { count } from '../parts/amounts.ts';
import { confirm } from '../parts/confirm.ts';
import { hiddenField, textField } from '../parts/form.ts';
import type { Site } from '../site.ts';
import type { Visit } from '../visit.ts';
import { type Choice, choiceOf, frozen, thaw } from './choice.ts';
import { type Group, grouped, groupList } from './groups.ts';
import { inTurns, type Outcomes } from './outcomes.ts';

/** A label set for all chosen hosts, or taken away from them. */
export function addLabelMany({ look, change }: Site, outcomes: Outcomes, perPage: number): void {
  look('/hosts/label', async (visit) => {
    const choice = await choiceOf(visit, perPage);
    return 'hosts' in choice ? planPage(visit, choice) : visit.refusal(choice);
  });

  change('/hosts/label', async (sent) => {
    const [name, chosen] = [sent.field('name'), thaw(sent.field('hosts'))];
    if (name === '' || chosen.length === 0)
      return sent.refusal({ status: 422, detail: 'Choose hosts, and say which label.' });
    const value = sent.field('remove') === '' ? sent.field('value') : null;
    const text = value === null ? `${name} was taken away` : `${name}=${value} was set`;
    return outcomes.of(sent, `Label ${name}`, () =>
      inTurns(chosen, async ({ mac, revision }) => {
        const body = { labels: { [name]: value } };
        const told = await sent.api.patch(at`/api/v1/hosts/${mac}`, hostSchema, { body, revision });
        if (told.ok) return { mac, word: 'done', tone: 'good', text } as const;
        return told.status === 412
          ? ({ mac, word: 'changed meanwhile', tone: 'warn', text: told.detail } as const)
          : ({ mac, word: 'refused', tone: 'bad', text: told.detail } as const);
      }),
    );
  });
}

function planPage(visit: Visit, { hosts, words, gone, fields }: Choice): Response {
  const { query, page } = visit;
  const [name, value, isRemoval] = [query('name'), query('value'), query('remove') !== ''];
  const title = `Label ${count(hosts.length, 'host')}`;
  if (hosts.length === 0)
    return page({
      title,
      body: html`<p class="notice warn">No host is chosen. <a href="/hosts">Tick some</a>.</p>`,
    });
  const form = html`<p>${count(hosts.length, 'host')}, ${words}.${gone.length > 0 && html` There no more: ${gone.join(', ')}.`}</p>
<form method="get" action="/hosts/label" class="filter">${fields}${textField('name', 'Label', name, html` required maxlength="63" placeholder="rack"`)}${textField('value', 'Value', value, html` maxlength="63" placeholder="r1"`)}<div class="buttons"><button>Show what setting it does</button> <button name="remove" value="yes">Show what taking it away does</button></div></form>`;
  if (name === '') return page({ title, body: form });
  const has = (labels: Readonly<Record<string, string>>) =>
    Object.hasOwn(labels, name) ? labels[name] : undefined;
  const isDone = (labels: Readonly<Record<string, string>>) =>
    has(labels) === (isRemoval ? undefined : value);
  const affected = hosts.filter(({ labels }) => !isDone(labels));
  const groups: Group[] = [...grouped(affected, ({ labels }) => has(labels) ?? '\0')].map(([, those]) => {
    const before = has(those[0]?.labels ?? {});
    const from = before === undefined ? html`without it` : html`from <code>${name}=${before}</code>`;
    return {
      what: html`${from} to ${isRemoval ? 'none' : html`<code>${name}=${value}</code>`}`,
      hosts: those,
    };
  });
  const same = hosts.filter(({ labels }) => isDone(labels));
  const what = html`${groupList(groups)}${same.length > 0 && html`<h2>Stay as they are</h2>${groupList([{ what: isRemoval ? 'do not have it' : 'have it already', hosts: same }])}`}
<p class="quiet">Labels decide which hosts a selector, a mirror or a rollout that begins later means. Rollouts that have begun keep their hosts.</p>`;
  const hidden = [
    hiddenField('name', name),
    hiddenField('value', value),
    isRemoval && hiddenField('remove', 'yes'),
    frozen(affected),
  ];
  const deed = `${isRemoval ? 'Take it away from' : 'Set it for'} ${count(affected.length, 'host')}`;
  const asked = confirm(visit, { action: '/hosts/label', deed, what, fields: hidden, back: '/hosts' });
  return page({ title, body: html`${form}${affected.length > 0 ? asked : what}` });
}
