import { type Html, html } from '../html.ts';
import { hiddenField } from '../parts/form.ts';
import { filterFields, type HostFilter, isFiltered } from './filter.ts';
import { CHOSEN } from './host-table.ts';

export type Shown = {
  readonly filter: HostFilter;
  readonly cursor: string;
  readonly shown: number;
  /** How many hosts fit in all; null: that is counted when it is asked for. */
  readonly all: number | null;
};

/**
 * What can be done with many hosts. It only asks for a page that spells out what would happen, so it is a GET form; who is meant stands
 * in its address: the ticked ones, or those of this page, or all that fit the filter.
 */
export function chosenBar({ filter, cursor, shown, all }: Shown): Html {
  const everyone =
    all === null
      ? 'all that fit the filter'
      : `${isFiltered(filter) ? 'all that fit the filter' : 'all'} (${all.toLocaleString('en')})`;
  return html`<form method="get" action="/hosts/assign" id="${CHOSEN}" class="chosen" aria-label="Do something with hosts">
${filterFields(filter)}${cursor !== '' && hiddenField('cursor', cursor)}
<fieldset><legend>With</legend>
<label class="check"><input type="radio" name="who" value="ticked" checked> <span>the ticked <output data-ticked></output></span></label>
<label class="check"><input type="radio" name="who" value="page"> <span>this page (${shown})</span></label>
<label class="check"><input type="radio" name="who" value="all"> <span>${everyone}</span></label>
</fieldset>
<div class="buttons"><button>Assign image…</button> <button formaction="/hosts/rollout">Start rollout…</button> <button formaction="/hosts/label">Label…</button></div>
</form>`;
}
