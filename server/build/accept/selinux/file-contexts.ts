import type { Latin1, NodeType } from '../../../filesystems/node.ts';
import { type PathPattern, parsePattern } from './pattern.ts';

/** One line of file_contexts. Source: selabel_file(5), "FILE FORMAT". */
export interface ContextSpec extends PathPattern {
  /** The kind of file that it is for; null for all. */
  readonly type: NodeType | 'socket' | null;
  /** Null where the line says that such files get none (`<<none>>`). */
  readonly context: string | null;
}

/** A line that cannot be used. */
export interface ContextFault {
  /** File and number: "file_contexts:17". */
  readonly place: string;
  readonly text: string;
}

const TYPES: ReadonlyMap<string, NodeType | 'socket'> = new Map([
  ['--', 'file'],
  ['-b', 'block'],
  ['-c', 'character'],
  ['-d', 'directory'],
  ['-l', 'symlink'],
  ['-p', 'fifo'],
  ['-s', 'socket'],
]);

/** The specifications in the order of their lines, and the lines that are none. `name` is for the faults. */
export function parseFileContexts(
  text: Latin1,
  name: string,
): { specs: ContextSpec[]; faults: ContextFault[] } {
  const specs: ContextSpec[] = [];
  const faults: ContextFault[] = [];
  for (const [i, raw] of text.split('\n').entries()) {
    const line = raw.trim();
    if (line === '' || line.startsWith('#')) continue;
    const words = line.split(/[ \t]+/);
    const [path = '', flag] = words;
    const context = words[words.length - 1] ?? '';
    const type = words.length === 3 ? TYPES.get(flag ?? '') : null;
    const pattern = words.length === 2 || words.length === 3 ? parsePattern(path) : null;
    if (pattern && type !== undefined)
      specs.push({ ...pattern, type, context: context === '<<none>>' ? null : context });
    else faults.push({ place: `${name}:${i + 1}`, text: line });
  }
  return { specs, faults };
}

/** A folder that is labelled as if it lay elsewhere: `from` is replaced by `to` at the beginning of a path. */
export interface PathAlias {
  readonly from: Latin1;
  readonly to: Latin1;
}

/** The lines of file_contexts.subs and file_contexts.subs_dist. */
export function parseAliases(text: Latin1): PathAlias[] {
  return text
    .split('\n')
    .map((line) => line.trim().split(/[ \t]+/))
    .filter(([from = '', to]) => from !== '' && !from.startsWith('#') && to !== undefined)
    .map(([from = '', to = '']) => ({ from, to }));
}
