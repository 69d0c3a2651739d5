/** The parts of the tests, in the order in which they run. */
export const PARTS = ['unit', 'interop', 'e2e'] as const;
export type Part = (typeof PARTS)[number];

export interface RunOptions {
  readonly parts: readonly Part[];
  /** With the long files, and full counts in all others. */
  readonly all: boolean;
  /** The default tier, then those long files that the change since this revision touches. */
  readonly changedSince: string | null;
  /** Of an explicit run: paths or parts of paths of test files. */
  readonly files: readonly string[];
  /** Further arguments of vitest. */
  readonly vitest: readonly string[];
}

export const USAGE = `./warmboot test [unit|interop|e2e] [--all] [--changed [REV]] [FILE…] [vitest options]

  (nothing)        the default tier: checks, unit, interop and e2e tests
  unit|interop|e2e one part of it
  --all            everything, with full counts
  --changed [REV]  the default tier, then the long tests that the change since REV touches
                   (REV: HEAD if not given, which means what is not committed yet)
  FILE             test files by path or part of it
`;

/** @throws Error with a sentence about what does not fit together */
export function parseOptions(args: readonly string[]): RunOptions {
  const parts = new Set<Part>();
  const files: string[] = [];
  const vitest: string[] = [];
  let all = false;
  let changedSince: string | null = null;
  for (let at = 0; at < args.length; at += 1) {
    const word = args[at] as string;
    const next = args[at + 1];
    if (isPart(word)) parts.add(word);
    else if (word === '--all') all = true;
    else if (word === '--changed') {
      const given = next !== undefined && !next.startsWith('-') && !isPart(next);
      changedSince = given ? next : 'HEAD';
      if (given) at += 1;
    } else if (word.startsWith('--changed=')) changedSince = word.slice('--changed='.length);
    else if (/^-t$|^--testNamePattern$/.test(word) && next !== undefined) {
      vitest.push(word, next);
      at += 1;
    } else if (word.startsWith('-')) vitest.push(word);
    else files.push(word);
  }
  if (all && changedSince !== null)
    throw new Error('--all runs what --changed would add and all the rest: give one of the two.');
  if (changedSince !== null && files.length > 0)
    throw new Error('--changed chooses files by itself: leave the file names out.');
  return {
    parts: parts.size > 0 ? PARTS.filter((part) => parts.has(part)) : partsOf(files),
    all,
    changedSince,
    files,
    vitest,
  };
}

function isPart(word: string): word is Part {
  return (PARTS as readonly string[]).includes(word);
}

/** A path says which part it belongs to; a part of a name may belong to any. */
function partsOf(files: readonly string[]): readonly Part[] {
  const paths = files.map((file) => /(?:^|\/)test\/(interop|e2e|[^/]+)/.exec(file)?.[1]);
  if (files.length === 0 || paths.includes(undefined)) return PARTS;
  return PARTS.filter((part) =>
    paths.some((folder) => part === (folder !== undefined && isPart(folder) ? folder : 'unit')),
  );
}
