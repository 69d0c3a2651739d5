import type { FileTree } from '../../filesystems/file-tree.ts';
import {
  type Bootable,
  type CheckedImage,
  type CheckFailure,
  failure,
  forFamily,
  installLine,
  KERNEL_PACKAGE,
} from './check.ts';
import { InitrdError } from './initrd/byte-reader.ts';
import { MissingProgramError } from './initrd/compression.ts';
import { readInitrd } from './initrd/read-initrd.ts';
import { hasModule, type KernelModules, modulesIn, readKernelModules } from './kernel-modules.ts';
import type { OsRelease } from './os-release.ts';

/** Where the root may lie. One of them must exist; of those that the kernel has, the initrd must have all. */
const CONTROLLERS = ['nvme', 'ahci', 'virtio_blk', 'virtio_scsi'];
/** What disks need besides, where the kernel has it as a module. */
const BESIDES = ['sd_mod', 'virtio_pci'];

/** The initrd must bring any machine to its root: it opens, has an init, and holds the drivers for disks and filesystem. */
export async function checkInitrd(image: CheckedImage): Promise<CheckFailure[]> {
  const { tree, kernel, os, filesystem } = image;
  const modules = kernel?.release ? readKernelModules(tree, kernel.release) : null;
  const opened = await openInitrd(image);
  if (!opened.ok) return opened.failures;
  // What is missing then is told by other checks.
  if (!modules || !kernel?.initrd) return [];

  const { release } = kernel;
  const present = modulesIn(opened.tree, release);
  const needed = (names: readonly string[]) => names.flatMap((name) => lacking(name, modules, present));
  const failures: CheckFailure[] = [];
  if (!hasModule(modules, filesystem))
    failures.push(
      failure(
        'kernel-filesystem',
        `kernel ${release} has no ${filesystem}: it could not read its root`,
        installLine(os, { ...KERNEL_PACKAGE, redHat: 'kernel-modules' }),
      ),
    );
  const forRoot = needed([filesystem]);
  if (forRoot.length > 0)
    failures.push(
      failure(
        'initrd-filesystem',
        `the initrd lacks ${forRoot.join(', ')}: it could not mount its root, which is ${filesystem}`,
        regenerateInitrd(os, release),
      ),
    );
  if (!CONTROLLERS.some((name) => hasModule(modules, name)))
    failures.push(
      failure(
        'kernel-disks',
        `kernel ${release} has a driver for no disk (${CONTROLLERS.join(', ')}): it could not find its root`,
        installLine(os, { ...KERNEL_PACKAGE, redHat: 'kernel-modules' }),
      ),
    );
  const forDisks = needed([...CONTROLLERS, ...BESIDES]);
  if (forDisks.length > 0)
    failures.push(
      failure(
        'initrd-disks',
        `the initrd lacks ${forDisks.join(', ')}: it would find its root on some machines only, or on none`,
        regenerateInitrd(os, release),
      ),
    );
  return failures;
}

/** An installer's initrd is all of its system; which drivers it has is its own affair. */
export async function checkInitrdOpens(image: Bootable): Promise<CheckFailure[]> {
  const opened = await openInitrd(image);
  return opened.ok ? [] : opened.failures;
}

/** The line that makes the initrd anew, for any machine. */
export function regenerateInitrd(os: OsRelease | null, release: string): string {
  return forFamily(os, {
    debian: `RUN mkdir -p /etc/initramfs-tools/conf.d && echo MODULES=most > /etc/initramfs-tools/conf.d/warmboot && update-initramfs -c -k ${release}`,
    redHat: `RUN mkdir -p /boot && dracut --force --no-hostonly --kver ${release} --add-drivers "${[...CONTROLLERS, ...BESIDES].join(' ')}" --filesystems "ext4 xfs" /boot/initramfs-${release}.img`,
  });
}

type Opened =
  | { readonly ok: true; readonly tree: FileTree }
  | { readonly ok: false; readonly failures: CheckFailure[] };

async function openInitrd({ kernel, os }: Bootable): Promise<Opened> {
  if (!kernel?.initrd) return { ok: false, failures: [] };
  const { path, inode } = kernel.initrd;
  const refuse = (message: string, line: string): Opened => ({
    ok: false,
    failures: [failure('initrd', message, line)],
  });
  const again = regenerateInitrd(os, kernel.release);
  try {
    const tree = await readInitrd(inode);
    const init = tree.resolve('init')?.node.inode.meta;
    if (init?.type === 'file' && (init.mode & 0o111) !== 0) return { ok: true, tree };
    return refuse(`/${path} has no program /init: the kernel would panic`, again);
  } catch (error) {
    if (error instanceof InitrdError)
      return refuse(`/${path} is no initrd that Linux could use: ${error.message}`, again);
    if (error instanceof MissingProgramError)
      return refuse(
        `/${path} can't be looked into, for ${error.message} on the machine that builds: install it there (apt-get install ${error.debianPackage}), or have the initrd compressed by gzip`,
        forFamily(os, {
          debian: `RUN echo COMPRESS=gzip > /etc/initramfs-tools/conf.d/compress && update-initramfs -u -k ${kernel.release}`,
          redHat: `${again} --gzip`,
        }),
      );
    throw error;
  }
}

/** What of a module, and of what it needs, the initrd does not have; nothing for a module that the kernel has not. */
function lacking(name: string, { builtin, needs }: KernelModules, present: ReadonlySet<string>): string[] {
  if (builtin.has(name) || !needs.has(name)) return [];
  if (!present.has(name)) return [name];
  return (needs.get(name) ?? [])
    .filter((other) => !builtin.has(other) && !present.has(other))
    .map((other) => `${other} (for ${name})`);
}
