import { nextSchema } from '../../contract/discovery.ts';
import { eventListSchema } from '../../contract/events.ts';
import { hostFileListSchema } from '../../contract/host-files.ts';
import { attemptListSchema, type HostView, hostDetailSchema } from '../../contract/hosts.ts';
import { layoutListSchema } from '../../contract/layouts.ts';
import { at, type Problem, queryText } from '../api.ts';
import { everyPage } from '../every-page.ts';
import { type AttemptView, attemptFacts, attemptTable, timeline } from '../host/attempt.ts';
import { addDeeds, deedLinks } from '../host/deed-pages.ts';
import { diskDrawing } from '../host/disk.ts';
import { fileTable } from '../host/files.ts';
import { hostEvents } from '../host/host-events.ts';
import { inventoryFacts, maker } from '../host/inventory.ts';
import { nextFacts } from '../host/next.ts';
import { settingFacts } from '../host/settings.ts';
import { imageNames } from '../hosts/image-names.ts';
import { hostPath } from '../hosts/words.ts';
import { type Html, html, type Part } from '../html.ts';
import { count } from '../parts/amounts.ts';
import { badge } from '../parts/badge.ts';
import { live, section } from '../parts/facts.ts';
import { nothing } from '../parts/table.ts';
import type { Site } from '../site.ts';
import type { Visit } from '../visit.ts';

const EVENTS_SHOWN = 50;
const ATTEMPTS_SHOWN = 10;
/** Of one attempt. */
const STEPS_SHOWN = 500;
/** Bytes come without events. */
const WORKING_MS = 1_000;

/** One host: what is next and why, its disk, its attempts, what it said of itself, and what can be done with it. */
export function addHost(site: Site): void {
  addDeeds(site);
  site.look('/hosts/:mac', hostPage);
}

async function hostPage(visit: Visit): Promise<Response> {
  const { api, page, refusal, now, param, c, mayOperate } = visit;
  const mac = param('mac');
  const told = await api.get(at`/api/v1/hosts/${mac}`, hostDetailSchema);
  if (!told.ok) return refusal(told);
  const host = told.value;
  // One page of a host, whichever of its MACs was asked for.
  if (mac !== host.mac) return c.redirect(hostPath(host), 303);
  const { attempt, inventory } = host;
  const [next, attempts, events, steps, files, layouts, names] = await Promise.all([
    api.get(at`/api/v1/hosts/${mac}/next`, nextSchema),
    everyPage(api, at`/api/v1/hosts/${mac}/attempts`, attemptListSchema, {}, (list) => list.attempts),
    api.get('/api/v1/events', eventListSchema, { host: mac, limit: EVENTS_SHOWN }),
    attempt &&
      api.get('/api/v1/events', eventListSchema, { host: mac, attempt: attempt.id, limit: STEPS_SHOWN }),
    api.get(at`/api/v1/hosts/${mac}/files`, hostFileListSchema),
    api.get('/api/v1/layouts', layoutListSchema),
    imageNames(api, [host]),
  ]);
  const earlier = (attempts.ok ? attempts.value : []).filter(({ id }) => id !== attempt?.id).toReversed();
  const isWorking = attempt?.outcome === null && attempt.progress !== null;
  return page({
    title: `Host ${host.mac}`,
    heading: html`<span class="mac">${host.mac}</span> <span data-live="state">${badge(host.state)}</span>`,
    actions: mayOperate && html`<span data-live="deeds">${deedLinks(host)}</span>`,
    body: html`<div class="host-page"><div>
${part('next', 'Next', nextFacts(host, next.ok ? next.value : null, names, now))}
${part('disk', 'Disk', layouts.ok ? diskDrawing(host, layouts.value.layouts, names) : refused(layouts))}
${part('attempt', attempt?.outcome === null ? 'Attempt under way' : 'Last attempt', [
  attemptFacts(host, now),
  attempt && steps?.ok && timeline(attempt, steps.value.events),
])}
</div><div>
${part('settings', 'Settings', settingFacts(host, now), mayOperate && html`<a href="${hostPath(host, 'settings')}">Change…</a>`)}
${part('files', 'Files of its own', files.ok ? fileTable(host, files.value.files) : refused(files))}
</div></div>
${live('earlier', earlier.length > 0 && earlierAttempts(host, earlier, now))}
${part('inventory', 'Inventory', inventory ? html`<details id="all-inventory"><summary>${maker(inventory.system)}</summary>${inventoryFacts(inventory, now)}</details>` : nothing('It has not said what it is.'))}
${part('events', 'Events', events.ok ? hostEvents(events.value.events.toReversed()) : refused(events), html`<a href="/events${queryText({ host: mac })}">All of them</a>`)}`,
    live: { events: { host: mac }, everyMs: isWorking ? WORKING_MS : undefined },
  });
}

function part(id: string, heading: string, content: Part, actions: Part = null): Html {
  return live(id, section(id, heading, content, actions));
}

function refused({ detail }: Problem): Html {
  return html`<p class="notice bad">${detail}</p>`;
}

function earlierAttempts({ mac }: HostView, earlier: readonly AttemptView[], now: number): Html {
  const more = earlier.length - ATTEMPTS_SHOWN;
  return section('earlier', 'Earlier attempts', [
    attemptTable(earlier.slice(0, ATTEMPTS_SHOWN), now),
    more > 0 && html`<p class="quiet">and ${count(more, 'older one')}: <code>warmboot host ${mac}</code></p>`,
  ]);
}
