import { describe, expect, test } from 'vitest';
import { ASKED_AS, dhcpFindings, type HeardOffer, type OwnPlace } from '../../server/core/dhcp-findings.ts';

const OWN: OwnPlace = { addresses: ['10.0.0.1', '10.1.0.1'], bootUrl: 'http://10.0.0.1:8080', proxy: 'off' };
const FILES = {
  'BIOS firmware': 'undionly.kpxe',
  'UEFI firmware': 'ipxe.efi',
  iPXE: 'http://10.0.0.1:8080/boot.ipxe',
};

/** One server's answers to all three questions. */
function answers(
  server: string,
  facts: (askedAs: (typeof ASKED_AS)[number]) => Partial<HeardOffer>,
): HeardOffer[] {
  return ASKED_AS.map((askedAs) => ({
    askedAs,
    server,
    givesAddress: true,
    bootServer: null,
    bootFile: null,
    ...facts(askedAs),
  }));
}
const plain = answers('10.0.0.5', () => ({}));
const right = answers('10.0.0.5', (askedAs) => ({ bootServer: '10.0.0.1', bootFile: FILES[askedAs] }));
const proxy = answers('10.0.0.1', (askedAs) => ({
  givesAddress: false,
  bootServer: '10.0.0.1',
  bootFile: FILES[askedAs],
}));

const found = (offers: readonly HeardOffer[], own: Partial<OwnPlace> = {}) =>
  dhcpFindings({ interface: 'eth1', seconds: 6, offers }, { ...OWN, ...own }).map(
    ({ check, level, what, mend }) => {
      expect(check).toBe('dhcp');
      expect(mend === null).toBe(level === 'ok');
      return `${level}: ${what}`;
    },
  );

const told =
  'BIOS firmware is told undionly.kpxe, UEFI firmware is told ipxe.efi, iPXE is told http://10.0.0.1:8080/boot.ipxe';

describe('as it should be', () => {
  test('a DHCP server that was set up as documented', () => {
    expect(found(right)).toEqual([`ok: on eth1 10.0.0.5 hands out addresses, and ${told}`]);
  });
  test('an ordinary one, and our proxy beside it', () => {
    expect(found([...plain, ...proxy], { proxy: 'answers' })).toEqual([
      `ok: on eth1 10.0.0.5 hands out addresses, and ${told}`,
    ]);
  });
  test('an ordinary one, with a proxy that need not know this machine, or is yet to be started', () => {
    expect(found(plain, { proxy: 'limited' })).toEqual([
      'ok: on eth1 10.0.0.5 hands out addresses, and proxyDHCP of this server tells known hosts what to boot',
    ]);
    expect(found(plain, { proxy: 'planned' })).toEqual([
      'ok: on eth1 10.0.0.5 hands out addresses, and proxyDHCP will tell machines what to boot',
    ]);
  });
  test('UEFI HTTP boot and the files by URL', () => {
    const http = answers('10.0.0.5', () => ({ bootFile: 'http://10.0.0.1:8080/boot/nbp/ipxe.efi' }));
    expect(found(http.slice(0, 2))[0]).toMatch(/^ok/);
  });
});

test('nobody hands out addresses', () => {
  expect(found([])).toEqual(['problem: on eth1 no DHCP server offered an address in 6 s']);
  expect(found(proxy, { proxy: 'answers' })).toEqual([
    'problem: on eth1 no DHCP server offered an address in 6 s',
  ]);
});

test('two hand out addresses', () => {
  const rogue = answers('10.0.0.99', () => ({}));
  expect(found([...right, ...rogue])).toEqual([
    'warning: on eth1 2 DHCP servers hand out addresses: 10.0.0.5, 10.0.0.99',
  ]);
});

test('nobody says what to boot', () => {
  expect(found(plain)).toEqual(['problem: on eth1 no DHCP server names a boot program']);
});

describe('somebody names another boot program', () => {
  test('from another server', () => {
    const other = answers('10.0.0.5', () => ({ bootServer: '10.0.0.66', bootFile: 'pxelinux.0' }));
    expect(found(other)).toEqual([
      'warning: on eth1 10.0.0.5 names another boot program: pxelinux.0 from 10.0.0.66 for BIOS firmware; pxelinux.0 from 10.0.0.66 for UEFI firmware; pxelinux.0 from 10.0.0.66 for iPXE',
    ]);
    expect(found([...other, ...proxy], { proxy: 'answers' })).toHaveLength(1);
  });
  test('one that is not served here', () => {
    const other = answers('10.0.0.5', () => ({ bootServer: '10.0.0.1', bootFile: 'pxelinux.0' })).slice(0, 1);
    expect(found(other)[0]).toContain(
      'names another boot program: pxelinux.0 from 10.0.0.1 for BIOS firmware',
    );
  });
  test('by the URL of another server', () => {
    const other = answers('10.0.0.5', () => ({ bootFile: 'http://10.0.0.66/boot.ipxe' })).slice(2);
    expect(found([...right, ...other])).toEqual([
      'warning: on eth1 10.0.0.5 names another boot program: http://10.0.0.66/boot.ipxe for iPXE',
    ]);
  });
  test('at port 4011', () => {
    const other = answers('10.0.0.7', () => ({ givesAddress: false })).slice(0, 1);
    expect(found([...right, ...other])).toEqual([
      'warning: on eth1 10.0.0.7 names another boot program: the one that it tells at port 4011 for BIOS firmware',
    ]);
  });
});

test('one file name for all: iPXE is told to load itself', () => {
  const one = answers('10.0.0.5', () => ({ bootServer: '10.1.0.1', bootFile: 'undionly.kpxe' }));
  expect(found(one)).toEqual([
    'warning: on eth1 10.0.0.5 tells iPXE to load undionly.kpxe, which is iPXE itself',
  ]);
});

test('our proxy runs and is not heard', () => {
  expect(found(plain, { proxy: 'answers' })).toEqual([
    'problem: proxyDHCP of this server does not answer on eth1',
  ]);
});
