import type { FileTree } from '../../filesystems/file-tree.ts';
import { readText } from '../tree/tree-file.ts';

/** What /etc/os-release says. Source: os-release(5), defaults included. */
export interface OsRelease {
  readonly id: string;
  readonly version: string;
  readonly name: string;
  /** Families it is like, `id` first. */
  readonly like: readonly string[];
}

/** Null when the image has none. */
export function readOsRelease(tree: FileTree): OsRelease | null {
  const text = readText(tree, 'etc/os-release') ?? readText(tree, 'usr/lib/os-release');
  return text === null ? null : parseOsRelease(text);
}

export function parseOsRelease(text: string): OsRelease {
  const values = new Map<string, string>();
  for (const line of text.split('\n')) {
    const match = /^([A-Z0-9_]+)=(.*)$/.exec(line.trim());
    if (match?.[1]) values.set(match[1], unquote(match[2] ?? ''));
  }
  const id = values.get('ID') ?? 'linux';
  return {
    id,
    version: values.get('VERSION_ID') ?? '',
    name: values.get('PRETTY_NAME') ?? 'Linux',
    like: [id, ...(values.get('ID_LIKE') ?? '').split(' ').filter((word) => word !== '')],
  };
}

function unquote(value: string): string {
  const quoted = /^(["'])(.*)\1$/.exec(value);
  return (quoted ? (quoted[2] ?? '') : value).replace(/\\([\\"'$`])/g, '$1');
}
