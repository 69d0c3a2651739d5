import type { BuildChecks } from '../core/build-ports.ts';
import type { ImageLayer } from '../core/image-layers.ts';

export type Mask = (text: string) => string;

/** Shorter ones would hit ordinary text, and hide nothing. */
const MIN_CHARACTERS = 6;

/**
 * Hides secrets in what a build says: a step that prints its secret shall not put it into logs. Line by line, because
 * the output comes so. What a step makes of a secret (a hash, base64) is not recognised.
 * @param secrets base64
 */
export function maskOf(secrets: readonly string[]): Mask {
  const hidden = secrets
    .flatMap((secret) => Buffer.from(secret, 'base64').toString('utf8').split(/\r?\n/))
    .map((line) => line.trim())
    .filter((line) => line.length >= MIN_CHARACTERS)
    // The longest first: one may be part of another.
    .sort((a, b) => b.length - a.length);
  return (text) => hidden.reduce((masked, secret) => masked.replaceAll(secret, '***'), text);
}

/** The same for what the checks quote of the image's files. */
export function maskChecks(checks: BuildChecks | null, mask: Mask): BuildChecks | null {
  if (checks === null) return null;
  const failed = checks.failed.map(({ check, message, line }) => ({
    check,
    message: mask(message),
    line: mask(line),
  }));
  return { ...checks, failed };
}

/** And for instructions that hold one, though they should not. */
export function maskLayers(layers: readonly ImageLayer[] | null, mask: Mask): readonly ImageLayer[] | null {
  return layers?.map((layer) => ({ ...layer, madeBy: layer.madeBy && mask(layer.madeBy) })) ?? null;
}
