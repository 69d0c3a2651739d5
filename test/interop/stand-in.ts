import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { cpioArchive } from '../build/accept/initrd-maker.ts';

/** The least that passes the checks but for the agent, on a base that is a few hundred files; `initrd.img` beside it comes from `standInInitrd`. */
export const BOOTABLE = `COPY initrd.img /boot/initrd.img-6.1.0-test
RUN mkdir -p /lib/modules/6.1.0-test /etc/systemd/system \\
 && echo kernel > /boot/vmlinuz-6.1.0-test && touch /lib/modules/6.1.0-test/modules.dep \\
 && printf '%s\\n' kernel/fs/ext4/ext4.ko kernel/fs/xfs/xfs.ko kernel/fs/fat/vfat.ko kernel/drivers/ata/ahci.ko > /lib/modules/6.1.0-test/modules.builtin \\
 && for f in /usr/sbin/init /usr/sbin/e2fsck /usr/bin/curl /usr/sbin/kexec; do echo '#!/bin/sh' > $f; chmod 755 $f; done \\
 && cd /etc/systemd/system && mkdir sysinit.target.wants && for u in multi-user.target systemd-udevd.service systemd-udev-trigger.service; do echo '[Unit]' > $u; done \\
 && ln -s ../systemd-udevd.service ../systemd-udev-trigger.service sysinit.target.wants/ && ln -s multi-user.target default.target
`;

/** What the checks ask of the agent, below a folder. */
const agentIn = (
  root: string,
) => `RUN cd ${root} && mkdir -p usr/lib/warmboot etc/systemd/system/multi-user.target.wants \\
 && echo '#!/bin/sh' > usr/lib/warmboot/agent && chmod 755 usr/lib/warmboot/agent && cd etc/systemd/system \\
 && for u in warmboot-agent warmboot-trial; do echo '[Unit]' > $u.service; ln -s ../$u.service multi-user.target.wants/; done
`;

export const READY = BOOTABLE + agentIn('/');

/** A Dockerfile for images/agent: as READY has it, and nothing else. */
export const AGENT = `FROM debian:trixie AS made
RUN mkdir /r
${agentIn('/r')}FROM scratch
COPY --from=made /r/ /
`;

export function standInInitrd(): Buffer {
  return cpioArchive(['init']);
}

/** A folder of images with one OS, `test-os`. @returns its path */
export function makeStandIn(root: string): string {
  const folder = join(root, 'images', 'test-os');
  mkdirSync(folder, { recursive: true });
  mkdirSync(join(root, 'images', 'disks'), { recursive: true });
  const recipe = { kind: 'os', filesystem: { type: 'ext4', size: '512MiB' }, append: 'console=tty0' };
  writeFileSync(join(folder, 'image.json'), JSON.stringify(recipe));
  writeFileSync(join(folder, 'Dockerfile'), `FROM debian:trixie\n${READY}`);
  writeFileSync(join(folder, 'initrd.img'), standInInitrd());
  return join(root, 'images');
}
