import { afterAll, beforeAll, expect, test } from 'vitest';
import { runningServer, type TestServer } from '../fixtures/running-server.ts';

let server: TestServer;
beforeAll(async () => {
  server = await runningServer();
});
afterAll(() => server.close());

test('layouts, each with what lies where on a disk', async () => {
  const { status, json } = await server.admin('/api/v1/layouts');
  expect(status).toBe(200);
  const names = json.layouts.map(({ name }: { name: string }) => name);
  expect(names).toEqual([...names].sort());
  const two = json.layouts.find(({ name }: { name: string }) => name === 'two-slots');
  expect(two).toEqual({
    name: 'two-slots',
    table: 'gpt',
    leastDiskBytes: (1 + 1 + 512 + 64 + 2 * 2048 + 1) * 2 ** 20,
    partitions: [
      { name: 'bios', bytes: 2 ** 20 },
      { name: 'boot', bytes: 2 ** 29 },
      { name: 'state', bytes: 2 ** 26 },
      { name: 'a', bytes: 2 ** 31 },
      { name: 'b', bytes: 2 ** 31 },
    ],
  });
});

test('an extended partition is none, and data takes the rest', async () => {
  const { layouts } = (await server.admin('/api/v1/layouts')).json;
  const all = layouts.flatMap(({ partitions }: { partitions: object[] }) => partitions);
  expect(all).not.toContainEqual(expect.objectContaining({ name: 'extended' }));
  for (const { name, bytes } of all) expect(bytes === null, name).toBe(name === 'data');
});
