import { hostSchema } from '../../contract/hosts.ts';
import { imageListSchema } from '../../contract/images.ts';
import { layoutListSchema } from '../../contract/layouts.ts';
import { profileListSchema } from '../../contract/profiles.ts';
import { type Api, at, type Told } from '../api.ts';
import {
  type Approval,
  approvalFields,
  approvalOf,
  bodyOf,
  type Choices,
  hiddenApproval,
} from '../discovery/approval.ts';
import { type Chosen, chosenIn, hiddenChosen, sentMachines } from '../discovery/chosen.ts';
import { approvalWords, machineList } from '../discovery/words.ts';
import { everyPage } from '../every-page.ts';
import { type Html, html } from '../html.ts';
import type { Notice } from '../notices.ts';
import { count } from '../parts/amounts.ts';
import { confirm } from '../parts/confirm.ts';
import { hiddenField, textField } from '../parts/form.ts';
import type { Site } from '../site.ts';
import type { Sent } from '../visit.ts';

const NOBODY = {
  status: 400,
  detail: 'No machine was ticked. Go back to Discovery and tick those that are meant.',
} as const;

/** Machines let in, ignored, or let wait again, some at once; before each a page says what will happen to which. */
export function addApproval({ look, change }: Site): void {
  look('/discovery/approve', async (visit) => {
    const { api, query, page, refusal } = visit;
    const chosen = await chosenIn(visit);
    const { machines } = chosen;
    if (machines.length === 0) return refusal(firstMissing(chosen));
    const approval = approvalOf(query);
    const choices = await choicesOf(api);
    const title = `Approve ${machines.length === 1 ? machines[0]?.host.mac : count(machines.length, 'machine')}`;
    const form = wishForm(chosen, approval, choices);
    if (query('review') === '') return page({ title, body: form });
    const profile = choices.profiles.find(({ name }) => name === approval.profile) ?? null;
    return page({
      title: `${title}?`,
      body: html`${confirm(visit, {
        action: '/discovery/approve',
        deed: approval.image === '' ? 'Approve' : `Approve, and install ${approval.image}`,
        tone: approval.wipe ? 'danger' : 'primary',
        what: [approvalWords(approval, profile, machines.length), machineList(machines, approval.wipe)],
        fields: [hiddenChosen(machines), hiddenApproval(approval), approval.wipe && wipeField(chosen)],
        back: '/discovery',
      })}
<details class="change"><summary>Change it</summary>${form}</details>`,
    });
  });

  change('/discovery/approve', async (sent) => {
    const approval = approvalOf(sent.field);
    const machines = sentMachines(sent.fields('machine'));
    if (approval.wipe && sent.field('typed') !== wordFor(machines.map(({ mac }) => mac)))
      return sent.refusal({
        status: 400,
        detail: `What was typed is not "${wordFor(machines.map(({ mac }) => mac))}", and nothing was done. Go back and type it, or do not allow foreign data to be lost.`,
      });
    const body = bodyOf(approval);
    const [only] = machines.length === 1 ? machines : [];
    // One is watched from now on; of many the others that wait are next.
    const to = only ? `/hosts/${encodeURIComponent(only.mac)}` : '/discovery';
    const word = `approved${approval.image === '' ? '' : ` for ${approval.image}`}`;
    return forEach(sent, { word, to }, (mac, how) =>
      sent.api.post(at`/api/v1/hosts/${mac}/approve`, hostSchema, { body, ...how }),
    );
  });

  for (const { path, ignored, title, says, done } of [
    {
      path: 'ignore',
      ignored: true,
      title: 'Ignore',
      says: 'Each boots its own disk from now on, is in no list but that of the ignored ones, and no rule is asked for it. Nothing on its disk is touched.',
      done: 'ignored',
    },
    {
      path: 'wait',
      ignored: false,
      title: 'Let wait again',
      says: 'Each waits for approval when it boots from the network. Rules pass over it: an operator decides.',
      done: 'waiting again',
    },
  ]) {
    look(`/discovery/${path}`, async (visit) => {
      const chosen = await chosenIn(visit);
      if (chosen.machines.length === 0) return visit.refusal(firstMissing(chosen));
      return visit.page({
        title: `${title}: ${count(chosen.machines.length, 'machine')}`,
        body: confirm(visit, {
          action: `/discovery/${path}`,
          deed: title,
          what: [html`<p>${says}</p>`, leftOut(chosen), machineList(chosen.machines, false)],
          fields: hiddenChosen(chosen.machines),
          back: ignored ? '/discovery' : '/discovery?state=ignored',
        }),
      });
    });
    change(`/discovery/${path}`, (sent) =>
      forEach(sent, { word: done, to: '/discovery' }, (mac, { revision }) =>
        sent.api.put(at`/api/v1/hosts/${mac}/ignored`, hostSchema, { body: { ignored }, revision }),
      ),
    );
  }
}

function firstMissing({ missing }: Chosen) {
  const [first] = missing;
  return first ? { status: 404, detail: first.reason } : NOBODY;
}

/** What has to be typed before foreign data may be lost: the machine's name, or how many there are. */
function wordFor(macs: readonly string[]): string {
  return macs.length === 1 ? (macs[0] ?? '') : `wipe ${macs.length}`;
}

function wipeField({ machines }: Chosen): Html {
  const word = wordFor(machines.map(({ host }) => host.mac));
  return textField('typed', `Type ${word} to allow it`, '', html` required pattern="${word}" size="24"`);
}

/** Who is named and not meant, before anything is done to the others. */
function leftOut({ missing }: Chosen): readonly Html[] {
  return missing.map(({ mac, reason }) => html`<p class="notice warn">${mac}: ${reason}</p>`);
}

function wishForm(chosen: Chosen, approval: Approval, choices: Choices): Html {
  const { machines } = chosen;
  return html`${leftOut(chosen)}
<form method="get" action="/discovery/approve" class="stack card">
${machineList(machines, false)}
${machines.map(({ host }) => hiddenField('mac', host.mac))}${hiddenField('review', 'yes')}
${approvalFields(approval, choices)}
<div class="buttons"><button class="primary">Show what would happen</button> <a href="/discovery">Leave it</a></div>
</form>`;
}

async function choicesOf(api: Api): Promise<Choices> {
  const [images, profiles, layouts] = await Promise.all([
    everyPage(api, '/api/v1/images', imageListSchema, {}, (page) => page.images),
    api.get('/api/v1/profiles', profileListSchema),
    api.get('/api/v1/layouts', layoutListSchema),
  ]);
  const os = images.ok ? images.value.filter(({ kind }) => kind === 'os') : [];
  return {
    images: os.flatMap(({ tags, digest }) => (tags.length > 0 ? tags : [digest])),
    profiles: profiles.ok ? profiles.value.profiles : [],
    layouts: layouts.ok ? layouts.value.layouts.map(({ name }) => name) : [],
  };
}

type How = { readonly revision: string; readonly once: string | null };

/**
 * One after the other, so that each answer is told; one that is refused stops none of the others.
 * @param after the word for what was done, and the page that says it
 */
async function forEach(
  sent: Sent,
  after: { readonly word: string; readonly to: string },
  act: (mac: string, how: How) => Promise<Told<unknown>>,
): Promise<Response> {
  const machines = sentMachines(sent.fields('machine'));
  if (machines.length === 0) return sent.refusal(NOBODY);
  const refused: string[] = [];
  for (const { mac, revision } of machines) {
    const told = await act(mac, { revision, once: sent.once && `${sent.once}-${mac.replaceAll(':', '')}` });
    if (!told.ok && machines.length === 1) return sent.refusal(told);
    if (!told.ok) refused.push(`${mac}: ${told.detail}`);
  }
  return sent.done(after.to, resultOf(machines, after.word, refused));
}

function resultOf(
  machines: readonly { readonly mac: string }[],
  word: string,
  refused: readonly string[],
): Notice {
  const good = machines.length - refused.length;
  const who = machines.length === 1 ? machines[0]?.mac : count(good, 'machine');
  const text = `${who} ${good === 1 ? 'is' : 'are'} ${word}.`;
  if (refused.length === 0) return { tone: 'good', text };
  return { tone: 'warn', text: `${text} Refused: ${refused.join(' ')}` };
}
