import { readText } from '../tree/tree-file.ts';
import { type CheckedImage, type CheckFailure, failure } from './check.ts';

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

export function checkHostKeys({ tree }: CheckedImage): CheckFailure[] {
  const names = [...(tree.resolve('etc/ssh')?.node.children?.keys() ?? [])];
  const baked = names.find((name) => /^ssh_host_.*_key$/.test(name));
  if (baked === undefined) return [];
  return [
    failure(
      'ssh-host-keys',
      `/etc/ssh/${baked} is baked into the image: all hosts would share one private key`,
      'RUN rm -f /etc/ssh/ssh_host_*',
    ),
  ];
}

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
