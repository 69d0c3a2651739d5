/** A place in a line. */
export type Place = {
  /** How many must leave before its turn comes; 0: it has come. */
  before(): number;
  /**
   * Waits for its turn, and tells how many are before it as often as that may have changed.
   * @throws the reason of `signal` when that aborts first
   */
  turn(signal: AbortSignal, onWait: (before: number) => void): Promise<void>;
  leave(): void;
};

/** @param most so many have their turn at once; the others wait in the order in which they entered */
export function waitingLine(most: number): { enter(): Place } {
  const line: { onMove: () => void }[] = [];
  return {
    enter() {
      const mine = { onMove: () => {} };
      line.push(mine);
      const before = () => Math.max(0, line.indexOf(mine) + 1 - most);
      return {
        before,
        turn: (signal, onWait) =>
          new Promise((resolve, reject) => {
            mine.onMove = () => {
              if (signal.aborted) reject(signal.reason);
              else if (before() === 0) resolve();
              else onWait(before());
            };
            signal.addEventListener('abort', mine.onMove, { once: true });
            mine.onMove();
          }),
        leave() {
          const at = line.indexOf(mine);
          if (at < 0) return;
          line.splice(at, 1);
          for (const { onMove } of [...line]) onMove();
        },
      };
    },
  };
}
