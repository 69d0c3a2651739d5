import { expect, test } from 'vitest';
import { playModel } from '../fixtures/host-model.ts';

/** Whatever operators, machines, networks, clocks and power do in whatever order, and however often the server is started anew. */
test('no order of events breaks the laws of a host, on its disk and in the database', async () => {
  const { kinds } = await playModel(40, 20_261_125);
  // Not because nothing happened.
  for (const wanted of ['install succeeded', 'switch succeeded', 'switch superseded', 'install failed'])
    expect([...kinds.keys()]).toContain(wanted);
}, 60_000);
