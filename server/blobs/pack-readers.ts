/** Who reads which packs now, so that none is removed under a reader. */
export interface PackReaders {
  /** Rises when frames moved: places that were looked up under an older number may be wrong. */
  readonly generation: number;
  moved(): void;
  /** Keeps packs until the answer is called. */
  hold(packIds: Iterable<string>): () => void;
  /**
   * Null when nobody holds the pack, else resolves when its last reader has ended. Nobody comes to hold it any more once
   * its rows are gone.
   */
  whenFree(packId: string): Promise<void> | null;
}

export function packReaders(): PackReaders {
  const held = new Map<string, number>();
  const waiting = new Map<string, (() => void)[]>();
  let generation = 0;

  function release(packId: string): void {
    const left = (held.get(packId) ?? 1) - 1;
    if (left > 0) return void held.set(packId, left);
    held.delete(packId);
    for (const resolve of waiting.get(packId) ?? []) resolve();
    waiting.delete(packId);
  }

  return {
    get generation() {
      return generation;
    },
    moved: () => {
      generation += 1;
    },
    hold(packIds) {
      const mine = new Set(packIds);
      for (const id of mine) held.set(id, (held.get(id) ?? 0) + 1);
      return () => {
        for (const id of mine) release(id);
        mine.clear();
      };
    },
    whenFree: (packId) =>
      held.has(packId)
        ? new Promise((resolve) => waiting.set(packId, [...(waiting.get(packId) ?? []), resolve]))
        : null,
  };
}
