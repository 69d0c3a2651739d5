type Scalar = string | number | boolean | null;
type Tree = { readonly [key: string]: Scalar | Tree };

/**
 * Writes a record as `KEY='value'` lines that any POSIX shell may source (POSIX.1-2017, XCU 2.2.2).
 * Nested keys are joined by `_` and camelCase becomes UPPER_SNAKE; null becomes an empty value.
 */
export function shellText(record: Tree): string {
  return lines(record, '').join('');
}

function lines(record: Tree, prefix: string): string[] {
  return Object.entries(record).flatMap(([key, value]) => {
    const name = prefix + key.replaceAll(/([a-z0-9])([A-Z])/g, '$1_$2').toUpperCase();
    if (value !== null && typeof value === 'object') return lines(value, `${name}_`);
    return [`${name}=${quote(value === null ? '' : String(value))}\n`];
  });
}

/**
 * Single quotes take everything literally but themselves. A newline would end the line a reader sees, and hosts show what they
 * are told on their consoles, which obey other control characters: all of them but tabs become a space.
 */
function quote(text: string): string {
  return `'${text.replaceAll(CONTROLS, ' ').replaceAll("'", "'\\''")}'`;
}

/** Also those that turn the direction of writing, and the ends of lines and paragraphs that Unicode has. */
const CONTROLS = /[^\P{Cc}\t]+|[\p{Bidi_Control}\u2028\u2029]+/gu;
