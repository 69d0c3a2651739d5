import type { ProfileView } from '../../contract/profiles.ts';
import { type Html, html } from '../html.ts';
import { count } from '../parts/amounts.ts';
import { hostLink } from '../rollouts/names.ts';
import { type Approval, labelsOf } from './approval.ts';
import { diskList, machineName, serialText } from './inventory-words.ts';
import type { Machine } from './machines.ts';

/** What an approval will do, said before it is given. */

/** @param profile whose settings count where the form says nothing */
export function approvalWords(
  { image, layout, disk, labels, wipe, profile: name }: Approval,
  profile: ProfileView | null,
  machines: number,
): Html {
  const each = machines === 1 ? 'It' : 'Each';
  const rule = disk || profile?.disk || 'smallest';
  const table = layout || profile?.layout || 'two-slots';
  const given = Object.entries(labelsOf(labels)).map(([key, value]) =>
    value === '' ? key : `${key}=${value}`,
  );
  return html`<p>${each} takes part from now on${given.length > 0 && html`, with the labels <strong>${given.join(', ')}</strong>`}${name !== '' && html`, with the profile <strong>${name}</strong>`}.</p>
${
  image === ''
    ? html`<p>Nothing is installed: no image is given, and it waits for one.</p>`
    : html`<p>${each} will be installed with <strong>${image}</strong>, at once while it waits in the installer, else when it next boots from the network. The installer takes the disk by the rule <strong>${rule}</strong>${disk === '' && profile?.disk && ' of the profile'}, and parts it as <strong>${table}</strong>.</p>
<p>${
        wipe
          ? html`<strong>Foreign data on that disk is lost.</strong> There is no way back.`
          : 'A disk that is neither empty nor this host’s own is not touched: then the install fails and says so.'
      }</p>`
}`;
}

/** Which machines, with the disks that are at stake. */
export function machineList(machines: readonly Machine[], isWipe: boolean): Html {
  const foreign = machines.filter(({ inventory }) =>
    inventory?.disks.some(({ content }) => content === 'foreign'),
  );
  return html`${isWipe && foreign.length > 0 && html`<p class="notice bad">${count(foreign.length, 'of them holds', 'of them hold')} foreign data.</p>`}
<ul class="machine-list">${machines.map(
    ({ host, inventory }) =>
      html`<li>${hostLink(host.mac)} ${inventory === null ? 'has not said what it is' : html`${machineName(inventory)}, ${serialText(inventory)} ${diskList(inventory.disks)}`}</li>`,
  )}</ul>`;
}
