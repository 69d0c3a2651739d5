import { afterAll, expect, test } from 'vitest';
import { checkInstallerImage, checkOsImage } from '../../server/build/checks.ts';
import type { FileTree } from '../../server/build/file-tree.ts';
import { findKernel } from '../../server/build/kernel.ts';
import { readOsRelease } from '../../server/build/os-release.ts';
import type { Member } from './tar-maker.ts';
import { layerFolder } from './tree-maker.ts';

const { stack, remove } = layerFolder();
afterAll(remove);

const UNITS = 'usr/lib/systemd/system';
const WANTS = 'etc/systemd/system/multi-user.target.wants';
const link = (path: string, to: string): Member => ({ path, type: 'symlink', link: to });

/** A Debian that a host could be switched to. */
const GOOD: readonly (Member | string)[] = [
  link('bin', 'usr/bin'),
  link('sbin', 'usr/sbin'),
  link('lib', 'usr/lib'),
  'boot/vmlinuz-6.1.0-9-amd64',
  'boot/initrd.img-6.1.0-9-amd64',
  'usr/lib/modules/6.1.0-9-amd64/',
  'usr/lib/systemd/systemd',
  link('usr/sbin/init', '../lib/systemd/systemd'),
  `${UNITS}/multi-user.target`,
  link('etc/systemd/system/default.target', '/lib/systemd/system/multi-user.target'),
  'usr/lib/warmboot/agent',
  `${UNITS}/warmboot-agent.service`,
  `${UNITS}/warmboot-trial.service`,
  link(`${WANTS}/warmboot-agent.service`, `/${UNITS}/warmboot-agent.service`),
  link('etc/systemd/system/sysinit.target.wants/warmboot-trial.service', `/${UNITS}/warmboot-trial.service`),
  'usr/bin/curl',
  'usr/sbin/kexec',
  { path: 'etc/machine-id', content: '' },
  { path: 'etc/os-release', content: 'ID=debian\nVERSION_ID="12"\nPRETTY_NAME="Debian 12"\n' },
];

function check(tree: FileTree, test = checkOsImage) {
  return test({ tree, kernel: findKernel(tree), os: readOsRelease(tree) });
}

test('a good image passes', () => {
  expect(check(stack([...GOOD]))).toEqual([]);
});

test.each([
  ['kernel', '.wh.boot', 'linux-image-amd64'],
  ['initrd', 'boot/.wh.initrd.img-6.1.0-9-amd64', 'update-initramfs'],
  ['modules', 'usr/lib/.wh.modules', 'linux-image-amd64'],
  ['init', 'usr/lib/systemd/.wh.systemd', 'systemd-sysv'],
  ['default-target', `${UNITS}/.wh.multi-user.target`, 'default.target'],
  ['agent', 'usr/lib/warmboot/.wh.agent', 'COPY --from=warmboot/agent'],
  ['agent-unit', `${WANTS}/.wh.warmboot-agent.service`, 'COPY --from=warmboot/agent'],
  ['trial-guard', `${UNITS}/.wh.warmboot-trial.service`, 'COPY --from=warmboot/agent'],
  ['curl', 'usr/bin/.wh.curl', 'curl'],
  ['kexec', 'usr/sbin/.wh.kexec', 'kexec-tools'],
  ['os-release', 'etc/.wh.os-release', 'os-release'],
])('%s: missing is noticed, and the line to add is told', (name, whiteout, line) => {
  const failures = check(stack([...GOOD], [whiteout]));
  expect(failures.map(({ check }) => check)).toEqual([name]);
  expect(failures[0]?.line).toContain(line);
});

test.each([
  ['machine-id', { path: 'etc/machine-id', content: `${'ab'.repeat(16)}\n` }],
  ['machine-id', { path: 'var/lib/dbus/machine-id', content: 'ab'.repeat(16) }],
  ['ssh-host-keys', { path: 'etc/ssh/ssh_host_ed25519_key', content: 'private' }],
])('%s: baked in is noticed', (name, member) => {
  expect(check(stack([...GOOD], [member])).map(({ check }) => check)).toEqual([name]);
});

test('other files of sshd and an id that is only marked as unset are fine', () => {
  const layer = [
    { path: 'etc/machine-id', content: 'uninitialized\n' },
    'etc/ssh/ssh_host_key.conf',
    'etc/ssh/sshd_config',
  ];
  expect(check(stack([...GOOD], layer))).toEqual([]);
});

test('a Red Hat gets Red Hat’s lines', () => {
  const tree = stack([{ path: 'etc/os-release', content: 'ID="rocky"\nID_LIKE="rhel centos fedora"\n' }]);
  expect(check(tree).find(({ check }) => check === 'kernel')?.line).toBe('RUN dnf install -y kernel');
});

test('an installer is its kernel and initrd', () => {
  expect(
    check(stack(['boot/vmlinuz-1', 'boot/initrd.img']), checkInstallerImage).map(({ check }) => check),
  ).toEqual(['initrd']);
  expect(
    check(stack(['boot/vmlinuz', 'boot/initrd.img', 'lib/modules/5/']), checkInstallerImage),
  ).toMatchObject([{ check: 'kernel' }]);
});
