/**
 * What is wrong with a file name, as text for the ERROR packet; null when nothing is. The names served are a fixed list, so
 * nothing below ever guards the disk: it tells an operator with a wrong DHCP option which mistake it was.
 */
export function refuseName(name: string): string | null {
  if (name.length === 0) return 'empty file name';
  if (name.length > 255) return 'file name longer than 255 bytes';
  if (!/^[\x20-\x7e]+$/.test(name)) return 'file name is not printable ASCII';
  if (name.includes('\\')) return 'no \\ in file names, please';
  if (name.startsWith('/')) return 'absolute path: ask for the bare file name, without /';
  if (name.split('/').includes('..')) return '.. in file name';
  if (name.includes('//')) return '// in file name';
  return null;
}
