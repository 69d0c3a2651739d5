/**
 * Where a host's own file may be put. `warmboot-helper apply-files` holds the same rules on the host, for what the server says is
 * not enough there (`test/fixtures/host-file-paths.txt` is read by the tests of both).
 */

/** As long as the name of a tar header is, so that no reader needs to join two fields. In bytes, all of them ASCII. */
export const MOST_PATH_BYTES = 100;

/** Everything here means itself to a shell, in a list of lines, and in an address. */
const PART = /^[A-Za-z0-9._@+:,=~-]+$/;

/** What the kernel or the boot has there, or what is a link in systems of today: nothing of it, and nothing below it. */
const CLOSED: readonly { readonly at: readonly string[]; readonly why: string }[] = [
  {
    at: ['proc', 'sys', 'dev', 'run', 'var/run', 'var/lock'],
    why: 'the kernel, or the system at each boot, fills that',
  },
  { at: ['boot'], why: 'what is booted is written by Warmboot alone' },
  { at: ['data'], why: 'the data partition is mounted over it' },
  {
    at: ['bin', 'sbin', 'lib', 'lib32', 'lib64', 'libx32'],
    why: 'it is a link in systems of today: write below usr',
  },
  { at: ['usr/lib/warmboot', 'var/lib/warmboot'], why: 'the agent lives there' },
  {
    at: ['usr/sbin/init', 'usr/lib/systemd/systemd'],
    why: 'a host without its init cannot even go back by itself',
  },
  { at: ['etc/machine-id'], why: 'Warmboot keeps it, the same in every slot' },
];

/** Warmboot keeps them, the same in every slot. */
const HOST_KEY = /^etc\/ssh\/ssh_host_/;

/** What is in this folder becomes the seed of cloud-init's data source NoCloud. */
export const SEED = 'seed';
const SEED_FILES = ['user-data', 'meta-data', 'vendor-data', 'network-config'];

/**
 * Why no file of a host can have this path, in a sentence; null where it can.
 * @param path from the root, without a slash before it
 */
export function unusablePath(path: string): string | null {
  const shown = JSON.stringify(path.slice(0, MOST_PATH_BYTES));
  if (path === '') return 'A file needs a path, as in etc/motd.';
  if (path.length > MOST_PATH_BYTES)
    return `The path ${shown}… is longer than ${MOST_PATH_BYTES} bytes. Write a shorter one.`;
  const parts = path.split('/');
  if (parts.includes(''))
    return `The path ${shown} begins or ends with a slash, or has two of them together.`;
  if (parts.some((part) => part === '.' || part === '..'))
    return `The path ${shown} has a part "." or "..". Write it from the root, as in etc/motd.`;
  if (!parts.every((part) => PART.test(part)))
    return `The path ${shown} has other characters than letters, digits and . _ @ + : , = ~ - between its slashes.`;
  const closed = CLOSED.find(({ at }) => at.some((place) => path === place || path.startsWith(`${place}/`)));
  if (closed) return `A host's file cannot be ${shown}: ${closed.why}.`;
  if (HOST_KEY.test(path))
    return `A host's file cannot be ${shown}: Warmboot keeps the SSH host keys, the same in every slot.`;
  if (parts[0] === SEED && !(parts.length === 2 && SEED_FILES.includes(parts[1] ?? '')))
    return `In ${SEED}/ are only ${SEED_FILES.join(', ')}: cloud-init reads nothing else there.`;
  return null;
}
