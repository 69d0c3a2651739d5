import type { z } from 'zod';
import { WarmbootError } from '../core/errors.ts';

type Issue = z.core.$ZodIssue;

/**
 * What a schema refuses, in a sentence without the schema's own language.
 * @param whole as that is called which the schema is of
 */
export function refusalOf(error: z.ZodError, whole: string): WarmbootError {
  const [issue] = error.issues;
  const where = issue?.path.join('.') || whole;
  return new WarmbootError(
    'malformed',
    `The request cannot be taken: ${where}: ${issue ? wordsFor(issue, whole !== 'the body') : 'is not valid'}.`,
  );
}

const KINDS: Readonly<Record<string, string>> = {
  string: 'text',
  number: 'number',
  int: 'whole number',
  array: 'list',
  object: 'object',
  record: 'object',
};

/** @param mayRepeat whether it is of a query: what is named twice there comes as a list */
function wordsFor(issue: Issue, mayRepeat: boolean): string {
  switch (issue.code) {
    case 'invalid_type':
      if (issue.message.endsWith('received undefined')) return 'is missing';
      if (mayRepeat && issue.message.endsWith('received array')) return 'is given more than once';
      return issue.expected === 'boolean'
        ? 'is neither true nor false'
        : `is no ${KINDS[issue.expected] ?? issue.expected}`;
    case 'too_big':
      return `${sized(issue.origin, 'more than', issue.maximum)}`;
    case 'too_small':
      return issue.origin !== 'number' && issue.minimum === 1
        ? 'is empty'
        : sized(issue.origin, 'less than', issue.minimum);
    case 'unrecognized_keys':
      return `${issue.keys.map((key) => `"${key.slice(0, 64)}"`).join(', ')} is not known`;
    case 'invalid_value':
      return `is none of ${issue.values.join(', ')}`;
    case 'invalid_key':
      return issue.issues[0] ? `its name ${wordsFor(issue.issues[0], mayRepeat)}` : issue.message;
    default:
      return issue.message;
  }
}

function sized(origin: string, relation: string, limit: number | bigint): string {
  if (origin === 'string') return `has ${relation} ${limit} characters`;
  return origin === 'array' ? `has ${relation} ${limit} entries` : `is ${relation} ${limit}`;
}
