import type { FileTree } from './file-tree.ts';
import type { KernelPair } from './kernel.ts';
import type { OsRelease } from './os-release.ts';
import type { Latin1 } from './tar-format.ts';
import { readText } from './tree-file.ts';

/** Why an image would not boot, be adopted or be safe, and what to add to its Dockerfile. */
export interface CheckFailure {
  readonly check: string;
  /** What is wrong and what it would lead to; one sentence. */
  readonly message: string;
  /** A line for the Dockerfile. */
  readonly line: string;
}

/** What the checks look at. */
export interface CheckedImage {
  readonly tree: FileTree;
  readonly kernel: KernelPair | null;
  readonly os: OsRelease | null;
}

const AGENT_LINE = 'COPY --from=warmboot/agent / /';

/** All that is wrong with an OS image; empty when it is accepted. */
export function checkOsImage(image: CheckedImage): CheckFailure[] {
  const failures = [
    ...checkKernel(image),
    checkModules(image),
    checkInit(image),
    checkDefaultTarget(image),
    ...checkAgent(image),
    ...checkPrograms(image),
    checkMachineId(image),
    checkHostKeys(image),
    checkOsRelease(image),
  ];
  return failures.filter((failure) => failure !== null);
}

/** An installer is its kernel and initrd. */
export function checkInstallerImage(image: CheckedImage): CheckFailure[] {
  return checkKernel(image);
}

function checkKernel({ kernel, os }: CheckedImage): CheckFailure[] {
  if (!kernel) {
    const line = forFamily(os, apt('linux-image-amd64'), dnf('kernel'));
    return [failure('kernel', 'there is no kernel: /boot has no vmlinuz, so nothing could be booted', line)];
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
  if (!kernel.initrd) {
    const make = `dracut --force --no-hostonly /boot/initramfs-${kernel.release}.img ${kernel.release}`;
    const line = forFamily(os, `RUN update-initramfs -c -k ${kernel.release}`, `RUN ${make}`);
    const message = `there is no initrd for kernel ${kernel.release}: the disk's drivers could not be loaded`;
    failures.push(failure('initrd', message, line));
  }
  return failures;
}

function checkModules({ tree, kernel, os }: CheckedImage): CheckFailure | null {
  if (!kernel?.release) return null;
  const modules =
    tree.resolve(`lib/modules/${kernel.release}`) ?? tree.resolve(`usr/lib/modules/${kernel.release}`);
  if (modules?.node.children) return null;
  return failure(
    'modules',
    `/lib/modules/${kernel.release} is missing: kernel and modules do not belong together`,
    forFamily(os, apt('linux-image-amd64'), dnf('kernel-modules')),
  );
}

function checkInit({ tree, os }: CheckedImage): CheckFailure | null {
  if (isFile(tree, 'sbin/init')) return null;
  const line = forFamily(os, apt('systemd-sysv'), dnf('systemd'));
  return failure(
    'init',
    '/sbin/init does not lead to a program: the kernel would panic after the initrd',
    line,
  );
}

function checkDefaultTarget({ tree }: CheckedImage): CheckFailure | null {
  const places = ['etc/systemd/system/default.target', 'usr/lib/systemd/system/default.target'];
  // The first that exists decides, as in systemd; it may be a link to a unit that was never installed.
  const stated = places.find((place) => exists(tree, place));
  if (stated !== undefined && isFile(tree, stated)) return null;
  return failure(
    'default-target',
    'default.target names no unit that exists: systemd would stop in emergency mode',
    'RUN ln -sf /usr/lib/systemd/system/multi-user.target /etc/systemd/system/default.target',
  );
}

function checkAgent({ tree }: CheckedImage): (CheckFailure | null)[] {
  const agent = isFile(tree, 'usr/lib/warmboot/agent');
  return [
    agent
      ? null
      : failure(
          'agent',
          '/usr/lib/warmboot/agent is missing: the host could never be switched again',
          AGENT_LINE,
        ),
    isEnabled(tree, 'warmboot-agent.service')
      ? null
      : failure(
          'agent-unit',
          'warmboot-agent.service is not enabled: the agent would not be started',
          AGENT_LINE,
        ),
    isEnabled(tree, 'warmboot-trial.service')
      ? null
      : failure(
          'trial-guard',
          'warmboot-trial.service is not enabled: a trial that hangs would not come back to the old slot',
          AGENT_LINE,
        ),
  ];
}

function checkPrograms({ tree, os }: CheckedImage): (CheckFailure | null)[] {
  const has = (name: string) => BIN_FOLDERS.some((folder) => isFile(tree, `${folder}/${name}`));
  return [
    has('curl')
      ? null
      : failure(
          'curl',
          'curl is missing: the agent could not reach the server',
          forFamily(os, apt('curl'), dnf('curl')),
        ),
    has('kexec')
      ? null
      : failure(
          'kexec',
          'kexec is missing: every switch would need a pass through the firmware',
          forFamily(os, apt('kexec-tools'), dnf('kexec-tools')),
        ),
  ];
}

function checkMachineId({ tree }: CheckedImage): CheckFailure | null {
  const baked = ['etc/machine-id', 'var/lib/dbus/machine-id'].find((path) => {
    const text = readText(tree, path)?.trim() ?? '';
    return text !== '' && text !== 'uninitialized';
  });
  if (baked === undefined) return null;
  return failure(
    'machine-id',
    `/${baked} is baked into the image: all hosts would have one machine id`,
    'RUN rm -f /var/lib/dbus/machine-id && truncate -s 0 /etc/machine-id',
  );
}

function checkHostKeys({ tree }: CheckedImage): CheckFailure | null {
  const names = [...(tree.resolve('etc/ssh')?.node.children?.keys() ?? [])];
  const baked = names.find((name) => /^ssh_host_.*_key$/.test(name));
  if (baked === undefined) return null;
  return failure(
    'ssh-host-keys',
    `/etc/ssh/${baked} is baked into the image: all hosts would share one private key`,
    'RUN rm -f /etc/ssh/ssh_host_*',
  );
}

function checkOsRelease({ os }: CheckedImage): CheckFailure | null {
  if (os) return null;
  const message = 'there is no /etc/os-release: nobody could tell which OS this is';
  return failure(
    'os-release',
    message,
    `RUN printf 'ID=linux\\nPRETTY_NAME="My Linux"\\n' > /etc/os-release`,
  );
}

const BIN_FOLDERS = ['usr/bin', 'bin', 'usr/sbin', 'sbin', 'usr/local/bin', 'usr/local/sbin'];
const UNIT_FOLDERS = ['etc/systemd/system', 'usr/lib/systemd/system', 'lib/systemd/system'];

/** The unit exists and some target wants or requires it. */
function isEnabled(tree: FileTree, unit: string): boolean {
  if (!UNIT_FOLDERS.some((folder) => isFile(tree, `${folder}/${unit}`))) return false;
  return UNIT_FOLDERS.some((folder) =>
    [...(tree.resolve(folder)?.node.children?.keys() ?? [])].some(
      (name) => /\.(wants|requires)$/.test(name) && exists(tree, `${folder}/${name}/${unit}`),
    ),
  );
}

function isFile(tree: FileTree, path: Latin1): boolean {
  return tree.resolve(path)?.node.inode.entry.type === 'file';
}

/** True for a symlink too, wherever it leads; links in the folders on the way are followed. */
function exists(tree: FileTree, path: Latin1): boolean {
  const folder = tree.resolve(path.slice(0, path.lastIndexOf('/')));
  return folder?.node.children?.has(path.slice(path.lastIndexOf('/') + 1)) ?? false;
}

function failure(check: string, message: string, line: string): CheckFailure {
  return { check, message, line };
}

const apt = (name: string) => `RUN apt-get update && apt-get install -y --no-install-recommends ${name}`;
const dnf = (name: string) => `RUN dnf install -y ${name}`;

function forFamily(os: OsRelease | null, debian: string, redHat: string): string {
  return os?.like.some((id) => id === 'rhel' || id === 'fedora' || id === 'centos') ? redHat : debian;
}
