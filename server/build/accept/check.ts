import type { FailedCheck } from '../../core/build-ports.ts';
import type { FilesystemType } from '../../core/image-index.ts';
import type { FileTree } from '../../filesystems/file-tree.ts';
import type { KernelPair } from './kernel.ts';
import type { OsRelease } from './os-release.ts';

/** Why an image would not boot, be adopted or be safe, and what to add to its Dockerfile. */
export type CheckFailure = FailedCheck;

/** What the checks look at: an installer has this, */
export interface Bootable {
  readonly tree: FileTree;
  readonly kernel: KernelPair | null;
  readonly os: OsRelease | null;
}

/** and an OS image this. */
export interface CheckedImage extends Bootable {
  /** What the partition is formatted with. */
  readonly filesystem: FilesystemType;
  /** The kernel's arguments, as image.json states them. */
  readonly append: string;
}

export function failure(check: string, message: string, line: string): CheckFailure {
  return { check, message, line };
}

/** What differs from one family of distributions to the other. `ubuntu` is needed where it is not Debian's. */
export interface PerFamily {
  readonly debian: string;
  readonly ubuntu?: string;
  readonly redHat: string;
}

/** The family's own: Debian's where nothing is known. */
export function forFamily(os: OsRelease | null, { debian, ubuntu, redHat }: PerFamily): string {
  if (os?.like.some((id) => id === 'rhel' || id === 'fedora' || id === 'centos')) return redHat;
  return os?.id === 'ubuntu' ? (ubuntu ?? debian) : debian;
}

/** The line that installs a package. */
export function installLine(os: OsRelease | null, names: PerFamily): string {
  const name = forFamily(os, names);
  const redHat = `RUN ${os?.version.startsWith('7') ? 'yum' : 'dnf'} install -y ${name}`;
  return forFamily(os, {
    debian: `RUN apt-get update && apt-get install -y --no-install-recommends ${name}`,
    redHat,
  });
}

/** The line that brings back what somebody deleted out of an installed package, or installs it. */
export function reinstallLine(os: OsRelease | null, names: PerFamily): string {
  const install = installLine(os, names);
  return forFamily(os, {
    debian: install.replace('apt-get install', 'apt-get install --reinstall'),
    redHat: `${install} && ${install.replace('RUN ', '').replace(' install ', ' reinstall ')}`,
  });
}

/** The kernel's package. */
export const KERNEL_PACKAGE: PerFamily = {
  debian: 'linux-image-amd64',
  ubuntu: 'linux-image-generic',
  redHat: 'kernel',
};
