import { bytes, percent } from '../../words/quantity.ts';
import { type Html, html } from '../html.ts';

/** How far a piece of work is. @param label what it is, for who does not see the bar */
export function progress(label: string, done: number, total: number): Html {
  const share = percent(done, total);
  return html`<span class="progress"><progress max="100" value="${share}" aria-label="${label}">${share}%</progress> <span class="figures">${bytes(done)} of ${bytes(total)} (${share}%)</span></span>`;
}
