import type { FileTree } from '../../filesystems/file-tree.ts';
import { readText } from '../tree/tree-file.ts';
import {
  type Bootable,
  type CheckedImage,
  type CheckFailure,
  failure,
  forFamily,
  installLine,
  KERNEL_PACKAGE,
  reinstallLine,
} from './check.ts';
import { regenerateInitrd } from './initrd-check.ts';
import { compareVersions } from './kernel.ts';
import { exists, hasProgram, hasUnit, isEnabled, isFile, isMasked, UNIT_FOLDERS } from './tree-questions.ts';

/** A kernel, its release, an initrd beside it. */
export function checkKernel({ tree, kernel, os }: Bootable): CheckFailure[] {
  if (!kernel) {
    const message = 'there is no kernel: /boot has no vmlinuz, so nothing could be booted';
    const release = installedKernel(tree);
    const line =
      release === undefined
        ? installLine(os, KERNEL_PACKAGE)
        : `${regenerateInitrd(os, release)} && cp /lib/modules/${release}/vmlinuz /boot/vmlinuz-${release}`;
    return [failure('kernel', message, line)];
  }
  const failures: CheckFailure[] = [];
  if (kernel.release === '')
    failures.push(
      failure(
        'kernel',
        `the release of /${kernel.kernel.path} can't be read: it is no bzImage and has no version in its name`,
        'RUN mv /boot/vmlinuz "/boot/vmlinuz-$(ls /lib/modules)"',
      ),
    );
  if (!kernel.initrd)
    failures.push(
      failure(
        'initrd',
        `there is no initrd for kernel ${kernel.release}: the disk's drivers could not be loaded`,
        regenerateInitrd(os, kernel.release),
      ),
    );
  return failures;
}

/** Red Hat's kernel lies beside its modules; kernel-install, which a container goes without, copies it to /boot. */
function installedKernel(tree: FileTree): string | undefined {
  const releases = [...(tree.resolve('lib/modules')?.node.children?.keys() ?? [])];
  return releases
    .sort((a, b) => compareVersions(b, a))
    .find((name) => isFile(tree, `lib/modules/${name}/vmlinuz`));
}

/** The kernel's modules, with the list of what needs what. */
export function checkModules({ tree, kernel, os }: Bootable): CheckFailure[] {
  if (!kernel?.release) return [];
  const folder = `lib/modules/${kernel.release}`;
  if (!tree.resolve(folder)?.node.children) {
    const message = `/${folder} is missing: kernel and modules do not belong together`;
    return [failure('modules', message, installLine(os, { ...KERNEL_PACKAGE, redHat: 'kernel-modules' }))];
  }
  if (isFile(tree, `${folder}/modules.dep`)) return [];
  const message = `/${folder}/modules.dep is missing: no module could be loaded by its name`;
  return [failure('modules', message, `RUN depmod -a ${kernel.release}`)];
}

export function checkInit({ tree, os }: CheckedImage): CheckFailure[] {
  if (isFile(tree, 'sbin/init')) return [];
  const message = '/sbin/init does not lead to a program: the kernel would panic after the initrd';
  return [failure('init', message, installLine(os, { debian: 'systemd-sysv', redHat: 'systemd' }))];
}

export function checkDefaultTarget({ tree }: CheckedImage): CheckFailure[] {
  const places = UNIT_FOLDERS.map((folder) => `${folder}/default.target`);
  // The first that exists decides, as in systemd; it may be a link to a unit that was never installed.
  const stated = places.find((place) => exists(tree, place));
  if (stated !== undefined && isFile(tree, stated)) return [];
  return [
    failure(
      'default-target',
      'default.target names no unit that exists: systemd would stop in emergency mode',
      'RUN ln -sf /usr/lib/systemd/system/multi-user.target /etc/systemd/system/default.target',
    ),
  ];
}

/** The kernel's command line names the root by PARTUUID; a line here could only contradict it. */
export function checkFstab({ tree }: CheckedImage): CheckFailure[] {
  const line = (readText(tree, 'etc/fstab') ?? '')
    .split('\n')
    .find((text) => !text.trim().startsWith('#') && text.trim().split(/\s+/)[1] === '/');
  if (line === undefined) return [];
  return [
    failure(
      'fstab',
      `/etc/fstab has a line for / (${line.trim()}): it would name another disk than the slot that was booted`,
      String.raw`RUN sed -i '/^[^#][^ \t]*[ \t]\+\/[ \t]/d' /etc/fstab`,
    ),
  ];
}

/**
 * systemd checks an ext4 root before it makes it writable; without the program a damaged one is taken as it is. XFS mends
 * itself when it is mounted, and its repair program is for filesystems that are not, so nothing is asked of it.
 */
export function checkFilesystemTools({ tree, os, filesystem }: CheckedImage): CheckFailure[] {
  if (filesystem !== 'ext4' || hasProgram(tree, 'e2fsck')) return [];
  const message = 'e2fsck is missing: a damaged root would be mounted as it is';
  return [failure('fsck', message, installLine(os, { debian: 'e2fsprogs', redHat: 'e2fsprogs' }))];
}

/** Images for containers mask it, or have it deleted, for a container has no devices. */
export function checkDeviceManager({ tree, os }: CheckedImage): CheckFailure[] {
  const refuse = (units: readonly string[], what: string, line: string) =>
    failure('udev', `${units.join(' and ')} ${what}: no driver would be loaded, no network come up`, line);
  const masked = UDEV_UNITS.filter((unit) => isMasked(tree, unit));
  if (masked.length > 0)
    return [
      refuse(
        masked,
        masked.length === 1 ? 'is masked' : 'are masked',
        `RUN systemctl unmask ${masked.join(' ')}`,
      ),
    ];
  const missing = UDEV_UNITS.filter((unit) => !hasUnit(tree, unit));
  const redHat = os?.version.startsWith('7') ? 'systemd' : 'systemd-udev';
  if (missing.length > 0) return [refuse(missing, 'missing', reinstallLine(os, { debian: 'udev', redHat }))];
  const idle = UDEV_UNITS.filter((unit) => !isEnabled(tree, unit));
  if (idle.length === 0) return [];
  return [refuse(idle, 'wanted by no target', `RUN systemctl add-wants sysinit.target ${idle.join(' ')}`)];
}

const UDEV_UNITS = ['systemd-udevd.service', 'systemd-udev-trigger.service'];

export function checkAutorelabel({ tree, os }: CheckedImage): CheckFailure[] {
  if (!exists(tree, '.autorelabel')) return [];
  const where = forFamily(os, { debian: 'selinux-autorelabel', redHat: 'selinux-autorelabel.service' });
  return [
    failure(
      'autorelabel',
      `/.autorelabel is there: ${where} would restart the host in the midst of a trial; labels are made at build`,
      'RUN rm -f /.autorelabel',
    ),
  ];
}
