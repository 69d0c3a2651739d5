import type { Latin1, NodeType } from '../../../filesystems/node.ts';
import type { ContextSpec, PathAlias } from './file-contexts.ts';

export interface FileContexts {
  /** In the order of the lines: file_contexts, then .homedirs, then .local. */
  readonly specs: readonly ContextSpec[];
  /** file_contexts.subs: applied first. */
  readonly aliases: readonly PathAlias[];
  /** file_contexts.subs_dist: applied to what the former gave. */
  readonly distributionAliases: readonly PathAlias[];
}

/** The context of a file by its absolute path; null when it gets none. */
export type ContextLookup = (path: Latin1, type: NodeType) => string | null;

/** Folders this deep have their own short list of specifications that can match below them. */
const LISTED_DEPTH = 3;

/**
 * Which specification decides: one without special characters before any other, of several the last line. As libselinux
 * does, whose policies are sorted so that the last line is the most specific. (Of two lines for the very same path, and of
 * two aliases that both fit, libselinux 3.8 began to take the first; the distributions' own are written for the last.)
 * Source: selabel_file(5), "NOTES"; selabel_lookup(3).
 */
export function contextLookup({ specs, aliases, distributionAliases }: FileContexts): ContextLookup {
  const exact = new Map<Latin1, ContextSpec[]>();
  const patterns: ContextSpec[] = [];
  for (const spec of specs.toReversed()) {
    if (spec.exact === null) patterns.push(spec);
    else if (!exact.get(spec.exact)?.push(spec)) exact.set(spec.exact, [spec]);
  }
  const lists = new Map<Latin1, readonly ContextSpec[]>([['', patterns]]);

  /** The patterns that can match something below this folder, last line first. */
  const listFor = (folder: Latin1): readonly ContextSpec[] => {
    const known = lists.get(folder);
    if (known) return known;
    const start = `${folder}/`;
    const list = listFor(folder.slice(0, folder.lastIndexOf('/'))).filter(
      ({ prefix }) => start.startsWith(prefix) || prefix.startsWith(start),
    );
    lists.set(folder, list);
    return list;
  };

  return (path, type) => {
    const key = applyAliases(distributionAliases, applyAliases(aliases, path));
    const fits = (spec: ContextSpec) => spec.type === null || spec.type === type;
    const named = exact.get(key)?.find(fits);
    if (named) return named.context;
    const folder = key.split('/', LISTED_DEPTH + 1);
    if (key.split('/').length <= LISTED_DEPTH + 1) folder.pop();
    const list = listFor(folder.join('/'));
    return (
      list.find((spec) => fits(spec) && key.startsWith(spec.prefix) && spec.regex.test(key))?.context ?? null
    );
  };
}

/** Of several that fit the last line counts. */
function applyAliases(aliases: readonly PathAlias[], path: Latin1): Latin1 {
  const alias = aliases.findLast(
    ({ from }) => path.startsWith(from) && (path.length === from.length || path[from.length] === '/'),
  );
  if (!alias) return path;
  const rest = path.slice(alias.from.length);
  return alias.to === '/' && rest !== '' ? rest : alias.to + rest;
}
