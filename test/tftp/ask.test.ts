import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { expect, test } from 'vitest';
import { askTftp } from '../../server/tftp/ask.ts';
import { fileOf } from '../../server/tftp/files.ts';
import { startTftp } from '../../server/tftp/server.ts';

test('a file that comes, and one that does not; the transfer is ended at once', async () => {
  const ends: unknown[] = [];
  const logger = { debug: () => {}, warn: () => {}, info: (fields: object) => void ends.push(fields) };
  const files = async (name: string) => (name === 'there' ? fileOf(Buffer.alloc(100_000)) : null);
  const server = await startTftp({ host: '127.0.0.1', port: 0, files, logger });
  expect(await askTftp('127.0.0.1', server.port, 'there')).toBeNull();
  expect(await askTftp('127.0.0.1', server.port, 'away')).toBe('it says: file not found');
  await server.close();
  expect(ends[0]).toMatchObject({ outcome: 'aborted', blocksSent: 0 });
});

test('a server that says nothing', async () => {
  const mute = createSocket('udp4').bind(0, '127.0.0.1');
  await once(mute, 'listening');
  let asked = 0;
  mute.on('message', () => void asked++);
  expect(await askTftp('127.0.0.1', mute.address().port, 'there')).toBe('no answer in 3 s');
  // The last may still be on its way.
  await expect.poll(() => asked).toBeGreaterThan(1);
  mute.close();
});
