import type { RolloutPlanView } from '../../contract/rollouts.ts';
import { type Html, html } from '../html.ts';
import { count } from '../parts/amounts.ts';
import { table } from '../parts/table.ts';
import { hostLink, namedImage } from './names.ts';
import { leftOutList } from './story.ts';

const NAMED = 100;

/** What a rollout would do, by the server's own plan: which host in which wave, and who is left out and why. */
export function planned({ image, hosts, maxUnavailableHosts, waves, leftOut }: RolloutPlanView): Html {
  const what = image === null ? 'what they ran before' : namedImage(image);
  return html`<p>${count(hosts, 'host')} to ${what}, at most ${maxUnavailableHosts} on the way at once.</p>
${table(
  'Waves of the plan',
  [
    { head: 'Wave', cell: ({ number }) => String(number), names: true },
    { head: 'Up to', cell: ({ upTo }) => String(upTo), as: 'number' },
    { head: 'Hosts', cell: ({ hosts: size }) => String(size), as: 'number' },
    { head: 'Which', cell: ({ macs }) => which(macs), as: 'wide' },
  ],
  waves.map((wave, at) => ({ ...wave, number: at + 1 })),
  ({ number }) => String(number),
)}
${leftOut.length > 0 && leftOutList(leftOut)}`;
}

function which(macs: readonly string[]): Html {
  const links = (some: readonly string[]) => some.map((mac) => html`${hostLink(mac)} `);
  if (macs.length <= 4) return html`${links(macs)}`;
  return html`<details><summary>${macs[0]} and ${macs.length - 1} more</summary>${links(macs.slice(0, NAMED))}${macs.length > NAMED && html`and ${macs.length - NAMED} more`}</details>`;
}
