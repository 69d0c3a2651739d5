import { execFileSync } from 'node:child_process';

/** A file as ext4 has it, read with debugfs and without a mount. */
export interface Listed {
  readonly ino: number;
  /** With the type's bits, as in struct stat. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly size: number;
  readonly links: number;
  readonly mtime: number;
  /** Target of a symlink, or "major:minor" of a device. */
  readonly target: string;
  /** "name (bytes) = value" of each xattr. */
  readonly xattrs: readonly string[];
}

/** Everything below the root, by path (latin1, no leading slash); lost+found left out. */
export function listExt4(image: string): Map<string, Listed> {
  const found = new Map<string, { ino: number; mode: number; uid: number; gid: number; size: number }>();
  let open: { path: string; ino: number }[] = [{ path: '', ino: 2 }];
  while (open.length > 0) {
    const answers = debugfs(
      image,
      open.map(({ ino }) => `ls -p <${ino}>`),
    );
    const next: typeof open = [];
    // A name may hold a newline, never a slash.
    for (const [i, { path }] of open.entries())
      for (const [, ino, mode, uid, gid, name = '', size] of (answers[i] ?? '').matchAll(
        /^\/(\d+)\/(\d+)\/(-?\d+)\/(-?\d+)\/([^/]*)\/(\d*)\/$/gm,
      )) {
        if (name === '.' || name === '..' || name === '') continue;
        const full = path === '' ? unescapeName(name) : `${path}/${unescapeName(name)}`;
        if (full === 'lost+found') continue;
        const entry = {
          ino: Number(ino),
          mode: Number.parseInt(mode ?? '', 8),
          uid: Number(uid) >>> 0,
          gid: Number(gid) >>> 0,
          size: Number(size),
        };
        found.set(full, entry);
        if (mode?.startsWith('04')) next.push({ path: full, ino: entry.ino });
      }
    open = next;
  }
  const entries = [...found];
  const stats = debugfs(
    image,
    entries.map(([, { ino }]) => `stat <${ino}>`),
  );
  const targets = debugfs(
    image,
    entries.map(([, { ino, mode }]) => ((mode & 0o170000) === 0o120000 ? `cat <${ino}>` : 'pwd')),
  );
  return new Map(
    entries.map(([path, entry], i) => [
      path,
      { ...entry, ...details(stats[i] ?? '', targets[i] ?? '', entry.mode) },
    ]),
  );
}

function details(stat: string, cat: string, mode: number) {
  const seconds = /mtime: 0x([0-9a-f]+)/.exec(stat)?.[1] ?? '0';
  const device = /Device major\/minor number: (\d+):(\d+)/.exec(stat);
  const link = /Fast link dest: "([^\n]*)"/.exec(stat)?.[1];
  const isLink = (mode & 0o170000) === 0o120000;
  return {
    links: Number(/Links: (\d+)/.exec(stat)?.[1]),
    mtime: Number.parseInt(seconds, 16) | 0,
    target: isLink ? (link ?? cat.trimEnd()) : device ? `${Number(device[1])}:${Number(device[2])}` : '',
    xattrs:
      /Extended attributes:\n((?: {2}.*\n)+)/
        .exec(`${stat}\n`)?.[1]
        ?.trim()
        .split('\n')
        .map((line) => line.trim()) ?? [],
  };
}

/** The answer to each command, in order. */
function debugfs(image: string, commands: readonly string[]): string[] {
  const output = execFileSync('/sbin/debugfs', ['-f', '-', image], {
    input: commands.map((command) => `${command}\n`).join(''),
    encoding: 'latin1',
    maxBuffer: 1 << 30,
    stdio: ['pipe', 'pipe', 'ignore'],
  });
  // `cat` ends without a newline where the file does, so the prompt may stand within a line.
  return output.split(/debugfs: (?:ls -p|stat|cat|pwd)\b.*\n/).slice(1);
}

/** debugfs writes bytes that do not print as \xNN. */
function unescapeName(name: string): string {
  return name.replace(/\\x([0-9a-f]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
}
