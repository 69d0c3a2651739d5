import type { HostView } from '../../contract/hosts.ts';
import { hostSchema, reassignedSchema } from '../../contract/hosts.ts';
import { previousSchema } from '../../contract/lifecycle.ts';
import { type Api, at, type Problem, type Told } from '../api.ts';
import { imageLink } from '../hosts/image-names.ts';
import { isOpen } from '../hosts/words.ts';
import { html, type Part } from '../html.ts';
import { checkbox, textField } from '../parts/form.ts';
import type { Sent } from '../visit.ts';

/** Something that can be done with one host. Each has a page that says what will happen before it does. */
export type Deed = {
  /** Last part of its address. */
  readonly name: string;
  readonly label: string;
  readonly tone: 'primary' | 'danger' | '';
  /** Whether the host's state allows it; the API has the last word. */
  fits(host: HostView): boolean;
  /** What will happen. @returns a problem where the API says that it cannot be */
  what(host: HostView, api: Api): Promise<Part | { readonly problem: Problem }>;
  /** What else is asked. */
  fields?(host: HostView): Part;
  act(sent: Sent, host: HostView, change: Guard): Promise<Told<unknown>>;
  /** Told on the host's page; `remove` has none. */
  readonly done: string;
};

/** Only while the host is as the page showed it, and once however often the form is sent. */
export type Guard = { readonly revision: string; readonly once: string | null };

const takesPart = ({ enrolment }: HostView) => enrolment === 'approved';
const path = ({ mac }: HostView, verb: string) => `${at`/api/v1/hosts/${mac}`}/${verb}`;

export const DEEDS: readonly Deed[] = [
  {
    name: 'retry',
    label: 'Retry',
    tone: 'primary',
    fits: (host) =>
      takesPart(host) &&
      host.image !== null &&
      ['failed', 'rolled-back'].includes(host.attempt?.outcome ?? ''),
    what: async ({ image, attempt }) =>
      html`<p>The host is ordered once more to ${image && imageLink(image.digest, image.ref)}. The last attempt ended so: <q>${attempt?.reason || attempt?.outcome}</q>. If that was not mended, it ends so again.</p>`,
    act: ({ api }, host, guard) => api.post(path(host, 'retry'), reassignedSchema, guard),
    done: 'It is tried once more.',
  },
  {
    name: 'rollback',
    label: 'Roll back',
    tone: '',
    fits: (host) => takesPart(host) && host.observation !== null,
    async what(host, api) {
      const told = await api.get(path(host, 'rollback'), previousSchema);
      if (!told.ok) return { problem: told };
      const { image, slot } = told.value;
      const { attempt } = host;
      const how =
        slot === null
          ? 'No slot holds it any more: it is written into a free one first, then the host jumps.'
          : `Slot ${slot} still holds it: nothing is downloaded, and the host jumps when its agent asks next, in some seconds.`;
      return html`<p>The host goes back to ${imageLink(image.digest, image.ref)}, which it ran before. ${how}</p>${isOpen(host) && attempt && html`<p>The order for ${attempt.image} that is under way ends.</p>`}<p>What was written on the slot that it leaves stays there until the slot is used again; <code>/data</code> is not touched.</p>`;
    },
    act: ({ api }, host, guard) => api.post(path(host, 'rollback'), reassignedSchema, guard),
    done: 'It is ordered back.',
  },
  {
    name: 'reinstall',
    label: 'Reinstall',
    tone: 'danger',
    fits: (host) => takesPart(host) && host.image !== null,
    what: async ({ image, layout, disk, mac }) =>
      html`<p>At its <strong>next netboot</strong> the installer writes ${image && imageLink(image.digest, image.ref)} anew: the partition table (layout ${layout}, disk rule <code>${disk}</code>), the boot partition and slot a. Both slots are lost with all that was written in them; machine-id, SSH host keys and its own files stay. A <code>data</code> partition stays as it is. Until it netboots the host goes on as it is.</p>
<p>Without wiping, a disk that holds somebody else's data, or a layout in which <code>data</code> would not stay where it is, is refused and nothing on the disk is touched. With wiping it is overwritten: <strong>what it holds is lost</strong>; only this host's own <code>data</code> is kept, where it can stay in its place.</p>
<p class="quiet">To wipe, tick it and type the host's name: ${mac}</p>`,
    fields: ({ mac }) => html`${checkbox('wipe', 'Wipe: the disk may hold foreign data, which is lost')}
${textField('name', "The host's name, to wipe", '', html` placeholder="${mac}"`)}`,
    act(sent, host, guard) {
      const wipe = sent.field('wipe') !== '';
      const typed = sent.field('name').toLowerCase().replaceAll('-', ':');
      if (wipe && typed !== host.mac)
        return refused(`Nothing was done: to wipe its disk, type the host's name, ${host.mac}.`);
      if (!wipe && typed !== '')
        return refused(
          'Nothing was done: the name was typed, but wiping is not ticked. Tick it, or leave the name empty.',
        );
      return sent.api.post(path(host, 'reinstall'), reassignedSchema, {
        body: wipe ? { wipe } : {},
        ...guard,
      });
    },
    done: 'It is installed from the start at its next netboot.',
  },
  {
    name: 'hold',
    label: 'Hold',
    tone: '',
    fits: (host) => takesPart(host) && host.held === null,
    what: async (host) =>
      html`<p>What is ordered of the host waits until it is resumed; it goes on running what it runs.${isOpen(host) && ' What is under way in the machine, such as a trial, goes on.'} A rollout that waits for it passes over it.</p>`,
    fields: () => textField('reason', 'Reason', '', html` maxlength="256" placeholder="new memory"`),
    act({ api, field }, host, guard) {
      const reason = field('reason');
      return api.post(path(host, 'hold'), hostSchema, { body: reason === '' ? {} : { reason }, ...guard });
    },
    done: 'It is held.',
  },
  {
    name: 'resume',
    label: 'Resume',
    tone: 'primary',
    fits: (host) => takesPart(host) && host.held !== null,
    what: async (host) =>
      html`<p>It was held: <q>${host.held}</q>. From now on its orders go on${isOpen(host) && html`: ${host.attempt?.kind} to ${host.attempt?.image}`}.</p>`,
    act: ({ api }, host, guard) => api.post(path(host, 'resume'), hostSchema, guard),
    done: 'Its orders go on.',
  },
  {
    name: 'release',
    label: 'Release its token',
    tone: 'danger',
    fits: ({ claimed }) => claimed,
    what: async () =>
      html`<p>The host's token is worth nothing from now on, and is never taken again: nobody speaks for the host until its next install claims it with another one. Until then it gets no orders and its reports are refused; it goes on running. Do this when its disk has left the house, or its board was replaced.</p>`,
    fields: () => textField('reason', 'Reason', '', html` maxlength="500" placeholder="disk was replaced"`),
    act({ api, field }, host, guard) {
      const reason = field('reason');
      return api.post(path(host, 'release'), hostSchema, { body: reason === '' ? {} : { reason }, ...guard });
    },
    done: 'Its token is worth nothing any more.',
  },
  {
    name: 'retire',
    label: 'Retire',
    tone: 'danger',
    fits: takesPart,
    what: async (host) =>
      html`<p>The host is taken out of service: it is told nothing, its token is worth nothing, its assignment${isOpen(host) && ' and the attempt under way'} ends, and images that only it holds may go. It goes on running; a netboot leads to its disk. Its record, attempts and inventory stay, and approving it brings it back.</p>`,
    act: ({ api }, host, guard) => api.post(path(host, 'retire'), hostSchema, guard),
    done: 'It is retired.',
  },
  {
    name: 'remove',
    label: 'Remove',
    tone: 'danger',
    fits: () => true,
    what: async ({ mac }) =>
      html`<p>All that is known of the host is forgotten: its settings, files, attempts and inventory; the event log stays. Nothing happens to the machine. When it netboots it is a stranger, and waits under Discovery.</p><p class="quiet">To remove it, type its name: ${mac}</p>`,
    fields: ({ mac }) => textField('name', "The host's name", '', html` required placeholder="${mac}"`),
    act(sent, host, { revision }) {
      const typed = sent.field('name').toLowerCase().replaceAll('-', ':');
      if (typed !== host.mac)
        return refused(`Nothing was done: type the host's name, ${host.mac}, to remove it.`);
      return sent.api.delete(at`/api/v1/hosts/${host.mac}`, { revision });
    },
    done: 'It was removed.',
  },
];

function refused(detail: string): Promise<Problem> {
  return Promise.resolve({ ok: false, status: 422, detail });
}
