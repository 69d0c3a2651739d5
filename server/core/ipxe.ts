import {
  autoexecLines,
  discoveryLines,
  diskLines,
  entryLines,
  installerLines,
  noInstallerLines,
} from './ipxe-sections.ts';
import type { IpxeSafe, IpxeUrl } from './ipxe-values.ts';
import type { Mac } from './mac.ts';

/**
 * The iPXE scripts, whole. Every one ends by itself in bounded time, whatever the network or the server does:
 * in the installer's kernel, or at the machine's own disk. The bounds stand in `ipxe/README.md`. A key (Ctrl-B) opens
 * iPXE's shell at every pause.
 */

/** What every script needs: where the server is, as the hosts see it. */
export type ScriptPlace = { readonly bootUrl: IpxeUrl };

/** One host's way into the installer. */
export type InstallerScript = ScriptPlace & {
  readonly mac: Mac;
  /** Further kernel arguments, `console=…` above all. */
  readonly args?: IpxeSafe;
  /** Shown on the screen; any text, made harmless here. */
  readonly reason: string;
};

/** `GET /boot.ipxe`: the same for every machine; asks `/boot/script` for the machine's own one. */
export function entryScript(place: ScriptPlace): string {
  return script('entry', entryLines(place.bootUrl));
}

/**
 * `autoexec.ipxe`, which UEFI builds of iPXE ask for beside the place they were loaded from (TFTP folder or HTTP
 * directory), before they have an address: hence its own `dhcp`.
 */
export function autoexecScript(place: ScriptPlace): string {
  return script('autoexec', autoexecLines(place.bootUrl));
}

/** The installer, with an order waiting for this host. */
export function installerScript(given: InstallerScript): string {
  return script('installer', installerLines(given));
}

/** The same installer for a machine without an order (unknown, or waiting for approval): it looks, reports and waits. */
export function discoveryScript(given: InstallerScript): string {
  return script('discovery', discoveryLines(given));
}

/** The machine's own disk: by `sanboot`; where that finds none, by a status that makes the firmware go on to its next entry. */
export function diskScript(given: { readonly reason: string }): string {
  return script('disk', diskLines(given.reason));
}

/** Why a machine that should get the installer gets none: no installer runs on it. Then its disk. */
export function noInstallerScript(given: { readonly architecture: string; readonly reason: string }): string {
  return script('no-installer', noInstallerLines(given.architecture, given.reason));
}

/** iPXE knows a script by its first line, whatever its name or media type. */
function script(name: string, lines: readonly string[]): string {
  return ['#!ipxe', `# Warmboot: ${name}`, ...lines, ''].join('\n');
}
