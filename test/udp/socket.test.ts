import type { Socket } from 'node:dgram';
import { afterEach, expect, test } from 'vitest';
import { bindSocket, openSocket } from '../../server/udp/socket.ts';

const open: Socket[] = [];
afterEach(() => {
  for (const socket of open.splice(0)) socket.close();
});

async function bound(port = 0, isShared = false): Promise<Socket> {
  const socket = openSocket('udp4', isShared);
  await bindSocket(socket, '127.0.0.1', port);
  open.push(socket);
  return socket;
}

test('a port that is taken is refused, and the socket is closed', async () => {
  const { port } = (await bound()).address();
  const second = openSocket('udp4');
  await expect(bindSocket(second, '127.0.0.1', port)).rejects.toMatchObject({ code: 'EADDRINUSE' });
  expect(() => second.address()).toThrow(/not running/i);
});

test('a shared port is had twice, and not by one that does not share', async () => {
  const { port } = (await bound(0, true)).address();
  await expect(bound(port, true)).resolves.toBeDefined();
  await expect(bound(port)).rejects.toMatchObject({ code: 'EADDRINUSE' });
});

test('an error after that is no end of the program', async () => {
  const socket = await bound();
  expect(() => socket.emit('error', new Error('the network is down'))).not.toThrow();
});
