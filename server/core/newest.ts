/**
 * What was noted last, for at most `most` keys: a stranger who makes up keys only pushes out what is oldest, and whoever comes
 * again is back at once.
 */
export function newest<Key, Value>(most: number) {
  const kept = new Map<Key, Value>();
  return {
    note(key: Key, value: Value): void {
      kept.delete(key);
      kept.set(key, value);
      for (const oldest of kept.keys()) {
        if (kept.size <= most) return;
        kept.delete(oldest);
      }
    },
    of: (key: Key): Value | undefined => kept.get(key),
    forget: (key: Key): void => void kept.delete(key),
  };
}
