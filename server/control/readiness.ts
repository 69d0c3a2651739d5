import type { Clock } from '../core/ports.ts';
import type { AskReadiness, Readiness } from '../core/readiness.ts';

/** A look by name. Says what is wrong, or null; what it throws is what is wrong. */
export type Looks = Readonly<Record<string, () => Promise<string | null> | string | null>>;

/** Anybody may ask, and a look may write and sync: the same answer is given for so long. */
const KEPT_MS = 1_000;

/** Asks every look, all at once. Many who ask together share one. */
export function readiness(looks: Looks, clock: Clock): AskReadiness {
  let last: { readonly at: number; readonly found: Promise<Readiness> } | null = null;

  async function look(): Promise<Readiness> {
    const checks = await Promise.all(
      Object.entries(looks).map(async ([name, ask]) => ({ name, trouble: await troubleOf(ask) })),
    );
    return { isReady: checks.every(({ trouble }) => trouble === null), checks };
  }

  return () => {
    const now = clock();
    if (last === null || Math.abs(now - last.at) >= KEPT_MS) last = { at: now, found: look() };
    return last.found;
  };
}

async function troubleOf(ask: Looks[string]): Promise<string | null> {
  try {
    return await ask();
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}
