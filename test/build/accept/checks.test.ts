import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, describe, expect, test } from 'vitest';
import type { CheckedImage } from '../../../server/build/accept/check.ts';
import { checkInstallerImage, checkOsImage } from '../../../server/build/accept/checks.ts';
import { findKernel } from '../../../server/build/accept/kernel.ts';
import { readOsRelease } from '../../../server/build/accept/os-release.ts';
import { argumentsWithInit } from '../../../server/build/agent-init.ts';
import type { FileTree } from '../../../server/filesystems/file-tree.ts';
import type { Member } from '../tree/tar-maker.ts';
import { layerFolder } from '../tree/tree-maker.ts';
import { cpioArchive } from './initrd-maker.ts';

const { folder, stack, remove } = layerFolder();
afterAll(remove);

const UNITS = 'usr/lib/systemd/system';
const WANTS = 'etc/systemd/system/multi-user.target.wants';
const link = (path: string, to: string): Member => ({ path, type: 'symlink', link: to });

const RELEASE = '6.1.0-9-amd64';
const INITRD = `boot/initrd.img-${RELEASE}`;
const MODULES = `usr/lib/modules/${RELEASE}`;
const IN_INITRD = `usr/lib/modules/${RELEASE}/kernel`;
/** Drivers as Debian has them: some compressed, one built in, one with dependencies. */
const DRIVERS = [
  'ext4.ko',
  'crc16.ko',
  'xfs.ko.xz',
  'nvme.ko.zst',
  'nvme-core.ko',
  'ahci.ko',
  'virtio_blk.ko',
  'virtio_scsi.ko',
];
const initrd = (without = '', more: readonly string[] = []): Member => ({
  path: INITRD,
  content: cpioArchive([
    'init',
    ...DRIVERS.filter((name) => name !== without).map((name) => `${IN_INITRD}/${name}`),
    ...more,
  ]).toString('latin1'),
});
const dep = (lines: readonly string[]): Member => ({
  path: `${MODULES}/modules.dep`,
  content: lines.map((line) => `${line}\n`).join(''),
});
const DEP = [
  'kernel/fs/ext4/ext4.ko: kernel/lib/crc16.ko',
  'kernel/fs/xfs/xfs.ko.xz:',
  'kernel/drivers/nvme/host/nvme.ko.zst: kernel/drivers/nvme/host/nvme-core.ko',
  'kernel/drivers/ata/ahci.ko: kernel/drivers/scsi/scsi_mod.ko',
  'kernel/drivers/block/virtio_blk.ko:',
  'kernel/drivers/scsi/virtio_scsi.ko:',
  'kernel/fs/fat/vfat.ko.xz: kernel/fs/fat/fat.ko.xz',
];
const builtin = (...paths: readonly string[]): Member => ({
  path: `${MODULES}/modules.builtin`,
  content: ['scsi/scsi_mod.ko', 'scsi/sd_mod.ko', ...paths]
    .map((path) => `kernel/drivers/${path}\n`)
    .join(''),
});

/** A Debian that a host could be switched to. */
const GOOD: readonly (Member | string)[] = [
  link('bin', 'usr/bin'),
  link('sbin', 'usr/sbin'),
  link('lib', 'usr/lib'),
  'boot/vmlinuz-6.1.0-9-amd64',
  initrd(),
  dep(DEP),
  builtin(),
  `${UNITS}/systemd-udevd.service`,
  `${UNITS}/systemd-udev-trigger.service`,
  link(`${UNITS}/sysinit.target.wants/systemd-udevd.service`, '../systemd-udevd.service'),
  link(`${UNITS}/sysinit.target.wants/systemd-udev-trigger.service`, '../systemd-udev-trigger.service'),
  `${UNITS}/getty.target`,
  link(`${UNITS}/multi-user.target.wants/getty.target`, '../getty.target'),
  `${UNITS}/serial-getty@.service`,
  'usr/lib/systemd/system-generators/systemd-getty-generator',
  'usr/sbin/agetty',
  'usr/bin/login',
  'usr/sbin/e2fsck',
  { path: 'etc/fstab', content: '# / by the command line\nproc /proc proc defaults 0 0\n' },
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

function check(tree: FileTree, image: Partial<CheckedImage> = {}) {
  const kernel = findKernel(tree);
  const append = 'console=tty0 console=ttyS0,115200n8';
  return checkOsImage({ tree, kernel, os: readOsRelease(tree), filesystem: 'ext4', append, ...image });
}

async function names(tree: FileTree, image: Partial<CheckedImage> = {}): Promise<string[]> {
  return (await check(tree, image)).map((failure) => failure.check);
}

test.each(['ext4', 'xfs'] as const)('a good image passes with %s', async (filesystem) => {
  expect(await check(stack([...GOOD]), { filesystem })).toEqual([]);
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
  ['modules', `${MODULES}/.wh.modules.dep`, 'depmod'],
  ['fsck', 'usr/sbin/.wh.e2fsck', 'e2fsprogs'],
  ['serial-login', 'usr/sbin/.wh.agetty', 'util-linux'],
  ['serial-login', 'usr/bin/.wh.login', 'login'],
  [
    'serial-login',
    `${UNITS}/.wh.serial-getty@.service`,
    'install --reinstall -y --no-install-recommends systemd',
  ],
  ['serial-login', `${UNITS}/.wh.getty.target`, 'install --reinstall'],
  [
    'serial-login',
    `${UNITS}/.wh.multi-user.target.wants`,
    'systemctl add-wants multi-user.target getty.target',
  ],
  ['udev', `${UNITS}/.wh.systemd-udevd.service`, 'install --reinstall -y --no-install-recommends udev'],
  [
    'udev',
    `${UNITS}/sysinit.target.wants/.wh.systemd-udev-trigger.service`,
    'systemctl add-wants sysinit.target systemd-udev-trigger.service',
  ],
  [
    'udev',
    `${UNITS}/.wh.sysinit.target.wants`,
    'systemctl add-wants sysinit.target systemd-udevd.service systemd-udev-trigger.service',
  ],
  ['serial-login', 'usr/lib/systemd/.wh.system-generators', 'serial-getty@ttyS0.service'],
])('%s: missing is noticed, and the line to add is told', async (name, whiteout, line) => {
  const failures = await check(stack([...GOOD], [whiteout]));
  expect(failures.map(({ check }) => check)).toEqual([name]);
  expect(failures[0]?.line).toContain(line);
});

test.each([
  ['machine-id', { path: 'etc/machine-id', content: `${'ab'.repeat(16)}\n` }],
  ['machine-id', { path: 'var/lib/dbus/machine-id', content: 'ab'.repeat(16) }],
  ['ssh-host-keys', { path: 'etc/ssh/ssh_host_ed25519_key', content: 'private' }],
  ['fstab', { path: 'etc/fstab', content: '# none\nUUID=1-2  /  ext4 defaults 0 1\n' }],
  ['autorelabel', { path: '.autorelabel', content: '' }],
  ['serial-login', link('etc/systemd/system/getty.target', '/dev/null')],
  ['serial-login', link('etc/systemd/system/serial-getty@.service', '/dev/null')],
  ['serial-login', { path: 'etc/systemd/system/serial-getty@ttyS0.service', content: '' }],
  ['serial-login', link('etc/systemd/system-generators/systemd-getty-generator', '/dev/null')],
  ['agent-unit', link('etc/systemd/system/warmboot-agent.service', '/dev/null')],
  ['udev', link('etc/systemd/system/systemd-udevd.service', '/dev/null')],
  ['udev', link('etc/systemd/system/systemd-udev-trigger.service', '/dev/null')],
  ['agent-init', { path: 'usr/lib/warmboot/init', mode: 0o644 }],
])('%s: what must not be there is noticed', async (name, member) => {
  expect(await names(stack([...GOOD], [member]))).toEqual([name]);
});

test('the agent’s init is named by the kernel’s arguments where it is there, and must be executable with early', async () => {
  const init = { path: 'usr/lib/warmboot/init', mode: 0o755 };
  const early = { path: 'usr/lib/warmboot/early', mode: 0o755 };
  const tree = stack([...GOOD], [init, early]);
  expect(await names(tree)).toEqual([]);
  expect(await names(stack([...GOOD], [init]))).toEqual(['agent-init']);
  expect(argumentsWithInit(tree, 'console=ttyS0 quiet')).toBe(
    'console=ttyS0 quiet init=/usr/lib/warmboot/init',
  );
  expect(argumentsWithInit(tree, '')).toBe('init=/usr/lib/warmboot/init');
  expect(argumentsWithInit(tree, 'quiet init=/bin/bash')).toBe('quiet init=/bin/bash');
  expect(argumentsWithInit(tree, 'my.init=1')).toBe('my.init=1 init=/usr/lib/warmboot/init');
  expect(argumentsWithInit(stack([...GOOD]), 'quiet')).toBe('quiet');
});

test('a login is asked for on the serial consoles of the command line only', async () => {
  const tree = stack([...GOOD], [link('etc/systemd/system/serial-getty@ttyS1.service', '/dev/null')]);
  expect(await names(tree)).toEqual([]);
  expect(await names(tree, { append: 'console=ttyS1,9600' })).toEqual(['serial-login']);
  expect(await names(stack([...GOOD], ['usr/sbin/.wh.agetty']), { append: 'console=tty0' })).toEqual([]);
});

test('without the generator a unit that is enabled by hand does', async () => {
  const wanted = link(
    'etc/systemd/system/getty.target.wants/serial-getty@ttyS0.service',
    `/${UNITS}/serial-getty@.service`,
  );
  expect(await names(stack([...GOOD], ['usr/lib/systemd/.wh.system-generators', wanted]))).toEqual([]);
});

test('the line for /etc/fstab takes out that line and no other', async () => {
  const text = '# / root\nUUID=1 / ext4 defaults 0 1\n\tUUID=1\t/\text4\nUUID=2 /data ext4 defaults 0 2\n';
  const [failure] = await check(stack([...GOOD], [{ path: 'etc/fstab', content: text }]));
  const file = join(folder, 'fstab');
  writeFileSync(file, text);
  execFileSync('sh', ['-c', (failure?.line ?? '').replace(/^RUN /, '').replace('/etc/fstab', file)]);
  expect(readFileSync(file, 'utf8')).toBe('# / root\nUUID=2 /data ext4 defaults 0 2\n');
});

test('host keys are made at the first start, where the distribution does not do it by itself', async () => {
  const lineOn = async (...more: (Member | string)[]) => {
    const [failure] = await check(stack([...GOOD], ['etc/ssh/ssh_host_rsa_key', ...more]));
    return failure?.line ?? '';
  };
  expect(await lineOn()).toContain('ssh-keygen -A');
  expect(await lineOn(`${UNITS}/sshd-keygen.service`)).toBe('RUN rm -f /etc/ssh/ssh_host_*');
  const rocky = { path: 'etc/os-release', content: 'ID=rocky\nID_LIKE="rhel"\nVERSION_ID="9"\n' };
  expect(await lineOn(rocky)).toBe('RUN rm -f /etc/ssh/ssh_host_*');
});

test('a Red Hat kernel that lies beside its modules only is copied, not installed once more', async () => {
  const release = '5.14.0-427.el9.x86_64';
  const rocky = { path: 'etc/os-release', content: 'ID=rocky\nID_LIKE="rhel"\nVERSION_ID="9"\n' };
  const modules = [`usr/lib/modules/5.14.0-70.el9.x86_64/vmlinuz`, `usr/lib/modules/${release}/vmlinuz`];
  const [failure] = await check(stack([...GOOD], ['.wh.boot', rocky, ...modules]));
  expect(failure?.check).toBe('kernel');
  expect(failure?.line).toMatch(
    new RegExp(
      `^RUN mkdir -p /boot && dracut .* /boot/initramfs-${release}.img && cp /lib/modules/${release}/vmlinuz /boot/vmlinuz-${release}$`,
    ),
  );
});

test('other files of sshd and an id that is only marked as unset are fine', async () => {
  const layer = [
    { path: 'etc/machine-id', content: 'uninitialized\n' },
    'etc/ssh/ssh_host_key.conf',
    'etc/ssh/sshd_config',
  ];
  expect(await check(stack([...GOOD], layer))).toEqual([]);
});

test.each([
  ['ID="rocky"\nID_LIKE="rhel centos fedora"\nVERSION_ID="9.3"\n', 'RUN dnf install -y kernel'],
  ['ID="centos"\nID_LIKE="rhel fedora"\nVERSION_ID="7"\n', 'RUN yum install -y kernel'],
  [
    'ID=ubuntu\nID_LIKE=debian\n',
    'RUN apt-get update && apt-get install -y --no-install-recommends linux-image-generic',
  ],
])('%j gets the lines of its family', async (content, line) => {
  const failures = await check(stack([{ path: 'etc/os-release', content }]));
  expect(failures.find(({ check }) => check === 'kernel')?.line).toBe(line);
});

describe('drivers', () => {
  test.each([
    ['initrd-disks', 'nvme.ko.zst', 'nvme'],
    ['initrd-disks', 'nvme-core.ko', 'nvme_core (for nvme)'],
    ['initrd-disks', 'ahci.ko', 'ahci'],
    ['initrd-disks', 'virtio_scsi.ko', 'virtio_scsi'],
    ['initrd-filesystem', 'ext4.ko', 'ext4'],
    ['initrd-filesystem', 'crc16.ko', 'crc16 (for ext4)'],
  ])('%s: an initrd without %s', async (name, missing, said) => {
    const failures = await check(stack([...GOOD], [initrd(missing)]));
    expect(failures).toMatchObject([{ check: name, line: expect.stringContaining('MODULES=most') }]);
    expect(failures[0]?.message).toContain(`lacks ${said}:`);
  });

  test('of the other filesystem nothing is asked', async () => {
    expect(await names(stack([...GOOD], [initrd('xfs.ko.xz')]))).toEqual([]);
    expect(await names(stack([...GOOD], ['usr/sbin/.wh.e2fsck']), { filesystem: 'xfs' })).toEqual([]);
    expect(await names(stack([...GOOD], [initrd('xfs.ko.xz')]), { filesystem: 'xfs' })).toEqual([
      'initrd-filesystem',
    ]);
  });

  test('built in is as good', async () => {
    const kernel = builtin('ext4.ko', 'nvme/host/nvme-core.ko');
    expect(await names(stack([...GOOD], [kernel, initrd('ext4.ko')]))).toEqual([]);
    expect(await names(stack([...GOOD], [kernel, initrd('nvme-core.ko')]))).toEqual([]);
  });

  test('a driver that the kernel does not have is not asked for, as long as one is left', async () => {
    const some = dep(DEP.filter((line) => !/nvme|ahci|virtio_scsi/.test(line)));
    expect(await names(stack([...GOOD], [some, initrd('ahci.ko')]))).toEqual([]);
    const none = dep(DEP.filter((line) => !/nvme|ahci|virtio/.test(line)));
    expect(await names(stack([...GOOD], [none]))).toEqual(['kernel-disks']);
    const noFilesystem = dep(DEP.filter((line) => !line.includes('ext4')));
    expect(await names(stack([...GOOD], [noFilesystem]))).toEqual(['kernel-filesystem', 'kernel-partitions']);
  });

  test('the boot partition must be mountable too', async () => {
    const noFat = dep(DEP.filter((line) => !line.includes('vfat')));
    const [failure] = await check(stack([...GOOD], [noFat]));
    expect(failure).toMatchObject({
      check: 'kernel-partitions',
      message: expect.stringContaining('no vfat'),
    });
  });

  test('modules of another kernel do not count', async () => {
    const other = cpioArchive(['init', ...DRIVERS.map((name) => `lib/modules/5.9/${name}`)]);
    expect(await names(stack([...GOOD], [{ path: INITRD, content: other.toString('latin1') }]))).toEqual([
      'initrd-filesystem',
      'initrd-disks',
    ]);
  });

  test('an initrd for this machine only gets dracut’s line on Red Hat', async () => {
    const rocky = { path: 'etc/os-release', content: 'ID=rocky\nID_LIKE="rhel"\nVERSION_ID="9"\n' };
    const [failure] = await check(stack([...GOOD], [rocky, initrd('nvme.ko.zst')]));
    expect(failure?.line).toContain(`dracut --force --no-hostonly --kver ${RELEASE}`);
  });
});

test('a Red Hat as dracut leaves it: microcode first, then gzip, an init of systemd’s, modules in xz', async () => {
  const release = '5.14.0-427.el9.x86_64';
  const files = (dot: string) => [
    `fs/xfs/xfs.ko${dot}`,
    `lib/libcrc32c.ko${dot}`,
    `drivers/nvme/host/nvme.ko${dot}`,
    `drivers/ata/ahci.ko${dot}`,
    `fs/ext4/ext4.ko${dot}`,
    `fs/fat/vfat.ko${dot}`,
  ];
  const packed = gzipSync(
    cpioArchive([
      { path: 'lib', link: 'usr/lib' },
      { path: 'init', link: 'usr/lib/systemd/systemd' },
      'usr/lib/systemd/systemd',
      ...files('.xz').map((path) => `usr/lib/modules/${release}/kernel/${path}`),
    ]),
  );
  const content = Buffer.concat([cpioArchive(['kernel/x86/microcode/AuthenticAMD.bin']), packed]);
  const tree = stack(
    GOOD.filter((member) => !/^boot|lib\/modules/.test(typeof member === 'string' ? member : member.path)),
    [
      `boot/vmlinuz-${release}`,
      { path: `boot/initramfs-${release}.img`, content: content.toString('latin1') },
      {
        path: `usr/lib/modules/${release}/modules.dep`,
        content: `kernel/fs/xfs/xfs.ko.xz: kernel/lib/libcrc32c.ko.xz\n${files('.xz')
          .slice(1)
          .map((path) => `kernel/${path}:\n`)
          .join('')}`,
      },
    ],
  );
  expect(await names(tree, { filesystem: 'xfs' })).toEqual([]);
});

describe('an initrd', () => {
  test.each([
    ['that is none', 'initrd', 'no initrd that Linux could use'],
    ['without init', cpioArchive(['etc/']).toString('latin1'), 'no program /init'],
    [
      'with an init that is no program',
      cpioArchive([{ path: 'init', mode: 0o644 }]).toString('latin1'),
      'no program',
    ],
    [
      'with an init that leads nowhere',
      cpioArchive([{ path: 'init', link: 'x' }]).toString('latin1'),
      'no program',
    ],
  ])('%s is refused', async (_, content, said) => {
    const failures = await check(stack([...GOOD], [{ path: INITRD, content }]));
    expect(failures).toMatchObject([{ check: 'initrd', message: expect.stringContaining(said) }]);
  });
});

test('an installer is its kernel and initrd', async () => {
  const checkInstaller = async (...layer: (Member | string)[]) => {
    const tree = stack(layer);
    const failures = await checkInstallerImage({ tree, kernel: findKernel(tree), os: null });
    return failures.map(({ check }) => check);
  };
  const opens = { path: 'boot/initrd.img', content: cpioArchive(['init']).toString('latin1') };
  expect(await checkInstaller('boot/vmlinuz-1')).toEqual(['initrd']);
  expect(await checkInstaller('boot/vmlinuz-1', opens)).toEqual(['initrd']);
  expect(await checkInstaller('boot/vmlinuz', opens, 'lib/modules/5/')).toEqual(['kernel']);
  expect(await checkInstaller('boot/vmlinuz', 'boot/initrd.img')).toEqual(['kernel', 'initrd']);
});
