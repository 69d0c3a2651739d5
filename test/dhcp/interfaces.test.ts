import type { NetworkInterfaceInfo } from 'node:os';
import { describe, expect, test } from 'vitest';
import { changes, interfaceTowards, usableInterfaces } from '../../server/dhcp/interfaces.ts';

const v4 = (address: string, internal = false): NetworkInterfaceInfo => ({
  family: 'IPv4',
  address,
  netmask: '255.255.255.0',
  mac: '52:54:00:00:00:01',
  internal,
  cidr: `${address}/24`,
});
const v6: NetworkInterfaceInfo = {
  family: 'IPv6',
  address: 'fe80::1',
  netmask: 'ffff:ffff:ffff:ffff::',
  mac: '52:54:00:00:00:01',
  internal: false,
  cidr: 'fe80::1/64',
  scopeid: 2,
};
const all = {
  lo: [v4('127.0.0.1', true)],
  eth0: [v6, v4('10.0.0.1'), v4('10.0.0.2')],
  eth1: [v6],
  eth2: [v4('10.2.0.1')],
  gone: undefined,
};
const at = (name: string, address: string) => ({ name, address, cidr: `${address}/24`, mac: '' });

describe('which interfaces', () => {
  test.each([
    [[], ['eth0 10.0.0.1', 'eth2 10.2.0.1']],
    [['eth2', 'eth9'], ['eth2 10.2.0.1']],
    [['eth1'], []],
    [['lo'], ['lo 127.0.0.1']],
  ])('%j', (wanted, chosen) => {
    expect(usableInterfaces(all, wanted).map(({ name, address }) => `${name} ${address}`)).toEqual(chosen);
  });
});

test('what comes and goes; another address is another interface', () => {
  const before = [at('a', '10.0.0.1'), at('b', '10.1.0.1'), at('c', '10.2.0.1')];
  const now = [at('a', '10.0.0.1'), at('b', '10.1.0.2'), at('d', '10.3.0.1')];
  expect(changes(before, now)).toEqual({ gone: [before[1], before[2]], come: [now[1], now[2]] });
  expect(changes(now, now)).toEqual({ gone: [], come: [] });
});

test('towards a relay', () => {
  const ours = [at('a', '10.0.0.1'), at('b', '10.1.0.1')];
  expect(interfaceTowards('10.1.0.254', ours)?.name).toBe('b');
  expect(interfaceTowards('192.0.2.1', ours)?.name).toBe('a');
  expect(interfaceTowards('192.0.2.1', [])).toBeUndefined();
});
