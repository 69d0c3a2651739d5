import { html as template } from 'hono/html';
import type { HtmlEscapedString } from 'hono/utils/html';

/** HTML that was made by a template: whatever else is put into one is escaped. */
export type Html = HtmlEscapedString;

/** What may stand in a template. False, null and undefined are nothing, so that `condition && part` can be written. */
export type Part = string | number | false | null | undefined | Html | readonly Part[];

/**
 * A template whose values are escaped, in text and in attributes (which are always quoted). Characters that turn the direction of
 * writing, or that no eye sees, are shown by their code: a host's label cannot make a line of a page say something else.
 */
export function html(strings: TemplateStringsArray, ...parts: readonly Part[]): Html {
  // Nothing that is put in is a promise, and so neither is what comes out.
  return template(strings, ...parts.map(visible)) as Html;
}

function visible(part: Part): unknown {
  if (typeof part === 'string') return part.replaceAll(UNSEEN, code);
  return Array.isArray(part) ? part.map(visible) : part;
}

/** Controls but for tabs and the ends of lines, what turns the direction of writing, and halves of characters. */
const UNSEEN = /[^\P{Cc}\n\r\t]|\p{Bidi_Control}|\p{Cs}/gu;

function code(character: string): string {
  return `\\u{${character.codePointAt(0)?.toString(16)}}`;
}
