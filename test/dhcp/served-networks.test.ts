import { networkInterfaces } from 'node:os';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { serveNetworks } from '../../server/dhcp/served-networks.ts';
import { DHCP_PORTS } from '../../server/dhcp/sockets.ts';

vi.mock('node:os', async (original) => ({
  ...(await original<typeof import('node:os')>()),
  networkInterfaces: vi.fn(),
}));
const seen = vi.mocked(networkInterfaces);
beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

test('a look that fails is told once, and the next one comes all the same', async () => {
  const told: string[] = [];
  const logger = {
    debug() {},
    info() {},
    warn: (fields: object) => told.push(JSON.stringify(fields)),
    error() {},
  };
  const lost = () => {
    throw new Error('too many open files');
  };
  seen.mockReturnValueOnce({}).mockImplementationOnce(lost).mockImplementationOnce(lost).mockReturnValue({});
  const served = await serveNetworks({ wanted: [], ports: DHCP_PORTS, logger, onDatagram() {} });
  await vi.advanceTimersByTimeAsync(5_000);
  expect(seen).toHaveBeenCalledTimes(6);
  expect(told.map((each) => /too many|no interface/.exec(each)?.[0])).toEqual([
    'no interface',
    'too many',
    'no interface',
  ]);
  await served.close();
});
