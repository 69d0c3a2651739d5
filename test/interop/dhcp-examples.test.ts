import { copyFile, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { inCheckout } from '../../lab/paths.ts';
import type { Exchange, Outcome } from './dhcp-exchange.ts';
import { type Answer, firmware, ipxe } from './dhcp-packets.ts';
import { openwrtConfiguration } from './openwrt-uci.ts';

/** The documented configurations, read by the real DHCP servers: what each kind of client is told. */

const SERVER = '10.77.0.250';
const HTTP = `http://${SERVER}:8080`;
const WORDS: Readonly<Record<string, string>> = {
  INTERFACE: 'wb-server',
  SERVER,
  BOOT_PORT: '8080',
  RANGE_FIRST: '10.77.0.100',
  RANGE_LAST: '10.77.0.199',
  NETMASK: '255.255.255.0',
};

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'warmboot-dhcp-'));
});
afterAll(() => rm(folder, { recursive: true }));

/** An example with its words between @ filled in, as the documentation says. */
async function example(name: string, words: Readonly<Record<string, string>> = {}): Promise<string> {
  const all: Readonly<Record<string, string>> = { ...WORDS, ...words };
  const text = await readFile(inCheckout(`docs/examples/${name}`), 'utf8');
  return text.replace(/^#.*\n/gm, '').replace(/@([A-Z_]+)@/g, (word, key: string) => all[key] ?? word);
}

/** A server's own copy of the program: AppArmor lets the packaged one read its packaged configuration alone. */
async function program(path: string): Promise<string> {
  const copy = join(folder, path.split('/').at(-1) ?? '');
  await copyFile(path, copy);
  return copy;
}

type Setup = Pick<Exchange, 'command' | 'env'>;

async function dnsmasq(configuration: string, name: string): Promise<Setup> {
  const file = join(folder, `${name}.conf`);
  await writeFile(file, configuration);
  const own = ['--keep-in-foreground', '--user=root', '--pid-file=', `--dhcp-leasefile=${file}.leases`];
  return { command: ['dnsmasq', ...own, `--conf-file=${file}`, '--log-facility=-', '--log-dhcp'], env: {} };
}

const SERVERS: Readonly<Record<string, () => Promise<Setup>>> = {
  dnsmasq: async () => dnsmasq(await example('dnsmasq.conf'), 'dnsmasq'),
  OpenWrt: async () => dnsmasq(await openwrtConfiguration(await example('openwrt.sh'), WORDS), 'openwrt'),
  'ISC dhcpd': async () => {
    const file = join(folder, 'dhcpd.conf');
    await writeFile(file, await example('isc-dhcpd.conf', { SUBNET: '10.77.0.0' }));
    await writeFile(`${file}.leases`, '');
    const own = ['-4', '-f', '-d', '-cf', file, '-lf', `${file}.leases`, '-pf', `${file}.pid`];
    return { command: [await program('/usr/sbin/dhcpd'), ...own, 'wb-server'], env: {} };
  },
  Kea: async () => {
    const file = join(folder, 'kea-dhcp4.conf');
    await writeFile(file, await example('kea-dhcp4.json', { SUBNET: '10.77.0.0/24' }));
    await mkdir(join(folder, 'kea'));
    const places = ['KEA_PIDFILE_DIR', 'KEA_LOCKFILE_DIR', 'KEA_DHCP_DATA_DIR', 'KEA_LOG_FILE_DIR'];
    const env = Object.fromEntries(places.map((name) => [name, join(folder, 'kea')]));
    return { command: [await program('/usr/sbin/kea-dhcp4'), '-c', file], env };
  },
};

const CLIENTS = {
  'BIOS (0)': firmware(1, 0),
  'UEFI x86-64 (7)': firmware(2, 7),
  'UEFI x86-64 (9)': firmware(3, 9),
  'UEFI arm64 (11)': firmware(4, 11),
  'HTTP boot x86-64 (16)': firmware(5, 16, 'HTTPClient'),
  'HTTP boot arm64 (19)': firmware(6, 19, 'HTTPClient'),
  'iPXE on BIOS': ipxe(7, 0),
  'iPXE on UEFI x86-64': ipxe(8, 7),
  'iPXE on UEFI arm64': ipxe(9, 11),
  'UEFI on 32-bit x86 (6)': firmware(10, 6),
};
type Name = keyof typeof CLIENTS;

type Told = { readonly bootFile: string; readonly nextServer: string | null; readonly class: string | null };
const pxe = (bootFile: string): Told => ({ bootFile, nextServer: SERVER, class: null });
// A URL names its server; what stands in `siaddr` beside it does not matter.
const url = (path: string, vendorClass: string | null): Told => ({
  bootFile: `${HTTP}${path}`,
  nextServer: null,
  class: vendorClass,
});

/** docs/dhcp.md, "Who gets what". */
const WANTED: Readonly<Record<Name, Told>> = {
  'BIOS (0)': pxe('undionly.kpxe'),
  'UEFI x86-64 (7)': pxe('ipxe.efi'),
  'UEFI x86-64 (9)': pxe('ipxe.efi'),
  'UEFI arm64 (11)': pxe('ipxe-arm64.efi'),
  'HTTP boot x86-64 (16)': url('/boot/nbp/ipxe.efi', 'HTTPClient'),
  'HTTP boot arm64 (19)': url('/boot/nbp/ipxe-arm64.efi', 'HTTPClient'),
  'iPXE on BIOS': url('/boot.ipxe', null),
  'iPXE on UEFI x86-64': url('/boot.ipxe', null),
  'iPXE on UEFI arm64': url('/boot.ipxe', null),
  'UEFI on 32-bit x86 (6)': { bootFile: '', nextServer: null, class: null },
};

const told = ({ bootFile, nextServer, options }: Answer, by: string | null): Told => ({
  bootFile,
  nextServer: by && nextServer,
  class: options[60] === undefined ? null : Buffer.from(options[60], 'hex').toString('latin1'),
});

describe.each(Object.entries(SERVERS))('%s', (_, setup) => {
  let outcomes: readonly Outcome[];
  let said: string;

  beforeAll(async () => {
    const exchange: Exchange = { ...(await setup()), clients: Object.values(CLIENTS) };
    const inside = ['--import', 'tsx', inCheckout('test/interop/dhcp-exchange.ts')];
    const { stdout } = await execa(
      'unshare',
      ['--net', '--pid', '--fork', '--kill-child', '--mount-proc', '--', process.execPath, ...inside],
      { input: JSON.stringify(exchange), timeout: 100_000 },
    );
    ({ outcomes, said } = JSON.parse(stdout) as { outcomes: Outcome[]; said: string });
  }, 110_000);

  test.each(Object.keys(CLIENTS) as Name[])('%s', (name) => {
    const { offer, ack } = outcomes[Object.keys(CLIENTS).indexOf(name)] ?? { offer: null, ack: null };
    const wanted = WANTED[name];
    if (!offer || !ack) throw new Error(`no answer to ${name}; the server said:\n${said}`);
    expect(ack.address).toMatch(/^10\.77\.0\.1\d\d$/);
    expect(told(offer, wanted.nextServer)).toEqual(wanted);
    expect(told(ack, wanted.nextServer)).toEqual(wanted);
  });
});
