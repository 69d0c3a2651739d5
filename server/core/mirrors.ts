import { matchesSelector, parseSelector, type Selector } from './selector.ts';

/** Where hosts with certain labels find images before they ask the server itself. */
export type Mirror = {
  readonly name: string;
  /** A label selector as it was written; an empty one fits every host. */
  readonly selector: string;
  /** Absolute, without a slash at its end; `/boot/images/…` below it is as on the server. */
  readonly url: string;
};

/** The mirrors, the first that fits counts; `version` rises with each change, from 0 when nobody has set any. */
export type MirrorEdition = { readonly version: number; readonly mirrors: readonly Mirror[] };

export const NO_MIRRORS: MirrorEdition = { version: 0, mirrors: [] };

/** Mirrors that can be asked for at each manifest: selectors are read once. Those that cannot be read fit nobody. */
export function mirrorsByLabels(
  mirrors: readonly Mirror[],
): (labels: Readonly<Record<string, string>>) => string | null {
  const read: { selector: Selector; url: string }[] = [];
  for (const { selector: text, url } of mirrors) {
    const selector = parseSelector(text);
    if (!('refused' in selector)) read.push({ selector, url });
  }
  return (labels) => read.find(({ selector }) => matchesSelector(selector, labels))?.url ?? null;
}
