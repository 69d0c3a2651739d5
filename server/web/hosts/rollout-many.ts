import type { HostView } from '../../contract/hosts.ts';
import { type ImageView, imageSchema } from '../../contract/images.ts';
import { begunRolloutSchema, type RolloutPlanView, rolloutPlanSchema } from '../../contract/rollouts.ts';
import { at } from '../api.ts';
import { type Html, html } from '../html.ts';
import { count } from '../parts/amounts.ts';
import { confirm } from '../parts/confirm.ts';
import { hiddenField } from '../parts/form.ts';
import { table } from '../parts/table.ts';
import type { Site } from '../site.ts';
import type { Visit } from '../visit.ts';
import { type Choice, choiceOf, frozen, thaw } from './choice.ts';
import { grouped, groupList } from './groups.ts';
import { type ImageNames, imageLink, imageNames } from './image-names.ts';
import { imageSelect } from './image-picker.ts';
import { courseBody, courseFields, courseHidden, courseOf } from './rollout-fields.ts';

const PATH = '/api/v1/rollouts';

/** An image for all chosen hosts, in waves: first what it would do, by the API's dry run, then the rollout itself. */
export function addRolloutMany({ look, change }: Site, perPage: number): void {
  look('/hosts/rollout', async (visit) => {
    const choice = await choiceOf(visit, perPage);
    return 'hosts' in choice ? planPage(visit, choice) : visit.refusal(choice);
  });

  change('/hosts/rollout', async (sent) => {
    const [ref, digest] = [sent.field('image'), sent.field('digest')];
    const macs = thaw(sent.field('hosts')).map(({ mac }) => mac);
    const course = courseBody(courseOf(sent.field));
    if ('refused' in course) return sent.refusal({ status: 422, detail: course.refused });
    const image = await sent.api.get(at`/api/v1/images/${ref}`, imageSchema);
    if (!image.ok) return sent.refusal(image);
    if (image.value.digest !== digest)
      return sent.refusal({
        status: 412,
        detail: `${ref} is another image by now than the one that was shown, and nothing was done. Choose it once more.`,
      });
    const body = { image: ref, macs, ...course.body };
    const told = await sent.api.post(PATH, begunRolloutSchema, { body, once: sent.once });
    if (!told.ok) return sent.refusal(told);
    const { id, hosts, leftOut } = told.value;
    const out = leftOut.length > 0 ? `, ${leftOut.length} left out` : '';
    return sent.done(`/rollouts/${id}`, {
      tone: 'good',
      text: `The rollout has begun: ${count(hosts, 'host')}${out}.`,
    });
  });
}

async function planPage(visit: Visit, choice: Choice): Promise<Response> {
  const { api, query, page } = visit;
  const { hosts, words, gone, fields } = choice;
  const title = `Start a rollout to ${count(hosts.length, 'host')}`;
  if (hosts.length === 0)
    return page({
      title,
      body: html`<p class="notice warn">No host is chosen. <a href="/hosts">Tick some</a>.</p>`,
    });
  const ref = query('to');
  const course = courseOf(query);
  const form = html`<p>${count(hosts.length, 'host')}, ${words}.${gone.length > 0 && html` There no more: ${gone.join(', ')}.`}</p>
<form method="get" action="/hosts/rollout" class="stack">${fields}${await imageSelect(api, ref)}${courseFields(course)}<div class="buttons"><button${ref === '' && html` class="primary"`}>Show what would happen</button> <a href="/hosts">Leave it</a></div></form>`;
  if (ref === '') return page({ title, body: form });
  const asked = courseBody(course);
  const refused = (detail: string) =>
    page({ title, status: 422, body: html`<p class="notice bad" role="alert">${detail}</p>${form}` });
  if ('refused' in asked) return refused(asked.refused);
  const body = { image: ref, macs: hosts.map(({ mac }) => mac), ...asked.body };
  const [image, plan, names] = await Promise.all([
    api.get(at`/api/v1/images/${ref}`, imageSchema),
    api.post(`${PATH}?dryRun=true`, rolloutPlanSchema, { body }),
    imageNames(api, hosts),
  ]);
  if (!image.ok) return refused(image.detail);
  if (!plan.ok) return refused(plan.detail);
  return page({
    title,
    body: html`${confirm(visit, {
      action: '/hosts/rollout',
      deed: `Start the rollout to ${count(plan.value.hosts, 'host')}`,
      what: planWords(hosts, ref, image.value, plan.value, names),
      fields: [
        hiddenField('image', ref),
        hiddenField('digest', image.value.digest),
        courseHidden(course),
        frozen(hosts),
      ],
      back: '/hosts',
    })}<details><summary>Change it</summary>${form}</details>`,
  });
}

type Wave = RolloutPlanView['waves'][number];

function planWords(
  hosts: readonly HostView[],
  ref: string,
  { digest }: ImageView,
  plan: RolloutPlanView,
  names: ImageNames,
): Html {
  const out = new Map(plan.leftOut.map(({ mac, reason }) => [mac, reason]));
  const taking = hosts.filter(({ mac }) => !out.has(mac));
  const runs = ({ observation: seen }: HostView) => (seen?.environment === 'os' ? seen.digest : null);
  const from = [...grouped(taking, (host) => runs(host) ?? '')].map(([before, those]) => ({
    what: fromWords(before, digest, those[0] as HostView, names),
    hosts: those,
  }));
  const alone = [
    ...grouped(
      hosts.filter(({ mac }) => out.has(mac)),
      ({ mac }) => out.get(mac) ?? '',
    ),
  ];
  return html`<p>To <strong>${imageLink(digest, ref)}</strong>, at most <strong>${plan.maxUnavailableHosts}</strong> on their way at once. The first waves get hosts that can prove something: who was not seen for long comes last, with who runs it already.</p>
${groupList(from)}
${table(
  'Waves',
  [
    { head: 'Wave', names: true, as: 'number', cell: ([number]: readonly [number, Wave]) => number },
    { head: 'Up to', as: 'number', cell: ([, { upTo }]) => String(upTo) },
    { head: 'Hosts', as: 'number', cell: ([, wave]) => wave.hosts },
    {
      head: 'Which',
      as: 'wide',
      cell: ([, { macs }]) =>
        macs.length > 6 ? `${macs.slice(0, 6).join(', ')} and ${macs.length - 6} more` : macs.join(', '),
    },
  ],
  plan.waves.map((wave, place) => [place + 1, wave] as const),
  ([number]) => String(number),
)}
${alone.length > 0 && html`<h2>Are left out</h2>${groupList(alone.map(([what, those]) => ({ what, hosts: those })))}`}`;
}

function fromWords(before: string, digest: string, host: HostView, names: ImageNames): Html {
  if (before === '') return html`without an OS of ours are installed when they netboot`;
  if (before === digest) return html`run it already`;
  return html`come from ${imageLink(before, names(before, host))}`;
}
