/** A file for an initramfs. */
export type CpioFile = {
  readonly path: string;
  readonly mode: number;
  readonly content: string | Uint8Array;
};

/**
 * A newc archive (cpio(5), "New ASCII Format"; kernel Documentation/driver-api/early-userspace/buffer-format.rst) of
 * files owned by root, their folders before them. The kernel unpacks it over the initrd it follows.
 */
export function cpioArchive(files: readonly CpioFile[], encode: (text: string) => Uint8Array): Uint8Array {
  const folders = new Set(files.flatMap(({ path }) => parents(path)));
  const entries = [
    ...[...folders].sort().map((path) => ({ path, mode: 0o040755, content: '' })),
    ...files.map((file) => ({ ...file, mode: 0o100000 | file.mode })),
    { path: 'TRAILER!!!', mode: 0, content: '' },
  ];
  const parts = entries.flatMap(({ path, mode, content }, index) => {
    const name = encode(`${path}\0`);
    const body = typeof content === 'string' ? encode(content) : content;
    const fields = [index + 1, mode, 0, 0, 1, 0, body.length, 0, 0, 0, 0, name.length, 0];
    const header = encode(`070701${fields.map((field) => field.toString(16).padStart(8, '0')).join('')}`);
    return [header, name, padding(header.length + name.length), body, padding(body.length)];
  });
  const archive = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let offset = 0;
  for (const part of parts) {
    archive.set(part, offset);
    offset += part.length;
  }
  return archive;
}

function parents(path: string): string[] {
  const parts = path.split('/').slice(0, -1);
  return parts.map((_, index) => parts.slice(0, index + 1).join('/'));
}

function padding(length: number): Uint8Array {
  return new Uint8Array((4 - (length % 4)) % 4);
}
