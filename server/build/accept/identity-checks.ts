import { readText } from '../tree/tree-file.ts';
import { type CheckedImage, type CheckFailure, failure, forFamily } from './check.ts';
import { hasUnit } from './tree-questions.ts';

/** What must differ from host to host, and what must tell which OS this is. */
export function checkMachineId({ tree }: CheckedImage): CheckFailure[] {
  const baked = ['etc/machine-id', 'var/lib/dbus/machine-id'].find((path) => {
    const text = readText(tree, path)?.trim() ?? '';
    return text !== '' && text !== 'uninitialized';
  });
  if (baked === undefined) return [];
  return [
    failure(
      'machine-id',
      `/${baked} is baked into the image: all hosts would have one machine id`,
      'RUN rm -f /var/lib/dbus/machine-id && truncate -s 0 /etc/machine-id',
    ),
  ];
}

export function checkHostKeys({ tree, os }: CheckedImage): CheckFailure[] {
  const names = [...(tree.resolve('etc/ssh')?.node.children?.keys() ?? [])];
  const baked = names.find((name) => /^ssh_host_.*_key$/.test(name));
  if (baked === undefined) return [];
  return [
    failure(
      'ssh-host-keys',
      `/etc/ssh/${baked} is baked into the image: all hosts would share one private key`,
      hasUnit(tree, 'sshd-keygen.service')
        ? REMOVE_KEYS
        : forFamily(os, { debian: MAKE_KEYS, redHat: REMOVE_KEYS }),
    ),
  ];
}

const REMOVE_KEYS = 'RUN rm -f /etc/ssh/ssh_host_*';
/** Before Debian 13 nothing makes keys that are gone, and sshd does not start without. */
const MAKE_KEYS = String.raw`${REMOVE_KEYS} && mkdir -p /etc/systemd/system/ssh.service.d && printf '[Service]\nExecStartPre=\nExecStartPre=/usr/bin/ssh-keygen -A\nExecStartPre=/usr/sbin/sshd -t\n' > /etc/systemd/system/ssh.service.d/host-keys.conf`;

export function checkOsRelease({ os }: CheckedImage): CheckFailure[] {
  if (os) return [];
  return [
    failure(
      'os-release',
      'there is no /etc/os-release: nobody could tell which OS this is',
      `RUN printf 'ID=linux\\nPRETTY_NAME="My Linux"\\n' > /etc/os-release`,
    ),
  ];
}
