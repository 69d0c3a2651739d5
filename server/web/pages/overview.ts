import { eventListSchema } from '../../contract/events.ts';
import { hostListSchema } from '../../contract/hosts.ts';
import { imageListSchema } from '../../contract/images.ts';
import { statusSchema } from '../../contract/status.ts';
import { everyPage } from '../every-page.ts';
import { html } from '../html.ts';
import {
  damagedImages,
  failureList,
  hostCounts,
  isFailure,
  rolloutList,
  serverFacts,
  troubleList,
  waitingList,
} from '../overview/parts.ts';
import { live, section } from '../parts/facts.ts';
import type { Site } from '../site.ts';

const FAILURES_SHOWN = 8;
const WAITING_SHOWN = 5;

/** How the fleet is, at one look; everything leads to the page that says more. */
export function addOverview({ look }: Site): void {
  look('/', async ({ api, page, refusal, now }) => {
    const [told, ended, waiting, images] = await Promise.all([
      api.get('/api/v1/status', statusSchema),
      api.get('/api/v1/events', eventListSchema, { kind: 'attempt-ended', limit: 200 }),
      api.get('/api/v1/hosts', hostListSchema, { state: 'discovered', limit: WAITING_SHOWN }),
      everyPage(api, '/api/v1/images', imageListSchema, {}, (list) => list.images),
    ]);
    if (!told.ok) return refusal(told);
    const { hosts, rollouts } = told.value;
    const failures = ended.ok ? ended.value.events.filter(isFailure).slice(-FAILURES_SHOWN).reverse() : [];
    const damaged = images.ok ? images.value.filter((image) => image.damaged) : [];
    return page({
      title: 'Overview',
      live: {},
      body: html`${live('troubles', [troubleList(told.value), damagedImages(damaged)])}
${live('states', section('states', 'Hosts', hostCounts(hosts)))}
<div class="grid halves">
${live('rollouts', section('rollouts', 'Rollouts under way', rolloutList(rollouts)))}
${live('waiting', section('waiting', 'Machines that wait for approval', waitingList(waiting.ok ? waiting.value.hosts : [], hosts.discovered, now)))}
${live('failures', section('failures', 'Newest failures', failureList(failures, now)))}
${live('server', section('server', 'Server', serverFacts(told.value, now)))}
</div>`,
    });
  });
}
