import type { NextView } from '../../contract/discovery.ts';
import type { HostView } from '../../contract/hosts.ts';
import type { ImageNames } from '../hosts/image-names.ts';
import { running, wanted } from '../hosts/words.ts';
import { type Html, html } from '../html.ts';
import { facts } from '../parts/facts.ts';
import { ago } from '../parts/time.ts';

const BOOTS = {
  disk: 'its disk',
  installer: 'the installer, with the order to install',
  discovery: 'the installer, without an order',
} as const;

/** What a host is told now and why, what would change that, and what it shall run and runs. */
export function nextFacts(host: HostView, next: NextView | null, names: ImageNames, now: number): Html {
  const { action, reason, until, hint, slot } = next ?? host.next;
  const { wentBack, readOnly } = host.observation ?? {};
  return html`<p class="next"><strong>${action}${slot !== null && ` ${slot}`}</strong> ${reason}</p>
${hint !== null && html`<p class="notice warn">It does not hear of that: ${hint}</p>`}
${readOnly && html`<p class="notice warn">Its disk takes no writes any more: it runs as it is, and can take no other image. Replace the disk.</p>`}
${wentBack && html`<p class="notice warn">It went back by itself: ${wentBack}</p>`}
${facts([
  ['Until', until],
  ['OS wanted', wanted(host)],
  ['OS running', running(host, names)],
  ['At a netboot', next && html`gets ${BOOTS[next.boot.kind]}: ${next.boot.reason}`],
  ['By the rules', next?.discovery && `${next.discovery.action}: ${next.discovery.reason}`],
  ['Held', host.held],
  ['Seen', ago(host.lastSeen, now)],
  [
    'Said',
    host.observation && html`report ${host.observation.seq} of its boot, ${ago(host.observation.at, now)}`,
  ],
])}`;
}
