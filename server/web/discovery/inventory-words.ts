import type { InventoryView } from '../../contract/inventory.ts';
import { bytes } from '../../words/quantity.ts';
import { type Html, html } from '../html.ts';
import { badge } from '../parts/badge.ts';

/** The short of what a machine says of itself. What it does not say is not made up. */

type Disk = InventoryView['disks'][number];
type Nic = InventoryView['nics'][number];

/** `Dell Inc. PowerEdge R640`. */
export function machineName({ system, board }: InventoryView): string {
  const name = [system.vendor ?? board.vendor, system.product ?? board.product].filter(
    (text) => text !== null,
  );
  return name.join(' ') || 'a machine that does not say what it is';
}

export function serialText({ system, board }: InventoryView): string {
  const serial = system.serial ?? board.serial;
  return serial === null ? 'no serial' : `serial ${serial}`;
}

export function processorText({ cpu, memoryBytes, architecture }: InventoryView): string {
  return `${cpu.count} × ${cpu.model ?? 'unknown processor'}, ${architecture}, ${bytes(memoryBytes)} of memory`;
}

export function firmwareText({ firmware: { kind, secureBoot } }: InventoryView): string {
  if (kind === 'bios') return 'BIOS';
  return secureBoot ? 'UEFI, Secure Boot on' : 'UEFI';
}

export function diskList(disks: readonly Disk[]): Html {
  if (disks.length === 0) return html`<span class="quiet">no disk</span>`;
  return html`<ul class="bits">${disks.map((disk) => html`<li><b>${disk.name}</b> ${diskText(disk)} ${content(disk)}</li>`)}</ul>`;
}

/** `447 GiB, flash, sas`. */
function diskText({ bytes: size, rotational, transport, model }: Disk): string {
  const kind = rotational === null ? null : rotational ? 'rotates' : 'flash';
  return [bytes(size), kind, transport, model].filter((text) => text !== null).join(', ');
}

function content({ content: holds }: Disk): Html {
  if (holds === 'empty') return badge('empty', 'good');
  if (holds === 'warmboot') return badge('a system of Warmboot', 'moving');
  return holds === 'foreign' ? badge('foreign data', 'warn') : badge('not known what it holds', 'off');
}

export function nicList(nics: readonly Nic[]): Html {
  if (nics.length === 0) return html`<span class="quiet">no card</span>`;
  return html`<ul class="bits">${nics.map((nic) => html`<li><b>${nic.name}</b> ${nic.mac !== null && html`<span class="code">${nic.mac}</span> `}${link(nic)}</li>`)}</ul>`;
}

function link({ link: isUp, speedMbps }: Nic): Html {
  if (isUp === null) return badge('link not known', 'off');
  if (!isUp) return badge('no link', 'off');
  return badge(speedMbps === null ? 'link' : `${speedMbps} Mbit/s`, 'good');
}
