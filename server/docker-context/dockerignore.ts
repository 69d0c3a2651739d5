import { posix } from 'node:path';
import { WarmbootError } from '../core/errors.ts';

/** What a .dockerignore says. Paths are relative to the context, with `/`. */
export interface Ignore {
  /** Whether the file or folder is left out: the last pattern that it, or a folder above it, matches decides. */
  ignores(path: string): boolean;
  /** Whether something below an ignored folder may be taken back by a `!` pattern. */
  mayKeepBelow(folder: string): boolean;
}

interface Pattern {
  readonly text: string;
  readonly isException: boolean;
  matches(path: string): boolean;
}

export const NOTHING_IGNORED: Ignore = { ignores: () => false, mayKeepBelow: () => false };

/**
 * Reads a .dockerignore by Docker's rules.
 * Source: Dockerfile reference, ".dockerignore file"; moby/patternmatcher, which all of Docker's builders use.
 * @param name the file's name, for the error
 * @throws WarmbootError `invalid` for a pattern that is none
 */
export function readDockerignore(text: string, name: string): Ignore {
  const patterns = text
    .replace(/^\ufeff/, '')
    .split('\n')
    .flatMap((line, i) => parseLine(line, `Line ${i + 1} of ${name}`));
  const exceptions = patterns.filter(({ isException }) => isException);
  return {
    ignores(path) {
      const steps = path.split('/');
      let above: readonly boolean[] = [];
      let ignored = false;
      // From the root down, as BuildKit walks: what a folder matched counts for everything in it.
      for (let depth = 1; depth <= steps.length; depth += 1) {
        const place = steps.slice(0, depth).join('/');
        const over = above;
        ignored = false;
        above = patterns.map(({ isException, matches }, i) => {
          // A pattern that could change nothing is not even asked.
          const matched = over[i] === true || (isException === ignored && matches(place));
          if (matched) ignored = !isException;
          return matched;
        });
      }
      return ignored;
    },
    mayKeepBelow: (folder) =>
      exceptions.some(({ text }) => /[*?[\\]/.test(text) || `${text}/`.startsWith(`${folder}/`)),
  };
}

function parseLine(line: string, place: string): Pattern[] {
  if (line.startsWith('#')) return [];
  const trimmed = line.trim();
  const isException = trimmed.startsWith('!');
  const said = isException ? trimmed.slice(1).trim() : trimmed;
  if (trimmed === '') return [];
  if (said === '')
    throw new WarmbootError('invalid', `${place} is a "!" without a pattern. Write what to keep.`);
  const clean = posix.normalize(said).replace(/(.)\/+$/, '$1');
  const text = clean.length > 1 && clean.startsWith('/') ? clean.slice(1) : clean;
  try {
    return [{ text, isException, matches: matcherOf(text) }];
  } catch {
    throw new WarmbootError(
      'invalid',
      `${place} is no pattern: "${said}". Close its bracket, or escape it with "\\".`,
    );
  }
}

/** Go's path patterns with `**` for any number of folders. */
function matcherOf(pattern: string): (path: string) => boolean {
  const tail = pattern.slice(2);
  if (pattern.startsWith('**') && !/[*?[\]\\]/.test(tail)) {
    // "**/x" is x at any depth; "**x" is whatever ends in x.
    return (path) => path.endsWith(tail) || (tail.startsWith('/') && path === tail.slice(1));
  }
  let source = '';
  for (let at = 0; at < pattern.length; at += 1) {
    const sign = pattern[at] ?? '';
    if (sign === '*' && pattern[at + 1] === '*') {
      at += pattern[at + 2] === '/' ? 2 : 1;
      source += at + 1 >= pattern.length ? '.*' : '(.*/)?';
    } else if (sign === '*') source += '[^/]*';
    else if (sign === '?') source += '[^/]';
    else if ('.+()|{}$'.includes(sign)) source += `\\${sign}`;
    else if (sign === '\\') {
      at += 1;
      if (at >= pattern.length) throw new SyntaxError('nothing is escaped');
      source += (pattern[at] ?? '').replace(/[^\w]/u, '\\$&');
    } else source += sign;
  }
  const expression = new RegExp(`^${source}$`, 's');
  return (path) => expression.test(path);
}
