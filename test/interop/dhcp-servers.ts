import { copyFile, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { inCheckout } from '../../lab/paths.ts';
import type { Exchange } from './dhcp-exchange.ts';
import { openwrtRules } from './openwrt-uci.ts';

/** The real DHCP servers with the configurations that the documentation gives, ready to be started. */

/** Warmboot's address, which is not the DHCP server's. */
export const SERVER = '10.77.0.250';

const WORDS: Readonly<Record<string, string>> = {
  INTERFACE: 'wb-server',
  SERVER,
  BOOT_PORT: '8080',
  RANGE_FIRST: '10.77.0.100',
  RANGE_LAST: '10.77.0.199',
  NETMASK: '255.255.255.0',
};

export type Setup = Pick<Exchange, 'command' | 'env'>;
export type DhcpServer = {
  /** With the example of docs/examples. */
  example(folder: string): Promise<Setup>;
  /** With nothing but addresses and the setting of docs/dhcp.md, "One file name for all". */
  oneName(folder: string): Promise<Setup>;
};

export const SERVERS: Readonly<Record<string, DhcpServer>> = {
  dnsmasq: {
    example: async (folder) => dnsmasq(folder, await example('dnsmasq.conf')),
    oneName: async (folder) => dnsmasq(folder, `${DNSMASQ}${await oneName('dnsmasq')}\n`),
  },
  OpenWrt: {
    example: async (folder) => dnsmasq(folder, DNSMASQ + (await openwrtRules(await example('openwrt.sh')))),
    oneName: async (folder) => {
      // Passed on as it is, by `append_parm` of OpenWrt's start script.
      const [, value] = /dhcp_boot='(.*)'$/.exec(await oneName('OpenWrt')) ?? [];
      return dnsmasq(folder, `${DNSMASQ}dhcp-boot=${value}\n`);
    },
  },
  'ISC dhcpd': {
    example: async (folder) => dhcpd(folder, await example('isc-dhcpd.conf', { SUBNET: '10.77.0.0' })),
    oneName: async (folder) => {
      const range = `range ${WORDS.RANGE_FIRST} ${WORDS.RANGE_LAST};`;
      const subnet = `subnet 10.77.0.0 netmask 255.255.255.0 { ${range} ${await oneName('ISC dhcpd')} }`;
      return dhcpd(folder, `authoritative; ping-check false;\n${subnet}\n`);
    },
  },
  Kea: {
    example: async (folder) => kea(folder, await example('kea-dhcp4.json', { SUBNET: '10.77.0.0/24' })),
    oneName: async (folder) => {
      const pools = [{ pool: `${WORDS.RANGE_FIRST} - ${WORDS.RANGE_LAST}` }];
      const setting = JSON.parse(`{${await oneName('Kea')}}`) as object;
      const configuration = {
        'interfaces-config': { interfaces: ['wb-server'] },
        'lease-database': { type: 'memfile' },
        subnet4: [{ id: 1, subnet: '10.77.0.0/24', pools, ...setting }],
      };
      return kea(folder, JSON.stringify({ Dhcp4: configuration }));
    },
  },
};

/** What a network has already: addresses, and nothing to boot. */
const DNSMASQ = `port=0
interface=wb-server
bind-interfaces
no-ping
dhcp-range=set:lan,${WORDS.RANGE_FIRST},${WORDS.RANGE_LAST},255.255.255.0,12h
`;

/** An example with its words between @ filled in, as the documentation says. */
async function example(name: string, words: Readonly<Record<string, string>> = {}): Promise<string> {
  const all: Readonly<Record<string, string>> = { ...WORDS, ...words };
  const text = await readFile(inCheckout(`docs/examples/${name}`), 'utf8');
  return text.replace(/^#.*\n/gm, '').replace(/@([A-Z_]+)@/g, (word, key: string) => all[key] ?? word);
}

/** The row of this server in "One file name for all". */
async function oneName(server: string): Promise<string> {
  const [, section = ''] = (await readFile(inCheckout('docs/dhcp.md'), 'utf8')).split('\n## One file name');
  const [, setting] = new RegExp(`^\\| ${server} \\| \`(.*)\` \\|$`, 'm').exec(section) ?? [];
  if (!setting) throw new Error(`docs/dhcp.md has no row for ${server} under "One file name for all"`);
  return setting.replaceAll('10.0.0.1', SERVER);
}

async function dnsmasq(folder: string, configuration: string): Promise<Setup> {
  const file = join(folder, 'dnsmasq.conf');
  await writeFile(file, configuration);
  const own = ['--keep-in-foreground', '--user=root', '--pid-file=', `--dhcp-leasefile=${file}.leases`];
  return { command: ['dnsmasq', ...own, `--conf-file=${file}`, '--log-facility=-', '--log-dhcp'], env: {} };
}

async function dhcpd(folder: string, configuration: string): Promise<Setup> {
  const file = join(folder, 'dhcpd.conf');
  await writeFile(file, configuration);
  await writeFile(`${file}.leases`, '');
  const own = ['-4', '-f', '-d', '-cf', file, '-lf', `${file}.leases`, '-pf', `${file}.pid`];
  return { command: [await program(folder, '/usr/sbin/dhcpd'), ...own, 'wb-server'], env: {} };
}

async function kea(folder: string, configuration: string): Promise<Setup> {
  const file = join(folder, 'kea-dhcp4.conf');
  await writeFile(file, configuration);
  const work = join(folder, 'kea');
  await mkdir(work);
  const places = ['KEA_PIDFILE_DIR', 'KEA_LOCKFILE_DIR', 'KEA_DHCP_DATA_DIR', 'KEA_LOG_FILE_DIR'];
  const env = Object.fromEntries(places.map((name) => [name, work]));
  return { command: [await program(folder, '/usr/sbin/kea-dhcp4'), '-c', file], env };
}

/** A copy of the program: AppArmor lets the packaged one read its packaged configuration alone. */
async function program(folder: string, path: string): Promise<string> {
  const copy = join(folder, 'program');
  await copyFile(path, copy);
  return copy;
}
