import type { Guest } from '../../lab/guest.ts';
import type { Rack } from '../../lab/rack.ts';

/** What a health hook of a guest wrote to its serial port: `told KEY=VALUE … end`. */
export interface Told {
  readonly [fact: string]: string;
}

/** What the guest's hook has told since then, waiting for it. */
export async function told(rack: Rack, guest: Guest, since: number, seconds = 60): Promise<Told> {
  const { line } = await rack.feed.seen({
    source: 'serial',
    guest: guest.name,
    since,
    what: 'what the guest says of itself',
    timeoutMs: rack.patience(seconds),
    match: (seen) => /told \w+=.* end/.test(seen.line),
  });
  return Object.fromEntries(
    [...line.matchAll(/(\w+)=([^=]*?)(?= \w+=| end)/g)].map(([, key, value]) => [key, value]),
  );
}
