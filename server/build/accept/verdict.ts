import type { BuildChecks } from '../../core/build-ports.ts';
import type { CheckFailure } from './check.ts';

/** All checks by name, in the order of docs/images.md. */
const OF_INSTALLER = ['kernel', 'initrd'] as const;
const OF_OS = [
  ...OF_INSTALLER,
  'modules',
  'initrd-filesystem',
  'initrd-disks',
  'kernel-filesystem',
  'kernel-disks',
  'kernel-partitions',
  'init',
  'default-target',
  'udev',
  'serial-login',
  'fstab',
  'fsck',
  'autorelabel',
  'selinux',
  'agent',
  'agent-unit',
  'trial-guard',
  'agent-init',
  'curl',
  'kexec',
  'machine-id',
  'ssh-host-keys',
  'os-release',
] as const;

/** What can be looked at only where there is a kernel, a list of its modules, and an initrd that opens. */
const BEHIND_KERNEL = /^(?:initrd|modules|kernel-)/;
const BEHIND_INITRD = /^(?:initrd-|kernel-(?:filesystem|disks)$)/;

/** Which checks passed: those that were made and had nothing to say. */
export function verdictOf(kind: 'os' | 'installer', failed: readonly CheckFailure[]): BuildChecks {
  const names = new Set(failed.map(({ check }) => check));
  const wasMade = (name: string) =>
    !(names.has('kernel') && BEHIND_KERNEL.test(name)) &&
    !(names.has('initrd') && BEHIND_INITRD.test(name)) &&
    !(names.has('modules') && (BEHIND_INITRD.test(name) || name === 'kernel-partitions'));
  const all: readonly string[] = kind === 'os' ? OF_OS : OF_INSTALLER;
  return { passed: all.filter((name) => !names.has(name) && wasMade(name)), failed };
}
