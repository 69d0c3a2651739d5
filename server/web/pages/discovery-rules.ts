import { type PolicyView, policySchema } from '../../contract/discovery.ts';
import { statusSchema } from '../../contract/status.ts';
import type { Api, Problem } from '../api.ts';
import {
  actionText,
  conditionText,
  type Rule,
  type RuleWish,
  ruleOf,
  ruleWishOf,
  wishFrom,
  withoutRule,
  withRule,
} from '../discovery/rules.ts';
import { type Html, html, type Part } from '../html.ts';
import { count } from '../parts/amounts.ts';
import { confirm } from '../parts/confirm.ts';
import { live, section } from '../parts/facts.ts';
import { checkbox, field, hiddenField, select, textField } from '../parts/form.ts';
import { type Column, nothing, table } from '../parts/table.ts';
import type { Site } from '../site.ts';
import type { Sent, Visit } from '../visit.ts';

const PATH = '/api/v1/discovery';
const PAGE = '/discovery/rules';

/** The rules for machines that nobody has enrolled. An admin changes them; each change begins from the edition that was shown. */
export function addDiscoveryRules({ look, change }: Site): void {
  look(PAGE, async ({ api, mayAdminister, page, query, refusal }) => {
    const told = await api.get(PATH, policySchema);
    if (!told.ok) return refusal(told);
    const policy = told.value;
    const edited = policy.rules.find(({ name }) => name === query('edit'));
    const wish = edited ? wishFrom(edited) : ruleWishOf(() => '');
    return page({
      title: 'Discovery rules',
      actions: html`<a class="button" href="/discovery">Machines</a>`,
      live: { events: { kind: 'discovery-changed' } },
      body: html`${live('rules', [
        policy.rules.length === 0 ? nothing('There are no rules.') : ruleTable(policy, mayAdminister),
        html`<p>${endText(policy)}</p>`,
      ])}
${mayAdminister && html`<div class="grid">${section('rule', edited ? `Change the rule ${edited.name}` : 'Add a rule', ruleForm(wish))}${section('bounds', 'Where no rule fits, and bounds', boundsForm(policy))}</div>`}`,
    });
  });

  look(`${PAGE}/set`, async (visit) => {
    const wish = ruleWishOf(visit.query);
    const rule = ruleOf(wish);
    return review(visit, {
      title: `Set the rule ${rule.name}?`,
      deed: 'Set the rule',
      action: `${PAGE}/set`,
      what: html`<p>A machine with <strong>${conditionText(rule.match)}</strong>: ${actionText(rule)}.</p>
<p>The first rule that fits decides. ${wish.first === 'yes' ? 'This one stands before all others.' : 'One of this name is replaced in its place; a new one stands behind the others.'}</p>`,
      fields: Object.entries(wish).map(([name, value]) => hiddenField(name, value)),
    });
  });
  change(`${PAGE}/set`, (sent) => {
    const wish = ruleWishOf(sent.field);
    const rule = ruleOf(wish);
    const changed = (policy: PolicyView) => withRule(policy, rule, wish.first === 'yes');
    return edit(sent, changed, `The rule "${rule.name}" is set.`);
  });

  look(`${PAGE}/drop`, async (visit) => {
    const name = visit.query('name');
    return review(visit, {
      title: `Drop the rule ${name}?`,
      deed: 'Drop the rule',
      tone: 'danger',
      action: `${PAGE}/drop`,
      what: html`<p>The rule <strong>${name}</strong> decides on no machine any more. Who was enrolled by it stays.</p>`,
      fields: hiddenField('name', name),
    });
  });
  change(`${PAGE}/drop`, (sent) => {
    const name = sent.field('name');
    return edit(sent, (policy) => withoutRule(policy, name), `The rule "${name}" is gone.`);
  });

  look(`${PAGE}/bounds`, async (visit) => {
    const bounds = boundsOf(visit.query);
    return review(visit, {
      title: 'Set what is done where no rule fits?',
      deed: 'Set it',
      action: `${PAGE}/bounds`,
      what: html`<p>Where no rule fits, a machine ${bounds.otherwise === 'ignore' ? 'is ignored: it boots its disk, and is not listed' : 'waits for an operator'}. At most ${bounds.maxWaiting} wait; one that is not heard of for ${bounds.forgetAfterDays} days is forgotten.</p>`,
      fields: Object.entries(bounds).map(([name, value]) => hiddenField(name, String(value))),
    });
  });
  change(`${PAGE}/bounds`, (sent) =>
    edit(
      sent,
      (policy) => ({ ...policy, ...boundsOf(sent.field) }),
      'What is done where no rule fits is set.',
    ),
  );
}

type Review = {
  readonly title: string;
  readonly deed: string;
  readonly tone?: 'primary' | 'danger';
  readonly action: string;
  readonly what: Html;
  readonly fields: Part;
};

/** What a change will do, with the edition that it begins from. */
async function review(visit: Visit, { what, fields, title, ...rest }: Review): Promise<Response> {
  const [policy, status] = await Promise.all([
    visit.api.get(PATH, policySchema),
    visit.api.get('/api/v1/status', statusSchema),
  ]);
  if (!policy.ok) return visit.refusal(policy);
  const waiting = status.ok ? status.value.hosts.discovered : 0;
  return visit.page({
    title,
    body: confirm(visit, {
      ...rest,
      what: [
        what,
        html`<p>${waiting === 0 ? 'No machine waits now.' : `The rules decide at once on the ${count(waiting, 'machine that waits', 'machines that wait')}.`}</p>`,
      ],
      fields: [fields, hiddenField('edition', (policy.etag ?? '').replaceAll('"', ''))],
      back: PAGE,
      by: 'admin',
    }),
  });
}

async function edit(
  sent: Sent,
  changed: (policy: PolicyView) => PolicyView,
  text: string,
): Promise<Response> {
  const told = await put(sent.api, changed, sent.field('edition'));
  return told.ok ? sent.done(PAGE, { tone: 'good', text }) : sent.refusal(told);
}

async function put(
  api: Api,
  changed: (policy: PolicyView) => PolicyView,
  edition: string,
): Promise<{ readonly ok: true } | Problem> {
  const now = await api.get(PATH, policySchema);
  if (!now.ok) return now;
  return api.put(PATH, policySchema, { body: changed(now.value), revision: edition || 'unknown' });
}

function boundsOf(said: (name: string) => string) {
  return {
    otherwise: said('otherwise') as PolicyView['otherwise'],
    maxWaiting: Number(said('maxWaiting')),
    forgetAfterDays: Number(said('forgetAfterDays')),
  };
}

function endText({ rules, otherwise, maxWaiting, forgetAfterDays }: PolicyView): string {
  const what = otherwise === 'hold' ? 'a machine waits for an operator' : 'a machine is ignored';
  return `${rules.length > 0 ? 'Where no rule fits' : 'So'} ${what}. At most ${maxWaiting} wait; one that is not heard of for ${forgetAfterDays} days is forgotten.`;
}

function ruleTable({ rules }: PolicyView, mayAdminister: boolean): Html {
  const deeds: Column<Rule> = {
    head: html`<span class="unseen">Change</span>`,
    cell: ({ name }) =>
      html`<a href="${PAGE}?edit=${encodeURIComponent(name)}" aria-label="Change ${name}">Change</a> · <a href="${PAGE}/drop?name=${encodeURIComponent(name)}" aria-label="Drop ${name}">Drop</a>`,
  };
  return table(
    'Rules, in their order: the first that fits decides',
    [
      { head: 'Rule', names: true, cell: ({ name }: Rule) => name },
      { head: 'If', as: 'wide', cell: ({ match }) => conditionText(match) },
      { head: 'Then', as: 'wide', cell: actionText },
      ...(mayAdminister ? [deeds] : []),
    ],
    rules,
    ({ name }) => name,
  );
}

const ACTIONS = [
  { value: 'hold', label: 'wait for an operator' },
  { value: 'enrol', label: 'enrol at once' },
  { value: 'ignore', label: 'ignore' },
];

function ruleForm(wish: RuleWish): Html {
  const text = (name: keyof RuleWish, label: string, placeholder: string) =>
    textField(name, label, wish[name], html` placeholder="${placeholder}" size="22"`);
  return html`<form method="get" action="${PAGE}/set" class="stack">
${textField('name', 'Name', wish.name, html` required size="22"`)}
<fieldset><legend>If all of this fits; * stands for any characters</legend><div class="fields">
${text('vendor', 'Vendor', 'Dell*')}
${text('product', 'Product', 'PowerEdge*')}
${text('serials', 'Serials, of system or board', 'ABC123, DEF456')}
${text('subnet', 'Subnet', '10.1.0.0/16')}
${text('architecture', 'Architecture', 'x86_64')}
</div></fieldset>
${select('action', 'Then', ACTIONS, wish.action)}
<fieldset><legend>Only for a rule that enrols</legend><div class="fields">
${text('image', 'Image', 'none')}
${text('layout', 'Disk layout', 'two-slots')}
${text('profile', 'Profile', 'none')}
${text('labels', 'Labels', 'pool=web, rack=r1')}
</div></fieldset>
${checkbox('first', 'Before all other rules', wish.first === 'yes')}
<div class="buttons"><button class="primary">Show what would happen</button></div>
</form>`;
}

function boundsForm({ otherwise, maxWaiting, forgetAfterDays }: PolicyView): Html {
  const number = (name: string, label: string, value: number) =>
    field(
      name,
      label,
      html`<input id="f-${name}" name="${name}" type="number" min="1" required value="${value}">`,
    );
  return html`<form method="get" action="${PAGE}/bounds" class="stack">
${select(
  'otherwise',
  'Where no rule fits',
  ACTIONS.filter(({ value }) => value !== 'enrol'),
  otherwise,
)}
${number('maxWaiting', 'At most so many wait', maxWaiting)}
${number('forgetAfterDays', 'Forget one that was silent for so many days', forgetAfterDays)}
<div class="buttons"><button>Show what would happen</button></div>
</form>`;
}
