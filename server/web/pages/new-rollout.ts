import { begunRolloutSchema, rolloutPlanSchema } from '../../contract/rollouts.ts';
import { queryText } from '../api.ts';
import { imageSelect } from '../hosts/image-picker.ts';
import { courseBody, courseFields, courseHidden, courseOf } from '../hosts/rollout-fields.ts';
import { type Html, html } from '../html.ts';
import { count } from '../parts/amounts.ts';
import { confirm } from '../parts/confirm.ts';
import { field, hiddenField } from '../parts/form.ts';
import { pathOfRollout } from '../rollouts/names.ts';
import { planned } from '../rollouts/plan.ts';
import type { Site } from '../site.ts';
import type { Visit } from '../visit.ts';
import { beganNotice } from './rollout-deeds.ts';

const PATH = '/api/v1/rollouts';

/**
 * A new rollout of the hosts that a selector names; those that were ticked in the table of hosts have a page of their own. Other pages
 * lead here with `?image=REF&selector=…`.
 */
export function addNewRollout({ look, change }: Site): void {
  look('/rollouts/new', async (visit) => {
    const { c, query, queries } = visit;
    const image = query('to') || query('image');
    if (queries('mac').length > 0)
      return c.redirect(`/hosts/rollout${queryText({ who: 'ticked', mac: queries('mac'), to: image })}`, 303);
    return query('to') === '' ? formPage(visit, image) : planPage(visit, image);
  });

  change('/rollouts/new', async ({ api, done, field: said, once, refusal }) => {
    const course = courseBody(courseOf(said));
    if ('refused' in course) return refusal({ status: 422, detail: course.refused });
    // By its digest: what was shown is what is meant, wherever its tag went since.
    const body = { image: said('image'), selector: said('selector'), ...course.body };
    const told = await api.post(PATH, begunRolloutSchema, { body, once });
    return told.ok ? done(pathOfRollout(told.value.id), beganNotice(told.value)) : refusal(told);
  });
}

async function formPage(visit: Visit, image: string): Promise<Response> {
  return visit.page({ title: 'New rollout', body: await wishForm(visit, image) });
}

async function planPage(visit: Visit, image: string): Promise<Response> {
  const { api, page, query, refusal } = visit;
  const selector = query('selector');
  const course = courseOf(query);
  const asked = courseBody(course);
  const form = await wishForm(visit, image);
  const refused = (detail: string) =>
    page({
      title: 'New rollout',
      status: 422,
      body: html`<p class="notice bad" role="alert">${detail}</p>${form}`,
    });
  if ('refused' in asked) return refused(asked.refused);
  const body = { image, selector, ...asked.body };
  const plan = await api.post(`${PATH}?dryRun=true`, rolloutPlanSchema, { body });
  if (!plan.ok) return plan.status === 403 || plan.status >= 500 ? refusal(plan) : refused(plan.detail);
  const whom = selector === '' ? 'every approved host' : `hosts with the labels ${selector}`;
  return page({
    title: 'Start this rollout?',
    body: html`${confirm(visit, {
      action: '/rollouts/new',
      deed: `Start the rollout to ${count(plan.value.hosts, 'host')}`,
      what: [html`<p>For ${whom}.</p>`, planned(plan.value)],
      fields: [
        hiddenField('image', plan.value.image?.digest ?? image),
        hiddenField('selector', selector),
        courseHidden(course),
      ],
      back: '/rollouts',
    })}
<details class="change"><summary>Change it</summary>${form}</details>`,
  });
}

async function wishForm({ api, query }: Visit, image: string): Promise<Html> {
  const selector = html`<input id="f-selector" name="selector" value="${query('selector')}" autocomplete="off" spellcheck="false" size="40" placeholder="pool=web, rack in (r1, r2), !spare">`;
  return html`<form method="get" action="/rollouts/new" class="stack card">
${field('selector', 'Hosts with these labels', selector, 'empty: every approved host')}
${await imageSelect(api, image)}
${courseFields(courseOf(query))}
<div class="buttons"><button class="primary">Show what would happen</button> <a href="/rollouts">Leave it</a></div>
</form>`;
}
