/** What is measured: every combination, and how much is fetched in each. */

export type Link = { readonly rttMs: number; readonly lossPercent: number };
export type Cell = Link & { readonly clients: number; readonly blksize: number; readonly windowsize: number };

export function cells(isQuick: boolean): Cell[] {
  const all: Cell[] = [];
  for (const clients of [1, 100])
    for (const rttMs of [0, 5])
      for (const lossPercent of [0, 1])
        for (const blksize of isQuick ? [1468] : [512, 1468])
          for (const windowsize of isQuick ? [1, 16] : [1, 16, 64])
            all.push({ clients, rttMs, lossPercent, blksize, windowsize });
  return all;
}

/**
 * Blocks that each client fetches: about half a second of work, whatever the server, so that a server without windows gets a
 * smaller file. Figures are bytes a second, so the size does not matter beyond that.
 */
export function blocksOf({ clients, rttMs, lossPercent }: Cell, windowsize: number): number {
  const lockStep = windowsize === 1;
  // A lost packet may cost a server one second.
  if (lossPercent > 0) return lockStep ? 100 / (clients > 1 ? 2 : 1) : clients > 1 ? 200 : 1600;
  if (clients > 1) return lockStep ? (rttMs > 0 ? 100 : 300) : 600;
  if (rttMs > 0) return lockStep ? 100 : 100 * windowsize;
  return lockStep ? 8_000 : 20_000;
}
