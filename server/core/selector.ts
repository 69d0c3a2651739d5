/**
 * Label selectors in Kubernetes' grammar ("Labels and Selectors", set-based and equality-based): terms with commas between, all
 * of which must hold.
 *
 *     rack=r1            rack==r1        rack!=r1
 *     rack in (r1, r2)   rack notin (r1)
 *     spare              !spare
 *
 * `!=` and `notin` hold for hosts that have no such label, as in Kubernetes.
 */
export type Selector = readonly SelectorTerm[];

export type SelectorTerm = {
  readonly key: string;
  readonly operator: 'in' | 'notin' | 'exists' | 'absent';
  /** Empty for `exists` and `absent`. */
  readonly values: readonly string[];
};

export type SelectorRefusal = { readonly refused: string };

/** Longer ones are no typing error any more. */
const MAX_LENGTH = 1024;
/** Labels may hold what Kubernetes would not take; what the grammar itself needs cannot be selected. */
const WORD = /^[^\s,()=!]*$/;

/** @returns a refusal that quotes the term and says what was expected. An empty text selects everything. */
export function parseSelector(text: string): Selector | SelectorRefusal {
  if (text.length > MAX_LENGTH) return { refused: `it is longer than ${MAX_LENGTH} characters` };
  if (text.trim() === '') return [];
  const terms: SelectorTerm[] = [];
  for (const part of splitTerms(text)) {
    const term = parseTerm(part.trim());
    if ('refused' in term) return term;
    terms.push(term);
  }
  return terms;
}

export function matchesSelector(selector: Selector, labels: Readonly<Record<string, string>>): boolean {
  return selector.every(({ key, operator, values }) => {
    // Labels come as plain objects: `constructor` is none of them.
    const value = Object.hasOwn(labels, key) ? labels[key] : undefined;
    switch (operator) {
      case 'in':
        return value !== undefined && values.includes(value);
      case 'notin':
        return value === undefined || !values.includes(value);
      case 'exists':
        return value !== undefined;
      case 'absent':
        return value === undefined;
      default:
        return operator satisfies never;
    }
  });
}

/** At commas that are not inside parentheses. */
function splitTerms(text: string): string[] {
  const parts: string[] = [];
  let depth = 0;
  let part = '';
  for (const character of text) {
    if (character === ',' && depth === 0) {
      parts.push(part);
      part = '';
      continue;
    }
    if (character === '(') depth += 1;
    if (character === ')') depth = Math.max(0, depth - 1);
    part += character;
  }
  return [...parts, part];
}

function parseTerm(term: string): SelectorTerm | SelectorRefusal {
  if (term === '') return { refused: 'there is nothing between two commas, or at an end' };
  const set = /^(\S+?)\s+(in|notin)\s*\(([^()]*)\)$/.exec(term);
  if (set) return checked(term, set[1], set[2] === 'in' ? 'in' : 'notin', (set[3] ?? '').split(','));
  const equal = /^([^=!\s]+)\s*(==|=|!=)\s*([^=!]*)$/.exec(term);
  if (equal) return checked(term, equal[1], equal[2] === '!=' ? 'notin' : 'in', [equal[3] ?? '']);
  const bare = /^(!?)\s*([^=!\s()]+)$/.exec(term);
  if (bare) return checked(term, bare[2], bare[1] === '!' ? 'absent' : 'exists', []);
  if (/\s(?:in|notin)\b/.test(term))
    return {
      refused: `"${term}": the values of "in" and "notin" stand in parentheses, as in "rack in (r1, r2)"`,
    };
  return {
    refused: `"${term}" is no term: write KEY=VALUE, KEY!=VALUE, KEY in (A, B), KEY notin (A), KEY or !KEY`,
  };
}

function checked(
  term: string,
  key: string | undefined,
  operator: SelectorTerm['operator'],
  words: readonly string[],
): SelectorTerm | SelectorRefusal {
  if (!key || !WORD.test(key)) return { refused: `"${term}": "${key}" cannot be the key of a label` };
  const values = words.map((word) => word.trim());
  const bad = values.find((value) => !WORD.test(value));
  if (bad !== undefined) return { refused: `"${term}": "${bad}" cannot be the value of a label` };
  return { key, operator, values };
}
