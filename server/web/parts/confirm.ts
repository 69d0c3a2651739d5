import { type Html, html, type Part } from '../html.ts';
import type { Visit } from '../visit.ts';
import { form } from './form.ts';

export type Confirmation = {
  /** Where the form goes. */
  readonly action: string;
  /** What the button says: the deed itself, never "OK". */
  readonly deed: string;
  readonly tone?: 'primary' | 'danger';
  /** What will happen, spelled out: which hosts, from what to what, what is left alone and why. */
  readonly what: Part;
  /** Hidden fields, and what else is asked before. */
  readonly fields?: Part;
  /** Where "Leave it" leads. */
  readonly back: string;
  /** Who may do it; `operator` unless said. */
  readonly by?: 'operator' | 'admin';
};

/** The body of a page that stands before a change that is wide or cannot be taken back. */
export function confirm(
  visit: Visit,
  { action, deed, tone = 'primary', what, fields, back, by = 'operator' }: Confirmation,
): Html {
  const deeds = (by === 'admin' ? visit.mayAdminister : visit.mayOperate)
    ? form(
        visit,
        action,
        html`${fields}<div class="buttons"><button class="${tone}">${deed}</button> <a href="${back}">Leave it</a></div>`,
      )
    : html`<p class="notice warn">${whoDoes(visit, by)} <a href="${back}">Back</a></p>`;
  return html`<section class="confirm ${tone}" aria-label="What will happen">
<div class="what">${what}</div>
${deeds}
</section>`;
}

function whoDoes({ session }: Visit, by: 'operator' | 'admin'): string {
  const role = `You are logged in with a token of role ${session.role}`;
  if (by === 'admin') return `${role}. An admin does this.`;
  return `${role}, which only looks. An operator does this.`;
}
