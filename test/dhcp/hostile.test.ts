import { describe, expect, test } from 'vitest';
import { json } from '../../server/cli/text.ts';
import { type Outgoing, proxyHandler } from '../../server/dhcp/handler.ts';
import { OPTION } from '../../server/dhcp/option-codes.ts';
import { encode } from '../../server/dhcp/packet.ts';
import { HOSTILE } from '../fixtures/hostile-texts.ts';
import { decoded, RECORDED, recordedPacket, withOptions } from './recorded.ts';

/** What a machine may write into its requests: bytes, as a string of them. */
const TEXTS = [
  ...HOSTILE.filter((text) => text !== '').map((text) => Buffer.from(text).toString('latin1')),
  "'; DROP TABLE hosts; --",
  'x\r\n{"level":60,"msg":"forged"}',
  '#!ipxe\nshell\n',
  '{{7*7}} ${7*7} <%= 7*7 %>',
  '%s%s%n',
  'nul\0byte',
  '\x1b[2J\x1b[31m',
  '\x9b31m',
  '\xe2\x80\xaetxt.exe',
  '../../../../etc/passwd',
  '__proto__',
  'x'.repeat(600),
];
const HOST_NAME = 12;
const CLIENT_ID = 61;
const eth1 = { name: 'eth1', address: '10.1.0.1', cidr: '10.1.0.1/24', mac: '52:54:00:00:01:01' };

/** What is sent and logged because of one datagram that came to the DHCP port or to that of a boot server. */
async function answered(datagram: Buffer, isBootServer: boolean) {
  const sent: Outgoing[] = [];
  const lines: string[] = [];
  const line = (fields: object, text: string) => void lines.push(JSON.stringify([text, fields]));
  const handle = proxyHandler(
    {
      limits: { clients: 'known', selector: [] },
      bootUrl: 'http://10.1.0.1:8080',
      tftpHost: '0.0.0.0',
      logger: { debug: line, info: line, warn: line, error: line },
      clock: () => 0,
      knownHost: async () => ({ status: 'approved', labels: {} }),
    },
    { interfaces: () => [eth1], takesRelayed: true, send: (outgoing) => void sent.push(outgoing) },
  );
  handle({ datagram, from: { address: '10.1.0.9', port: 68 }, at: isBootServer ? eth1 : null });
  await new Promise((resolve) => setImmediate(resolve));
  return { sent, lines };
}

describe.each([
  ['the vendor class', OPTION.vendorClass, ''],
  ['the vendor class of PXE firmware', OPTION.vendorClass, 'PXEClient:Arch:'],
  ['the vendor class of HTTP firmware', OPTION.vendorClass, 'HTTPClient'],
  ['the user class', OPTION.userClass, ''],
  ['the user class of iPXE', OPTION.userClass, '\x04iPXE'],
  ['the architecture', OPTION.architecture, ''],
  ['the machine id', OPTION.machineId, ''],
  ['what PXE adds', OPTION.vendorOptions, ''],
  ['what iPXE adds', OPTION.ipxe, ''],
  ['the host name', HOST_NAME, ''],
  ['the client id', CLIENT_ID, ''],
])('in %s', (_, code, before) => {
  test.each(TEXTS.map((text) => [json(text).slice(0, 40), text]))('%s', async (_, text) => {
    const value = Buffer.from(before + text, 'latin1');
    for (const name of RECORDED) {
      const datagram = encode(withOptions(recordedPacket(name), { [code]: value }));
      const { sent, lines } = await answered(datagram, name.endsWith('boot-server'));
      expect(lines.length).toBeLessThanOrEqual(1);
      // Names and numbers of ours, and a hardware address: nothing that the machine wrote.
      for (const line of lines) expect(line).toMatch(/^\["(proxyDHCP|DHCP)[ -~]*\]$/);
      expect(lines.join()).not.toContain(text);
      for (const { datagram: reply } of sent) {
        const { options, file, serverName } = decoded(reply);
        expect([file, serverName].join()).toMatch(/^[\w.:/-]*,[\w.:/-]*$/);
        // Sent back as it came (RFC 4578, 2.3), where it has the one length that it may have.
        for (const [code, bytes] of options)
          if (code !== OPTION.machineId) expect([code, bytes.includes(value)]).toEqual([code, false]);
        expect(options.get(OPTION.machineId)?.length ?? 17).toBe(17);
      }
    }
  });
});

test.each([
  ['host name', HOST_NAME],
  ['client id', CLIENT_ID],
])('a %s changes nothing of the answer', async (_, code) => {
  const packet = recordedPacket('ovmf-pxe-discover');
  const plain = await answered(encode(withOptions(packet, { [code]: null })), false);
  expect([plain.sent.length, plain.lines.length]).toEqual([1, 1]);
  for (const text of TEXTS) {
    const value = Buffer.from(text, 'latin1');
    expect(await answered(encode(withOptions(packet, { [code]: value })), false)).toEqual(plain);
  }
});
