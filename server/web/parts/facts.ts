import { type Html, html, type Part } from '../html.ts';

/** Names with their values, as a list of two columns; what is null or false is left out. */
export function facts(pairs: readonly (readonly [name: string, value: Part])[]): Html {
  const said = pairs.filter(([, value]) => value !== null && value !== false && value !== undefined);
  return html`<dl class="facts">${said.map(([name, value]) => html`<div><dt>${name}</dt><dd>${value}</dd></div>`)}</dl>`;
}

/** A part of a page that is replaced when it changed. @param id unique on its page */
export function live(id: string, content: Part): Html {
  return html`<div data-live="${id}">${content}</div>`;
}

/** A part of a page with a heading of its own. @param id unique on its page */
export function section(id: string, heading: string, content: Part, actions: Part = null): Html {
  return html`<section class="card" aria-labelledby="h-${id}"><div class="heading"><h2 id="h-${id}">${heading}</h2>${actions && html`<div class="actions">${actions}</div>`}</div>
${content}</section>`;
}
