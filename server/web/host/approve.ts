import { type HostView, hostSchema } from '../../contract/hosts.ts';
import { layoutListSchema } from '../../contract/layouts.ts';
import { profileListSchema } from '../../contract/profiles.ts';
import { at, type Problem } from '../api.ts';
import { imageSelect } from '../hosts/image-picker.ts';
import { hostPath } from '../hosts/words.ts';
import { html } from '../html.ts';
import { confirm } from '../parts/confirm.ts';
import { checkbox, hiddenField, select } from '../parts/form.ts';
import type { Site } from '../site.ts';
import type { Visit } from '../visit.ts';
import { deedFrame, withHost } from './deed-frame.ts';
import { labelsField, parseLabels } from './labels.ts';

const NAMES = ['to', 'profile', 'layout', 'labels', 'wipe', 'name'] as const;
type Given = Readonly<Record<(typeof NAMES)[number], string>>;

const given = (field: (name: string) => string) =>
  Object.fromEntries(NAMES.map((name) => [name, field(name)])) as Given;

/** A machine that waits, or was retired, takes part from now on. */
export function addApprove({ look, change }: Site): void {
  look('/hosts/:mac/approve', (visit) =>
    withHost(visit, (host) => approvePage(visit, host, given(visit.query))),
  );
  change('/hosts/:mac/approve', (sent) =>
    withHost(sent, async (host) => {
      const wish = given(sent.field);
      const wrong = (detail: string) => approvePage(sent, host, wish, { ok: false, status: 422, detail });
      const labels = parseLabels(wish.labels);
      if ('refused' in labels) return wrong(labels.refused);
      if (wish.wipe !== '' && wish.name.toLowerCase().replaceAll('-', ':') !== host.mac)
        return wrong(`Nothing was done: to wipe its disk, type the host's name, ${host.mac}.`);
      const body = {
        ...(wish.to !== '' && { image: wish.to }),
        ...(wish.profile !== '' && { profile: wish.profile }),
        ...(wish.layout !== '' && { layout: wish.layout }),
        ...(Object.keys(labels.labels).length > 0 && { labels: labels.labels }),
        ...(wish.wipe !== '' && { wipe: true }),
      };
      const told = await sent.api.post(at`/api/v1/hosts/${host.mac}/approve`, hostSchema, {
        body,
        revision: sent.field('revision'),
        once: sent.once,
      });
      if (!told.ok) return approvePage(sent, host, wish, told);
      const then =
        wish.to === '' ? 'Assign an image when it is wanted.' : `${wish.to} is installed when it netboots.`;
      return sent.done(hostPath(host), { tone: 'good', text: `${host.mac} takes part. ${then}` });
    }),
  );
}

async function approvePage(visit: Visit, host: HostView, wish: Given, problem?: Problem): Promise<Response> {
  const { api } = visit;
  const [layouts, profiles, images] = await Promise.all([
    api.get('/api/v1/layouts', layoutListSchema),
    api.get('/api/v1/profiles', profileListSchema),
    imageSelect(api, wish.to, 'none: only let it take part'),
  ]);
  const names = (list: readonly { readonly name: string }[]) => list.map(({ name }) => name);
  const body = confirm(visit, {
    action: hostPath(host, 'approve'),
    deed: 'Approve',
    what: html`<p>The machine takes part from now on: it gets orders, and reports. With an image, that is the order to install it at its next netboot; the installer takes an empty disk, or one of ours, and refuses one that holds foreign data unless wiping is allowed.</p>
${host.enrolment === 'retired' && html`<p>It was retired: the token that it had is good again. Where its disk has left the house, release that too.</p>`}`,
    fields: html`${hiddenField('revision', String(host.revision))}
${images}
${profiles.ok && profiles.value.profiles.length > 0 && select('profile', 'Profile', [{ value: '', label: 'none' }, ...names(profiles.value.profiles)], wish.profile)}
${layouts.ok && select('layout', 'Disk layout', [{ value: '', label: 'of the profile, or the default' }, ...names(layouts.value.layouts)], wish.layout)}
${labelsField(wish.labels)}
${checkbox('wipe', 'Wipe: the first install may overwrite foreign data, which is lost', wish.wipe !== '')}
<div class="field"><label for="f-name">The host's name, to wipe</label><input id="f-name" name="name" value="${wish.name}" placeholder="${host.mac}" autocomplete="off"></div>`,
    back: hostPath(host),
  });
  return deedFrame(visit, { title: `Approve ${host.mac}`, host, problem, body });
}
