import { describe, expect, test } from 'vitest';
import { netbootClient } from '../../server/dhcp/netboot-client.ts';
import { OPTION } from '../../server/dhcp/option-codes.ts';
import { recordedPacket, withOptions } from './recorded.ts';

const text = (value: string) => Buffer.from(value, 'latin1');
const firmware = recordedPacket('ovmf-pxe-discover');

describe('recorded clients', () => {
  test.each([
    ['ovmf-pxe-discover', 'pxe', [7]],
    ['ovmf-pxe-boot-server', 'pxe', [7]],
    ['ovmf-http-discover', 'http', [16]],
    ['ipxe-rom-discover', 'ipxe', [0]],
    ['ipxe-rom-boot-server', 'ipxe', [0]],
    ['ipxe-efi-discover', 'ipxe', [7]],
  ] as const)('%s is %s', (name, kind, architectures) => {
    const client = netbootClient(recordedPacket(name));
    expect(client).toMatchObject({ kind, architectures });
    expect(client?.mac).toMatch(/^52:54:00:00:00:0[12]$/);
    expect(client?.machineId).toHaveLength(17);
  });
});

describe('iPXE, told from the firmware that it speaks for', () => {
  const without175 = withOptions(recordedPacket('ipxe-rom-discover'), { [OPTION.ipxe]: null });
  test.each([
    ['as it is', 'iPXE', 'ipxe'],
    ['behind its length (RFC 3004)', '\x04iPXE', 'ipxe'],
    ['among others', '\x03abc\x04iPXE', 'ipxe'],
    ['of another', 'iPXEx', 'pxe'],
    ['with a length that is wrong', '\x09iPXE', 'ipxe'],
    ['empty', '', 'pxe'],
  ])('by its user class, %s', (_, userClass, kind) => {
    expect(netbootClient(withOptions(without175, { [OPTION.userClass]: text(userClass) }))?.kind).toBe(kind);
  });

  test.each([
    ['HTTP among its features', [19, 1, 1, 33, 1, 1], 'ipxe'],
    ['no HTTP among them: it gets our own', [33, 1, 1], 'pxe'],
    ['no feature at all', [], 'ipxe'],
    ['what cannot be read', [19, 9], 'ipxe'],
  ])('by option 175, %s', (_, features, kind) => {
    const packet = withOptions(firmware, { [OPTION.ipxe]: Buffer.from(features), [OPTION.userClass]: null });
    expect(netbootClient(packet)?.kind).toBe(kind);
  });

  test('also without a vendor class', () => {
    const packet = withOptions(recordedPacket('ipxe-efi-discover'), { [OPTION.vendorClass]: null });
    expect(netbootClient(packet)?.kind).toBe('ipxe');
  });
});

describe('others', () => {
  test.each(['MSFT 5.0', 'dhcpcd-10', '', 'xPXEClient', 'udhcp 1.37.0'])(
    '%j is no business of ours',
    (word) => {
      expect(netbootClient(withOptions(firmware, { [OPTION.vendorClass]: text(word) }))).toBeNull();
    },
  );
  test('no vendor class', () => {
    expect(netbootClient(withOptions(firmware, { [OPTION.vendorClass]: null }))).toBeNull();
  });
});

test('architectures: several, none, and half a one', () => {
  const of = (value: Buffer | null) =>
    netbootClient(withOptions(firmware, { [OPTION.architecture]: value }))?.architectures;
  expect(of(Buffer.from([0, 16, 0, 7]))).toEqual([16, 7]);
  expect(of(null)).toEqual([0]);
  expect(of(Buffer.from([7]))).toEqual([0]);
});

test('a machine id of another length is not one', () => {
  const packet = withOptions(firmware, { [OPTION.machineId]: Buffer.alloc(16) });
  expect(netbootClient(packet)?.machineId).toBeNull();
});

test('hardware addresses that no machine has, and networks that are no Ethernet', () => {
  const group = { ...firmware, hardware: Buffer.from('01005e000001', 'hex') };
  expect(netbootClient(group)).toMatchObject({ mac: null, name: '01:00:5e:00:00:01' });
  expect(netbootClient({ ...firmware, hardwareType: 32 })?.mac).toBeNull();
});
