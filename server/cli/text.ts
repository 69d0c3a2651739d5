/**
 * Text that came from elsewhere (a server, a Dockerfile's output) on its way to a terminal. Colour and cursor
 * sequences go, white space becomes spaces, and every other character that a terminal obeys, or that turns the
 * direction of writing, is shown as its code.
 */
export function clean(text: string): string {
  return text.replaceAll(SEQUENCES, '').trimEnd().replaceAll(/\s/g, ' ').replaceAll(UNPRINTABLE, escaped);
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const SEQUENCES = /\x1b\[[0-9;:?<=>]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)/g;
/** Control, format (bidirectional, zero width), lone surrogates. */
const UNPRINTABLE = /[\p{Cc}\p{Cf}\p{Cs}]/gu;

function escaped(character: string): string {
  const code = character.codePointAt(0) ?? 0;
  return code < 0x100 ? `\\x${code.toString(16).padStart(2, '0')}` : `\\u{${code.toString(16)}}`;
}

/**
 * JSON for programs, and for eyes: DEL and the C1 controls, which JSON allows as they are but terminals obey, are
 * written as escapes. The value is the same.
 */
export function json(value: unknown, indent = 2): string {
  return harmlessJson(JSON.stringify(value, null, indent));
}

/** The same for what is JSON already, such as a line of a log. */
export function harmlessJson(text: string): string {
  return text.replaceAll(
    JSON_UNSAFE,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

const JSON_UNSAFE = /[\x7f-\x9f\u2028\u2029]|\p{Bidi_Control}/gu;

/**
 * The same for whole pages, lines and all: the last thing before a terminal, whatever a command forgot. JSON of ours is not
 * changed by it.
 */
export function harmless(text: string): string {
  return text.replaceAll(OBEYED, escaped);
}

/** Controls but for the ends of lines and tabs, and what turns the direction of writing. */
const OBEYED = /[^\P{Cc}\n\t]|\p{Bidi_Control}/gu;

const graphemes = new Intl.Segmenter('en', { granularity: 'grapheme' });
const WIDE =
  /\p{Emoji_Presentation}|[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6]|[\u{20000}-\u{3fffd}]/u;

/** Columns that a text takes on a terminal; it holds no control characters. */
export function width(text: string): number {
  if (/^[ -~]*$/.test(text)) return text.length;
  let columns = 0;
  for (const { segment } of graphemes.segment(text)) columns += WIDE.test(segment) ? 2 : 1;
  return columns;
}

/** Cuts a text that is too wide, and shows with `…` that it did. */
export function cut(text: string, columns: number): string {
  if (width(text) <= columns) return text;
  let kept = '';
  let used = 0;
  for (const { segment } of graphemes.segment(text)) {
    used += WIDE.test(segment) ? 2 : 1;
    if (used > columns - 1) break;
    kept += segment;
  }
  return columns > 0 ? `${kept}…` : '';
}

export function pad(text: string, columns: number, align: 'left' | 'right' = 'left'): string {
  const space = ' '.repeat(Math.max(0, columns - width(text)));
  return align === 'left' ? text + space : space + text;
}

/** Every line that holds something, two columns to the right. */
export function indent(text: string): string {
  return text.replaceAll(/^(?=.)/gm, '  ');
}
