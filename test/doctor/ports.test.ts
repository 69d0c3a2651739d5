import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import { portFinding, type WantedPort } from '../../server/doctor/ports.ts';

const closers: (() => void)[] = [];
afterEach(() => {
  for (const close of closers.splice(0)) close();
});

const wanted = (kind: 'tcp' | 'udp', port: number, host = '127.0.0.1'): WantedPort => ({
  check: 'x-port',
  name: 'X',
  kind,
  host,
  port,
  flag: '--x-listen',
});

async function takenTcp(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  closers.push(() => server.close());
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}

async function takenUdp(): Promise<number> {
  const socket = createSocket('udp4').bind(0, '127.0.0.1');
  closers.push(() => socket.close());
  await once(socket, 'listening');
  return socket.address().port;
}

test.each(['tcp', 'udp'] as const)('a free %s port', async (kind) => {
  expect(await portFinding(wanted(kind, 0))).toMatchObject({ level: 'ok', mend: null });
});

test.each([
  ['tcp', takenTcp],
  ['udp', takenUdp],
] as const)('a taken %s port, and who has it', async (kind, take) => {
  const found = await portFinding(wanted(kind, await take()));
  expect(found.level).toBe('problem');
  expect(found.what).toContain(`(process ${process.pid}) listens there`);
  expect(found.mend).toBe('Stop it, or choose another port with --x-listen.');
});

test.each(['tcp', 'udp'] as const)('an address that this machine does not have, %s', async (kind) => {
  const found = await portFinding(wanted(kind, 0, '203.0.113.7'));
  expect(found).toMatchObject({ level: 'problem', mend: expect.stringContaining('--x-listen') });
  expect(found.what).toContain('this machine does not have the address');
});

test('looking leaves the port free', async () => {
  const port = await takenTcp();
  for (const close of closers.splice(0)) close();
  for (let look = 0; look < 3; look++) expect((await portFinding(wanted('tcp', port))).level).toBe('ok');
});
