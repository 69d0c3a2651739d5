import type { BootChoice } from './boot-choice.ts';
import { hasInstaller } from './installer-architecture.ts';
import { discoveryScript, diskScript, installerScript, noInstallerScript } from './ipxe.ts';
import { type IpxeUrl, ipxeSafe } from './ipxe-values.ts';
import type { Mac } from './mac.ts';

/** What is the same in the scripts of all hosts. */
export type ScriptBase = {
  /** The server as hosts see it. */
  readonly bootUrl: IpxeUrl;
  /** Kernel arguments of the installer (its consoles) for hosts that have none of their own. */
  readonly installerArguments: string;
};

/** What is to be booted, and the host's own kernel arguments, empty if it has none. */
export type HostBoot = BootChoice & { readonly append: string };

/**
 * One host's iPXE script: the one place that makes it, whatever protocol asks (`/boot/script`, TFTP).
 * @param buildarch what iPXE says it was built for; empty when it did not say
 */
export function hostScript(
  { bootUrl, installerArguments }: ScriptBase,
  mac: Mac,
  boot: HostBoot,
  buildarch = '',
): string {
  if (boot.kind === 'disk') return diskScript({ reason: boot.reason });
  if (!hasInstaller(buildarch)) return noInstallerScript({ architecture: buildarch, reason: boot.reason });
  // Arguments that could become code are left out: the installer starts without them, and can be asked why.
  const args = ipxeSafe(boot.append === '' ? installerArguments : boot.append);
  const given = { bootUrl, mac, reason: boot.reason, ...(args && { args }) };
  return boot.kind === 'installer' ? installerScript(given) : discoveryScript(given);
}
