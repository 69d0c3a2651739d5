import type { HostView } from '../../contract/hosts.ts';
import { bytes, duration } from '../../words/quantity.ts';
import { labelText } from '../hosts/words.ts';
import { type Html, html, type Part } from '../html.ts';
import { facts } from '../parts/facts.ts';
import { ago } from '../parts/time.ts';

/** What operators say of a host, and where each setting comes from. */
export function settingFacts(host: HostView, now: number): Html {
  const { from } = host;
  const said = (name: keyof HostView['from'], value: Part): Html =>
    html`${value} <span class="quiet">${ORIGINS[from[name] ?? 'default']}</span>`;
  const labels = labelText(host.labels);
  return facts([
    ['MACs', host.macs.join(', ')],
    ['Enrolment', html`${host.enrolment}, ${ago(host.createdAt, now)}`],
    [
      'Labels',
      labels.length === 0
        ? html`<span class="quiet">none</span>`
        : labels.map((label) => html`<span class="label">${label}</span> `),
    ],
    ['Profile', host.profile ?? html`<span class="quiet">none</span>`],
    ['Layout', said('layout', host.layout)],
    ['Disk rule', said('disk', host.disk)],
    ['Jumps by', said('switch', host.switch)],
    [
      'Trial',
      said(
        'trialSeconds',
        host.trialSeconds === null ? "the server's own time" : duration(host.trialSeconds * 1000),
      ),
    ],
    ['Rate', said('rate', host.rate === null ? 'no limit' : `${bytes(host.rate)}/s while it stages`)],
    ['Read back', said('readBack', host.readBack === false ? 'no' : 'yes')],
    ['Arguments', said('append', host.append === '' ? 'none' : html`<code>${host.append}</code>`)],
    ['Token', host.claimed ? 'claimed: only this machine speaks for it' : 'none: nobody has claimed it'],
    ['Revision', host.revision],
  ]);
}

const ORIGINS = { own: '', profile: '(profile)', default: '(default)' } as const;
