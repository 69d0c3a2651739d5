import { randomUUID } from 'node:crypto';
import { type Html, html, type Part } from '../html.ts';
import type { Visit } from '../visit.ts';

/** A form that changes something: carries the session's token, and a number so that two clicks are one. */
export function form(
  { formToken }: Pick<Visit, 'formToken'>,
  action: string,
  content: Part,
  className = '',
): Html {
  return html`<form method="post" action="${action}"${className !== '' && html` class="${className}"`}><input type="hidden" name="form" value="${formToken}"><input type="hidden" name="once" value="${randomUUID()}">${content}</form>`;
}

/** A form that is one button. */
export function button(
  visit: Pick<Visit, 'formToken'>,
  action: string,
  label: string,
  {
    tone = '',
    hidden = {},
  }: { tone?: 'primary' | 'danger' | ''; hidden?: Readonly<Record<string, string>> } = {},
): Html {
  const fields = Object.entries(hidden).map(([name, value]) => hiddenField(name, value));
  return form(visit, action, [fields, html`<button class="${tone}">${label}</button>`], 'inline');
}

export function hiddenField(name: string, value: string): Html {
  return html`<input type="hidden" name="${name}" value="${value}">`;
}

export type Option = { readonly value: string; readonly label: string };

/** A list to choose from, with its label. */
export function select(
  name: string,
  label: string,
  options: readonly (string | Option)[],
  chosen: string,
): Html {
  const each = options.map((option) =>
    typeof option === 'string' ? { value: option, label: option } : option,
  );
  return field(
    name,
    label,
    html`<select id="f-${name}" name="${name}">${each.map(
      (option) =>
        html`<option value="${option.value}"${option.value === chosen && html` selected`}>${option.label}</option>`,
    )}</select>`,
  );
}

/** A line to write, with its label. @param attributes such as html` required placeholder="rack=r1"` */
export function textField(name: string, label: string, value: string, attributes: Part = ''): Html {
  return field(
    name,
    label,
    html`<input id="f-${name}" name="${name}" value="${value}" autocomplete="off" spellcheck="false"${attributes}>`,
  );
}

export function checkbox(name: string, label: Part, isOn = false, value = 'yes'): Html {
  return html`<label class="check"><input type="checkbox" name="${name}" value="${value}"${isOn && html` checked`}> <span>${label}</span></label>`;
}

/** @param control has the id `f-NAME` @param help below it */
export function field(name: string, label: string, control: Html, help: Part = null): Html {
  return html`<div class="field"><label for="f-${name}">${label}</label>${control}${help && html`<small>${help}</small>`}</div>`;
}

/** Filters of a list: a GET form, so that the address says what is shown. @param isSet whether there is something to clear */
export function filterForm(path: string, fields: Part, isSet: boolean): Html {
  return html`<form method="get" action="${path}" class="filter" role="search" aria-label="Filter">${fields}<div class="buttons"><button>Show</button>${isSet && html` <a href="${path}">Clear</a>`}</div></form>`;
}
