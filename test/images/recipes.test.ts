import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { afterAll, describe, expect, test } from 'vitest';
import { hasStarted } from '../../lab/child.ts';
import { findReferences } from '../../server/build/docker/dockerfile.ts';
import { parseDiskLayout, parseRecipe } from '../../server/contract/image-json.ts';
import { dockerfileSteps } from './dockerfile-steps.ts';

/** What can be told of a recipe without building it. Debian's are built and booted by the other tests. */

const folder = mkdtempSync(join(tmpdir(), 'warmboot-recipes-'));
afterAll(() => rmSync(folder, { recursive: true }));

const FAMILIES = {
  debian: ['debian-11', 'debian-12', 'debian-13', 'ubuntu-22.04', 'ubuntu-24.04'],
  redhat: ['centos-7', 'centos-8', 'rocky-8', 'rocky-9', 'alma-8', 'alma-9'],
} as const;
type Family = keyof typeof FAMILIES;
const RECIPES = (Object.keys(FAMILIES) as Family[]).flatMap((family) =>
  FAMILIES[family].map((name) => [family, name] as const),
);

const dockerfile = (name: string) => readFileSync(`images/${name}/Dockerfile`, 'utf8');
const steps = (name: string) => dockerfileSteps(dockerfile(name));
const runs = (name: string) => steps(name).filter(({ keyword }) => keyword === 'RUN');
const installOf = (name: string) =>
  runs(name).find(({ text }) => /(?:apt-get|yum|dnf) install/.test(text))?.text ?? '';

test('every folder of images/ that makes an OS is of a known family', () => {
  const all = readdirSync('images', { withFileTypes: true })
    .filter((entry) => entry.isDirectory() && entry.name !== 'disks')
    .filter(({ name }) => JSON.parse(readFileSync(`images/${name}/image.json`, 'utf8')).kind === 'os')
    .map(({ name }) => name);
  expect(all.toSorted()).toEqual(RECIPES.map(([, name]) => name).toSorted());
});

/** The slots of each layout that comes with Warmboot. */
const SLOT_BYTES = readdirSync('images/disks').map((file) => {
  const read = parseDiskLayout(readFileSync(`images/disks/${file}`, 'utf8'));
  return read.ok ? read.value.slotBytes : 0;
});

describe.each(RECIPES)('%s: %s', (family, name) => {
  test('its image.json is right', () => {
    const read = parseRecipe(readFileSync(`images/${name}/image.json`, 'utf8'));
    expect(read).toMatchObject({
      ok: true,
      value: { kind: 'os', filesystem: { type: family === 'debian' ? 'ext4' : 'xfs' } },
    });
    expect(read.ok && read.value.kind === 'os' && read.value.append).toContain('console=ttyS0');
  });

  test('a disk layout has slots that hold it', () => {
    const read = parseRecipe(readFileSync(`images/${name}/image.json`, 'utf8'));
    const { size } = (read.ok && read.value.kind === 'os' && read.value.filesystem) || { size: Infinity };
    expect(Math.max(...SLOT_BYTES)).toBeGreaterThanOrEqual(size);
  });

  test('base first, packages before settings, the agent last', () => {
    const all = steps(name).map(({ keyword, text }) => `${keyword} ${text}`);
    const at = (part: RegExp | string) =>
      all.findIndex((step) => (typeof part === 'string' ? step.includes(part) : part.test(step)));
    const initrd = at('--from=warmboot/common /initrd/');
    expect(all[0]).toMatch(/^FROM [a-z/]+:[a-z0-9.]+$/);
    expect(initrd).toBeGreaterThan(0);
    expect(at(/(?:apt-get|yum|dnf) install/)).toBeGreaterThan(initrd);
    expect(all.slice(-2)).toEqual([
      `COPY --from=warmboot/common /${family}/ /`,
      'COPY --from=warmboot/agent / /',
    ]);
    expect(findReferences(dockerfile(name)).images.slice(1).toSorted()).toEqual([
      'warmboot/agent',
      'warmboot/common',
    ]);
  });

  test('it has what the checks ask for', () => {
    const packages = new Set(installOf(name).split(/\s+/));
    const common = ['dbus', 'e2fsprogs', 'kexec-tools', 'kmod', 'passwd'];
    const own =
      family === 'debian'
        ? ['busybox', 'ca-certificates', 'curl', 'initramfs-tools', 'login', 'systemd-sysv', 'udev', 'zstd']
        : [
            'dracut',
            'gawk',
            'linux-firmware',
            'microcode_ctl',
            'kernel',
            'NetworkManager',
            'selinux-policy-targeted',
            'systemd',
            'util-linux',
            'xfsprogs',
          ];
    for (const each of [...common, ...own]) expect(packages).toContain(each);
    if (family === 'debian') expect([...packages].join(' ')).toMatch(/linux-image-(amd64|generic)/);
    const all = runs(name)
      .map(({ text }) => text)
      .join('\n');
    expect(all).toContain('systemctl set-default multi-user.target');
    expect(all).toContain('rm -f');
    expect(all).toMatch(/\/etc\/ssh\/ssh_host_\*/);
    expect(all).toMatch(/\/var\/lib\/dbus\/machine-id/);
    if (family === 'redhat') {
      expect(all).toContain('dracut --force --no-hostonly --kver "$release" "/boot/initramfs-$release.img"');
      expect(all).toContain('find /etc/systemd/system -lname /dev/null -delete');
      expect(all).toContain("sed -i 's/^SELINUX=.*/SELINUX=permissive/' /etc/selinux/config");
      expect(all).toContain('systemctl enable NetworkManager.service');
    } else expect(all).toContain('systemctl enable systemd-networkd.service systemd-resolved.service');
  });

  test('what the package manager fetched does not stay in the layer', () => {
    const install = installOf(name);
    if (family === 'debian') {
      expect(install).toContain('apt-get clean');
      expect(install).toContain('/var/lib/apt/lists/*');
      expect(install).toContain('--no-install-recommends');
    } else {
      expect(install).toMatch(/(yum|dnf) clean all/);
      expect(install).toMatch(/rm -rf \/var\/cache\/(yum|dnf)/);
    }
  });

  test('root is locked unless a hash is given', () => {
    const arg = steps(name).find(({ keyword }) => keyword === 'ARG');
    expect(arg?.text).toBe('ROOT_PASSWORD_HASH=!');
    expect(dockerfile(name)).not.toMatch(/\$6\$|chpasswd|authorized_keys/);
  });

  test('shellcheck has nothing to say about its commands', async () => {
    const files = runs(name).map(({ text }, i) => {
      const file = join(folder, `${name}-${i}.sh`);
      // Arguments of the build are variables that no script sets; `$releasever` is for yum to fill in.
      writeFileSync(file, `# shellcheck shell=sh disable=SC2154,SC2016\n${text}\n`);
      return file;
    });
    expect(files.length).toBeGreaterThan(1);
    const { stdout } = hasStarted('shellcheck', await execa('shellcheck', files, { reject: false }));
    expect(stdout).toBe('');
  });
});

test.each(Object.entries(FAMILIES))('the recipes of %s differ in base and packages only', (_, names) => {
  const own = /^sed -i -e .*yum\.repos\.d|(?:apt-get|yum|dnf) install/s;
  const shared = names.map((name) =>
    runs(name)
      .filter(({ text }) => !own.test(text))
      // CentOS 7 knows no timer of dnf.
      .map(({ text }) => text.replace('dnf-makecache.timer ', ''))
      .join('\n'),
  );
  expect(shared[0]).not.toBe('');
  expect(new Set(shared).size).toBe(1);
});

test('the PARTUUID that CentOS 7 works out for an msdos disk is the kernel’s', () => {
  const disk = join(folder, 'disk');
  writeFileSync(disk, Buffer.alloc(1 << 20));
  execFileSync('/sbin/sfdisk', ['-q', disk], {
    input: 'label: dos\nlabel-id: 0x1234abcd\nstart=64, size=64\n',
  });
  const program = 'images/centos-7/rootfs/usr/lib/udev/warmboot-partuuid';
  const said = (number: string) =>
    execFileSync(program, ['disk', number], { env: { ...process.env, WB_DEV: folder }, encoding: 'utf8' });
  expect([said('1'), said('10')]).toEqual(['1234abcd-01\n', '1234abcd-0a\n']);
  const rule = readFileSync('images/centos-7/rootfs/etc/udev/rules.d/61-warmboot-partuuid.rules', 'utf8');
  expect(rule).toContain('PROGRAM="/usr/lib/udev/warmboot-partuuid %P %n"');
});

test('a start that ends in CentOS 7’s initrd restarts the machine where rd.emergency=reboot asks for it', () => {
  const module = 'images/centos-7/rootfs/usr/lib/dracut/modules.d/99warmboot';
  const asked = execFileSync(
    'bash',
    [
      '-euc',
      `moddir=/m; inst_hook() { echo "$*"; }; . ${module}/module-setup.sh; check && depends && install`,
    ],
    { encoding: 'utf8' },
  );
  expect(asked).toBe('emergency 90 /m/back-to-firmware.sh\n');
  const hook = readFileSync(`${module}/back-to-firmware.sh`, 'utf8').replace('/proc/sysrq-trigger', '$OUT');
  const out = join(folder, 'sysrq');
  for (const trial of ['1', '0']) {
    writeFileSync(out, '');
    const played = `warn() { :; }; sleep() { :; }; getarg() { [ "$1" = rd.emergency=reboot ] && [ ${trial} = 1 ]; }`;
    execFileSync('sh', ['-c', `${played}\n${hook}`], { env: { ...process.env, OUT: out } });
    expect(readFileSync(out, 'utf8')).toBe(trial === '1' ? 'b\n' : '');
  }
});

describe('the vault', () => {
  /** As the base images have them: mirrors on, the base address commented out. */
  const REPOS = {
    'centos-7': '#baseurl=http://mirror.centos.org/centos/$releasever/os/$basearch/',
    'centos-8': '#baseurl=http://mirror.centos.org/$contentdir/$releasever/BaseOS/$basearch/os/',
  };
  test.each([
    ['centos-7', 'baseurl=http://vault.centos.org/7.9.2009/os/$basearch/'],
    ['centos-8', 'baseurl=http://vault.centos.org/8.5.2111/BaseOS/$basearch/os/'],
  ] as const)('%s fetches from it', (name, address) => {
    const all = steps(name);
    const sed = all.findIndex(({ text }) => text.startsWith('sed'));
    expect(sed).toBeLessThan(all.findIndex(({ text }) => /(?:yum|dnf) install/.test(text)));
    const repo = join(folder, 'CentOS-Base.repo');
    writeFileSync(
      repo,
      `[base]\nmirrorlist=http://mirrorlist.centos.org/?release=7\n${REPOS[name]}\ngpgcheck=1\n`,
    );
    execFileSync('sh', ['-c', (all[sed]?.text ?? '').replace('/etc/yum.repos.d/', `${folder}/`)]);
    expect(readFileSync(repo, 'utf8').split('\n').slice(1, 4)).toEqual([
      '#mirrorlist=http://mirrorlist.centos.org/?release=7',
      address,
      'gpgcheck=1',
    ]);
  });
});

test('dracut’s settings are a script that it can read', () => {
  for (const file of ['common/initrd/dracut.conf', 'centos-7/rootfs/etc/dracut.conf.d/91-partuuid.conf'])
    execFileSync('bash', ['-euc', `hostonly= add_drivers= filesystems= install_items=; . ./images/${file}`]);
});
