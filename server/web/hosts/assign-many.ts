import { type HostView, reassignedSchema } from '../../contract/hosts.ts';
import { type ImageView, imageSchema } from '../../contract/images.ts';
import { rolloutPlanSchema } from '../../contract/rollouts.ts';
import { type Api, at, type Problem } from '../api.ts';
import { type Html, html } from '../html.ts';
import { count } from '../parts/amounts.ts';
import { confirm } from '../parts/confirm.ts';
import { checkbox, hiddenField } from '../parts/form.ts';
import type { Site } from '../site.ts';
import type { Sent, Visit } from '../visit.ts';
import { type Choice, choiceOf, frozen, thaw } from './choice.ts';
import { type Group, grouped, groupList } from './groups.ts';
import { type ImageNames, imageLink, imageNames } from './image-names.ts';
import { imagePicker } from './image-picker.ts';
import { inTurns, type Outcome, type Outcomes } from './outcomes.ts';
import { isOpen } from './words.ts';

/** One order each; who has more hosts wants waves. */
const MOST_AT_ONCE = 1_000;

/** An image for all chosen hosts, at once. */
export function addAssignMany({ look, change }: Site, outcomes: Outcomes, perPage: number): void {
  look('/hosts/assign', async (visit) => {
    const choice = await choiceOf(visit, perPage);
    return 'hosts' in choice ? planPage(visit, choice) : visit.refusal(choice);
  });

  change('/hosts/assign', async (sent) => {
    const [ref, digest, chosen] = [sent.field('image'), sent.field('digest'), thaw(sent.field('hosts'))];
    if (chosen.length === 0 || chosen.length > MOST_AT_ONCE)
      return sent.refusal({ status: 422, detail: `Choose between 1 and ${MOST_AT_ONCE} hosts.` });
    const image = await sent.api.get(at`/api/v1/images/${ref}`, imageSchema);
    if (!image.ok) return sent.refusal(image);
    if (image.value.digest !== digest)
      return sent.refusal({
        status: 412,
        detail: `${ref} is another image by now than the one that was shown, and nothing was done. Choose it once more.`,
      });
    const body = { image: ref, ...(sent.field('fresh') !== '' && { fresh: true }) };
    return outcomes.of(sent, `Assigned ${ref}`, () =>
      inTurns(chosen, ({ mac, revision }) => assign(sent, mac, { body, revision })),
    );
  });
}

async function assign(
  { api }: Sent,
  mac: string,
  order: { readonly body: object; readonly revision: string },
): Promise<Outcome> {
  const told = await api.put(at`/api/v1/hosts/${mac}/os`, reassignedSchema, order);
  if (!told.ok) {
    const word = told.status === 412 ? 'changed meanwhile' : 'refused';
    return { mac, word, tone: told.status === 412 ? 'warn' : 'bad', text: told.detail };
  }
  const { attempt, reason, state } = told.value;
  // The attempt of before stands until a retry.
  if (state === 'failed' || state === 'rolled-back')
    return { mac, word: 'failed before', tone: 'warn', text: reason };
  return attempt === null
    ? { mac, word: 'runs it', tone: 'good', text: reason }
    : { mac, word: 'ordered', tone: 'moving', text: reason };
}

async function planPage(visit: Visit, choice: Choice): Promise<Response> {
  const { api, query, page } = visit;
  const ref = query('to');
  const isFresh = query('fresh') !== '';
  const title = `Assign an image to ${count(choice.hosts.length, 'host')}`;
  const picker = await imagePicker(api, {
    action: '/hosts/assign',
    chosen: ref,
    fields: choice.fields,
    more: checkbox('fresh', 'write the slot anew even if one holds the image', isFresh),
  });
  const head = html`<p>${count(choice.hosts.length, 'host')}, ${choice.words}.${choice.gone.length > 0 && html` There no more: ${choice.gone.join(', ')}.`}</p>${picker}`;
  if (choice.hosts.length === 0)
    return page({
      title,
      body: html`<p class="notice warn">No host is chosen. <a href="/hosts">Tick some</a>.</p>`,
    });
  if (choice.hosts.length > MOST_AT_ONCE)
    return page({
      title,
      body: html`<p class="notice warn">${count(choice.hosts.length, 'host')} are more than the ${MOST_AT_ONCE.toLocaleString('en')} that take an order at once. Start a rollout: it goes in waves, and pauses by itself when too much fails.</p>
<form method="get" action="/hosts/rollout">${choice.fields}<button class="primary">Start a rollout…</button></form>`,
    });
  if (ref === '') return page({ title, body: head });
  const image = await api.get(at`/api/v1/images/${ref}`, imageSchema);
  if (!image.ok)
    return page({
      title,
      status: 422,
      body: html`${head}<p class="notice bad" role="alert">${image.detail}</p>`,
    });
  const names = await imageNames(api, choice.hosts);
  const plan = await planOf(api, choice.hosts, ref, image.value, isFresh, names);
  const asked = confirm(visit, {
    action: '/hosts/assign',
    deed:
      plan.ordered.length === 0
        ? 'Assign all the same'
        : `Assign to ${count(plan.ordered.length, 'host')} now`,
    what: plan.words,
    fields: [
      hiddenField('image', ref),
      hiddenField('digest', image.value.digest),
      isFresh && hiddenField('fresh', 'yes'),
      frozen([...plan.ordered, ...plan.same]),
    ],
    back: '/hosts',
  });
  return page({
    title,
    body: html`${head}${plan.ordered.length + plan.same.length > 0 ? asked : plan.words}`,
  });
}

type Plan = {
  readonly ordered: readonly HostView[];
  /** Run it or are on their way: the order changes nothing but the name that it is known by. */
  readonly same: readonly HostView[];
  readonly words: Html;
};

/** Who gets an order, who needs none, who is left alone and why. The server says what it would leave out, and decides in the end. */
async function planOf(
  api: Api,
  hosts: readonly HostView[],
  ref: string,
  { digest }: ImageView,
  isFresh: boolean,
  names: ImageNames,
): Promise<Plan> {
  const leftOut = await refusals(api, hosts, ref, isFresh);
  const reasonOf = (host: HostView) => ('byMac' in leftOut ? (leftOut.byMac.get(host.mac) ?? null) : null);
  const kind = (host: HostView): 'alone' | 'runs' | 'moving' | 'failed' | 'order' => {
    if (host.enrolment !== 'approved' || reasonOf(host) !== null) return 'alone';
    if (isFresh) return 'order';
    if (isOpen(host)) return host.attempt?.digest === digest ? 'moving' : 'order';
    if (host.observation?.environment === 'os' && host.observation.digest === digest) return 'runs';
    return host.attempt?.digest === digest && hasFailed(host) ? 'failed' : 'order';
  };
  const kinds = grouped(hosts, kind);
  const ordered = kinds.get('order') ?? [];
  const groups: Group[] = [...grouped(ordered, (host) => fromKey(host))].map(([, those]) => ({
    what: fromWords(those[0] as HostView, names, html`<strong>${imageLink(digest, ref)}</strong>`),
    hosts: those,
  }));
  const runs = kinds.get('runs') ?? [];
  const moving = kinds.get('moving') ?? [];
  const failed = kinds.get('failed') ?? [];
  const alone = [
    ...grouped(kinds.get('alone') ?? [], (host) => reasonOf(host) ?? ALONE[host.enrolment] ?? ''),
  ];
  return {
    ordered,
    same: [...runs, ...moving],
    words: html`${groups.length > 0 && html`<h2>Get the order</h2>${groupList(groups)}<p class="quiet">A host that runs one of our images writes the new one into a free slot while it works, then jumps into it for a trial and comes back by itself if that fails. One without is installed when it netboots.</p>`}
${runs.length > 0 && html`<h2>Run it already</h2>${groupList([{ what: 'stay as they are', hosts: runs }])}`}
${moving.length > 0 && html`<h2>Are on their way to it</h2>${groupList([{ what: 'go on', hosts: moving }])}`}
${failed.length > 0 && html`<h2>Failed with it before</h2>${groupList([{ what: 'begin nothing: retry them once it is mended, or write the slot anew', hosts: failed }])}`}
${alone.length > 0 && html`<h2>Are left alone</h2>${groupList(alone.map(([reason, those]) => ({ what: reason, hosts: those })))}`}
${'detail' in leftOut && html`<p class="notice warn">${leftOut.detail}</p>`}`,
  };
}

const ALONE: Readonly<Record<HostView['enrolment'], string | null>> = {
  approved: null,
  discovered: 'waits for approval: approve it first',
  ignored: 'is ignored: approve it first',
  retired: 'is retired: approve it first',
};

function hasFailed({ attempt }: HostView): boolean {
  return attempt?.outcome === 'failed' || attempt?.outcome === 'rolled-back';
}

function fromKey(host: HostView): string {
  const { observation: seen, attempt } = host;
  const now = seen?.environment === 'os' ? (seen.digest ?? 'none') : 'bare';
  return [now, host.held !== null, isOpen(host) ? `${attempt?.digest} ${attempt?.rollout ?? ''}` : ''].join(
    ' ',
  );
}

function fromWords(host: HostView, names: ImageNames, to: Html): Html {
  const { observation: seen, attempt } = host;
  const from =
    seen?.environment === 'os' && seen.digest !== null
      ? html`from ${imageLink(seen.digest, names(seen.digest, host))}`
      : html`without an OS of ours`;
  const open = isOpen(host) && attempt !== null;
  return html`${from} to ${to}${open && html`; the order for ${attempt.image} that is under way ends${attempt.rollout && html`, and they leave rollout <a href="/rollouts/${attempt.rollout}">${attempt.rollout}</a>`}`}${host.held !== null && html`; held: the order waits until the host is resumed`}`;
}

type LeftOut = { readonly byMac: ReadonlyMap<string, string> } | Problem;

/** A rollout of all at once is asked about, not begun: it knows which hosts cannot take the image. */
async function refusals(
  api: Api,
  hosts: readonly HostView[],
  image: string,
  fresh: boolean,
): Promise<LeftOut> {
  const macs = hosts.map(({ mac }) => mac);
  const body = { image, macs, waves: ['100%'], ...(fresh && { fresh }) };
  const told = await api.post('/api/v1/rollouts?dryRun=true', rolloutPlanSchema, { body });
  // Who belongs to a rollout may be given another image all the same, and leaves it.
  if (!told.ok) return told.status === 409 ? { byMac: new Map() } : told;
  return { byMac: new Map(told.value.leftOut.map(({ mac, reason }) => [mac, reason])) };
}
