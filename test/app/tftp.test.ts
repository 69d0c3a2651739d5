import { execa } from 'execa';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { newMac, runningServer, type TestServer } from '../fixtures/running-server.ts';

let server: TestServer;
beforeAll(async () => {
  server = await runningServer();
});
afterAll(() => server.close());

const tftp = async (name: string): Promise<string> => {
  const { stdout } = await execa('curl', [
    '-sSf',
    `tftp://127.0.0.1:${server.running.boot?.tftpPort}/${name}`,
  ]);
  return `${stdout}\n`;
};

test('TFTP and HTTP give a machine the same scripts', async () => {
  const mac = newMac();
  const hyphens = mac.replaceAll(':', '-');
  for (const state of ['unknown', 'enrolled']) {
    if (state === 'enrolled') await server.admin('/api/v1/hosts', { body: { macs: [mac], image: 'one' } });
    const { text } = await server.boot(`/boot/script?mac=${mac}`);
    expect(await tftp(`boot/${hyphens}.ipxe`), state).toBe(text);
    expect(text).toContain(state === 'unknown' ? '# Warmboot: discovery' : '# Warmboot: installer');
  }
  expect(await tftp('boot.ipxe')).toBe((await server.boot('/boot.ipxe')).text);
  expect(await tftp('autoexec.ipxe')).toBe((await server.boot('/boot/nbp/autoexec.ipxe')).text);
});
