/** Shorter ones would hit ordinary text, and hide nothing. */
const MIN_CHARACTERS = 6;

/**
 * Hides secrets in what a build says: a step that prints its secret shall not put it into logs. Line by line, because
 * the output comes so. What a step makes of a secret (a hash, base64) is not recognised.
 * @param secrets base64
 */
export function maskOf(secrets: readonly string[]): (text: string) => string {
  const hidden = secrets
    .flatMap((secret) => Buffer.from(secret, 'base64').toString('utf8').split(/\r?\n/))
    .map((line) => line.trim())
    .filter((line) => line.length >= MIN_CHARACTERS)
    // The longest first: one may be part of another.
    .sort((a, b) => b.length - a.length);
  return (text) => hidden.reduce((masked, secret) => masked.replaceAll(secret, '***'), text);
}
