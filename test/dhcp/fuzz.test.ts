import { expect, test } from 'vitest';
import { fuzzHandler } from './fuzz.ts';

/** `bench/dhcp-fuzz.ts` does the same with a hundred times as many. */
test.each(['dhcp', 'boot-server'] as const)(
  '100,000 random and mutated packets on the %s port',
  async (door) => {
    const { answered, silent, addresses } = await fuzzHandler(door, 100_000, 1);
    expect(answered + silent).toBe(100_000);
    // Neither all nor none: the mutations get past the first checks.
    expect(answered).toBeGreaterThan(1_000);
    expect(silent).toBeGreaterThan(10_000);
    expect(addresses).toBe(0);
  },
);
