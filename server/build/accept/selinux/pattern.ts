import type { Latin1 } from '../../../filesystems/node.ts';

/**
 * A path pattern of file_contexts: a Perl regular expression over bytes that must match the whole path.
 * Source: selabel_file(5); pcre2pattern(3).
 */
export interface PathPattern {
  /** The path itself, when nothing in the pattern is special; such a pattern goes before all others. */
  readonly exact: Latin1 | null;
  /** What every matching path begins with. */
  readonly prefix: Latin1;
  readonly regex: RegExp;
}

/** Null for an expression that this machine's regular expressions do not have, or would read differently. */
export function parsePattern(text: Latin1): PathPattern | null {
  const source = translate(text);
  if (source === null) return null;
  try {
    // Not in brackets, as libselinux does it: of alternatives at the top the first is bound to the start, the last to the end.
    const regex = new RegExp(`^${source}$`, 's');
    const { literal, whole } = literalStart(text);
    return { exact: whole ? literal : null, prefix: literal, regex };
  } catch {
    return null;
  }
}

const SPECIAL = '.^$?*+|[({';
const QUANTIFIERS = '?*{';

/** The text that stands for itself before the first special character, and whether that is all of it. */
function literalStart(text: Latin1): { literal: Latin1; whole: boolean } {
  // Alternatives at the top begin each as they like.
  if (hasTopAlternative(text)) return { literal: '', whole: false };
  let literal = '';
  for (let i = 0; i < text.length; i += 1) {
    const sign = text[i] ?? '';
    if (SPECIAL.includes(sign))
      // A quantifier makes what stands before it optional.
      return { literal: QUANTIFIERS.includes(sign) ? literal.slice(0, -1) : literal, whole: false };
    if (sign !== '\\') {
      literal += sign;
      continue;
    }
    i += 1;
    const escaped = text[i] ?? '';
    if (/[A-Za-z0-9]/.test(escaped)) return { literal, whole: false };
    literal += escaped;
  }
  return { literal, whole: true };
}

function hasTopAlternative(text: Latin1): boolean {
  let depth = 0;
  const bare = text.replace(/\\./gs, '').replace(/\[[^\]]+\]/g, '');
  for (const sign of bare) {
    if (sign === '(') depth += 1;
    if (sign === ')') depth -= 1;
    if (sign === '|' && depth === 0) return true;
  }
  return false;
}

/** POSIX's names for sets, in ASCII, as they are in the C locale. */
const SETS: Readonly<Record<string, string>> = {
  alnum: '0-9A-Za-z',
  alpha: 'A-Za-z',
  blank: ' \\t',
  digit: '0-9',
  lower: 'a-z',
  space: ' \\t\\n\\v\\f\\r',
  upper: 'A-Z',
  word: '0-9A-Z_a-z',
  xdigit: '0-9A-Fa-f',
};
/** Escapes with a letter or digit that mean the same here as there. */
const SAME_ESCAPES = /^[dDwWbBtnrfv1-9]$/;

/**
 * From Perl's expressions to JavaScript's. What both write alike but read differently is written anew, or refused: inside
 * a set the first `]`, names of sets; outside possessive quantifiers, verbs, escapes that JavaScript takes for letters.
 */
function translate(text: Latin1): string | null {
  let out = '';
  for (let i = 0; i < text.length; ) {
    const sign = text[i] ?? '';
    if (sign === '[') {
      const set = translateSet(text, i);
      if (!set) return null;
      out += set.source;
      i = set.end;
    } else if (sign === '\\') {
      const one = translateEscape(text, i);
      if (!one) return null;
      out += one.source === '\\s' ? `[${SETS.space}]` : one.source;
      i = one.end;
    } else if (text.startsWith('(*', i) || /^[?*+}]\+/.test(text.slice(i, i + 2))) {
      return null;
    } else {
      out += sign;
      i += 1;
    }
  }
  return out;
}

function translateSet(text: Latin1, start: number): { source: string; end: number } | null {
  let i = start + 1;
  let out = '[';
  if (text[i] === '^') {
    out += '^';
    i += 1;
  }
  if (text[i] === ']') {
    out += '\\]';
    i += 1;
  }
  while (i < text.length) {
    const sign = text[i] ?? '';
    if (sign === ']') return { source: `${out}]`, end: i + 1 };
    const named = /^\[:([a-z]+):\]/.exec(text.slice(i, i + 12));
    if (named) {
      const set = SETS[named[1] ?? ''];
      if (set === undefined) return null;
      out += set;
      i += named[0].length;
    } else if (/^\[[.:=]/.test(text.slice(i, i + 2))) {
      return null;
    } else if (sign === '\\') {
      const one = translateEscape(text, i);
      if (!one) return null;
      out += one.source === '\\s' ? SETS.space : one.source;
      i = one.end;
    } else {
      out += sign;
      i += 1;
    }
  }
  return null;
}

function translateEscape(text: Latin1, at: number): { source: string; end: number } | null {
  const hex = /^\\x[0-9A-Fa-f]{2}/.exec(text.slice(at, at + 4));
  if (hex) return { source: hex[0], end: at + 4 };
  const sign = text[at + 1];
  if (sign === undefined) return null;
  if (sign === 's' || SAME_ESCAPES.test(sign)) return { source: `\\${sign}`, end: at + 2 };
  return /[A-Za-z0-9]/.test(sign) ? null : { source: `\\${sign}`, end: at + 2 };
}
