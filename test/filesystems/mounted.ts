import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';

/** Runs a shell script in a folder where an image is mounted, in a mount namespace of its own. @returns its output */
export function inMounted(image: string, options: string, script: string, input?: Buffer): Buffer {
  const folder = `${image}.mnt`;
  mkdirSync(folder, { recursive: true });
  return execFileSync(
    'unshare',
    [
      '-m',
      'sh',
      '-ec',
      `mount -o "loop,$2" "$1" "$3"; cd "$3"; ${script}\ncd /; umount "$3"`,
      'sh',
      image,
      options,
      folder,
    ],
    { maxBuffer: 1 << 30, input: input ?? '', stdio: ['pipe', 'pipe', 'inherit'] },
  );
}

/** Loop mounts need root and a kernel that has them. */
export function canMount(image: string): boolean {
  mkdirSync(`${image}.mnt`, { recursive: true });
  return (
    spawnSync('unshare', ['-m', 'sh', '-ec', 'mount -o loop,ro "$1" "$1.mnt"; umount "$1.mnt"', 'sh', image])
      .status === 0
  );
}

/** What the kernel says about a file. */
export interface Seen {
  /** As `find` writes it: f, d, l, c, b, p. */
  readonly type: string;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly links: number;
  readonly size: number;
  /** Seconds and nanoseconds as text. */
  readonly mtime: string;
  readonly link: string;
}

/** Everything below the root of a mounted image, lost+found left out, by path (bytes as latin1). */
export function listMounted(image: string): Map<string, Seen> {
  const format = '%P\\0%y\\0%m\\0%U\\0%G\\0%n\\0%s\\0%T@\\0%l\\0';
  const words = inMounted(image, 'ro', `find . -mindepth 1 -printf '${format}'`)
    .toString('latin1')
    .split('\0');
  const found = new Map<string, Seen>();
  for (let i = 0; i + 9 <= words.length; i += 9) {
    const [path = '', type = '', mode = '', uid, gid, links, size, mtime = '', link = ''] = words.slice(
      i,
      i + 9,
    );
    if (path === 'lost+found') continue;
    found.set(path, {
      type,
      mode: Number.parseInt(mode, 8),
      uid: Number(uid),
      gid: Number(gid),
      links: Number(links),
      size: Number(size),
      mtime,
      link,
    });
  }
  return found;
}
