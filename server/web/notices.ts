/** What a page says once of what was just done. */
export type Notice = { readonly tone: 'good' | 'warn' | 'bad'; readonly text: string };

/** Between a change and the page that tells of it: kept here and not in the address, so that a link cannot say anything. */
export type Notices = {
  /** @param key of the session @param path of the page that will tell it */
  leave(key: string, path: string, notice: Notice): void;
  /** Each is given once. */
  take(key: string, path: string): readonly Notice[];
};

const MOST_SESSIONS = 1_000;
const MOST_EACH = 10;
const MOST_CHARACTERS = 2_000;
const KEPT_MS = 120_000;

type Left = { readonly path: string; readonly notice: Notice; readonly at: number };

export function notices(clock: () => number): Notices {
  /** Oldest first. */
  const left = new Map<string, readonly Left[]>();
  return {
    leave(key, path, { tone, text }) {
      const notice = { tone, text: text.slice(0, MOST_CHARACTERS) };
      const all = [...(left.get(key) ?? []), { path, notice, at: clock() }].slice(-MOST_EACH);
      left.delete(key);
      left.set(key, all);
      const [oldest] = left.keys();
      if (left.size > MOST_SESSIONS && oldest !== undefined) left.delete(oldest);
    },
    take(key, path) {
      const now = clock();
      const all = (left.get(key) ?? []).filter(({ at }) => now - at < KEPT_MS);
      const rest = all.filter((each) => each.path !== path);
      if (rest.length > 0) left.set(key, rest);
      else left.delete(key);
      return all.filter((each) => each.path === path).map(({ notice }) => notice);
    },
  };
}
