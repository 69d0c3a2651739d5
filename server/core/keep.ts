/** Answers that are kept at hand, by key. */
export type Kept<Value> = {
  /** Many who ask for the same at once cause one making; a failure is not kept. */
  get(key: string, make: () => Promise<Value>): Promise<Value>;
  forget(key: string): void;
};

/**
 * Keeps the last answers as long as they weigh no more than `budget` together. The newest stays whatever it weighs, or many
 * who ask for it would each have it made.
 */
export function keep<Value>(budget: number, weigh: (value: Value) => number): Kept<Value> {
  type Entry = { readonly value: Promise<Value>; weight: number };
  /** The one asked for last is the last. */
  const entries = new Map<string, Entry>();
  let total = 0;

  function forget(key: string): void {
    total -= entries.get(key)?.weight ?? 0;
    entries.delete(key);
  }

  function weighed(key: string, entry: Entry, value: Value): void {
    if (entries.get(key) !== entry) return;
    entry.weight = weigh(value);
    total += entry.weight;
    for (const oldest of entries.keys()) {
      if (total <= budget || entries.size === 1) return;
      if (oldest !== key) forget(oldest);
    }
  }

  return {
    get(key, make) {
      const known = entries.get(key);
      if (known) {
        entries.delete(key);
        entries.set(key, known);
        return known.value;
      }
      const entry: Entry = { value: make(), weight: 0 };
      entries.set(key, entry);
      entry.value.then(
        (value) => weighed(key, entry, value),
        () => entries.get(key) === entry && forget(key),
      );
      return entry.value;
    },
    forget,
  };
}
