import type { BuildView } from '../../contract/builds.ts';
import { type Html, html } from '../html.ts';
import { count } from '../parts/amounts.ts';
import { badge, shape } from '../parts/badge.ts';
import { table } from '../parts/table.ts';

type Checks = NonNullable<BuildView['checks']>;

/** What the checks found: what failed with the line to add first, then what passed. */
export function checkReport({ failed, passed }: Checks): Html {
  return html`${failed.length > 0 && failures(failed)}
<h3>${count(passed.length, 'check')} passed</h3>
<ul class="passed">${passed.map((name) => html`<li>${shape('good')} <code>${name}</code></li>`)}</ul>`;
}

function failures(failed: Checks['failed']): Html {
  const lines = [...new Set(failed.map(({ line }) => line))];
  return html`<h3>${count(failed.length, 'check')} failed</h3>
${table(
  'Checks that failed',
  [
    { head: 'Check', cell: ({ check }: Checks['failed'][number]) => badge(check, 'bad'), names: true },
    { head: 'Why', cell: ({ message }) => `${message}.`, as: 'wide' },
    { head: 'Add to the Dockerfile', cell: ({ line }) => html`<code>${line}</code>`, as: 'wide' },
  ],
  failed,
  ({ check, message }) => `${check} ${message}`,
)}
<p>All lines together, to be added at the end of the Dockerfile:</p>
<pre tabindex="0" aria-label="Lines to add">${lines.join('\n')}</pre>`;
}
