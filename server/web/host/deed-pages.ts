import type { HostView } from '../../contract/hosts.ts';
import type { Problem } from '../api.ts';
import { hostPath } from '../hosts/words.ts';
import { type Html, html, type Part } from '../html.ts';
import { confirm } from '../parts/confirm.ts';
import { hiddenField } from '../parts/form.ts';
import type { Site } from '../site.ts';
import type { Visit } from '../visit.ts';
import { addApprove } from './approve.ts';
import { addAssign } from './assign.ts';
import { deedFrame, withHost } from './deed-frame.ts';
import { DEEDS, type Deed } from './deeds.ts';
import { addSettingsForm } from './settings-form.ts';

/** Pages of what can be done with a host: GET says what will happen, POST of the same address does it. */
export function addDeeds(site: Site): void {
  addAssign(site);
  addApprove(site);
  addSettingsForm(site);
  for (const deed of DEEDS) {
    const path = `/hosts/:mac/${deed.name}`;
    site.look(path, (visit) => withHost(visit, (host) => deedPage(visit, deed, host)));
    site.change(path, (sent) =>
      withHost(sent, async (host) => {
        const told = await deed.act(sent, host, { revision: sent.field('revision'), once: sent.once });
        if (!told.ok) return deedPage(sent, deed, host, told);
        const text = `${host.mac}: ${deed.done}`;
        return sent.done(deed.name === 'remove' ? '/hosts' : hostPath(host), { tone: 'good', text });
      }),
    );
  }
}

async function deedPage(visit: Visit, deed: Deed, host: HostView, problem?: Problem): Promise<Response> {
  const what = await deed.what(host, visit.api);
  const impossible = typeof what === 'object' && what !== null && 'problem' in what ? what.problem : null;
  const title = `${deed.label} ${host.mac}`;
  if (impossible)
    return deedFrame(visit, {
      title,
      host,
      problem: impossible,
      body: html`<p><a href="${hostPath(host)}">Back to the host</a></p>`,
    });
  const body = confirm(visit, {
    action: hostPath(host, deed.name),
    deed: deed.label,
    tone: deed.tone === 'danger' ? 'danger' : 'primary',
    what: what as Part,
    fields: [hiddenField('revision', String(host.revision)), deed.fields?.(host)],
    back: hostPath(host),
  });
  return deedFrame(visit, { title, host, problem, body });
}

/** What the host's state allows; who may not do it sees none of it. */
export function deedLinks(host: HostView): Html {
  const links = [
    host.enrolment !== 'approved' && { name: 'approve', label: 'Approve', tone: 'primary' },
    host.enrolment === 'approved' && {
      name: 'assign',
      label: 'Assign image',
      tone: host.image === null ? 'primary' : '',
    },
    ...DEEDS.filter((deed) => deed.fits(host)),
  ].filter((link) => link !== false);
  return html`${links.map(({ name, label, tone }) => html`<a class="button ${tone === 'primary' && tone}" href="${hostPath(host, name)}" data-key="${name}">${label}…</a> `)}`;
}
