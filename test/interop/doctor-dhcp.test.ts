import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { expect, type TestContext, test } from 'vitest';
import { inCheckout } from '../../lab/paths.ts';
import { type Lan, openLan } from './lan.ts';
import { startDnsmasq } from './lan-dnsmasq.ts';

/** `doctor` on networks with real DHCP servers, right and wrong ones. It looks from Warmboot's end of the network. */

/** Each test has a network of its own; they run at once, for they mostly wait for servers that do not answer. */
type Net = Lan & { readonly folder: string };

async function network({ onTestFinished }: TestContext): Promise<Net> {
  const folder = await mkdtemp(join(tmpdir(), 'warmboot-doctor-'));
  const lan = await openLan();
  onTestFinished(async () => {
    await lan.close();
    await rm(folder, { recursive: true });
  });
  return { ...lan, folder };
}

const program = [inCheckout('server/main.ts')];
const place = ({ folder }: Net) => ['--data', join(folder, 'data'), '--boot-url', 'http://10.77.0.1:8080'];
/** Warmboot's address: next-server and URLs name it. */
const SERVER = '10.77.0.1';

/** The network's DHCP server: at the far end, or on Warmboot's own machine. */
async function dnsmasq(net: Net, flags: readonly string[] = [], end: 'server' | 'client' = 'client') {
  const name = end === 'client' ? 'eth0' : 'lan0';
  await startDnsmasq(net[end], name, join(net.folder, `${name}.leases`), ['--bind-dynamic', ...flags]);
}

/** What it finds of DHCP, as `level: what`. */
async function findings(net: Net, ...flags: string[]): Promise<string[]> {
  const args = [...program, 'doctor', '--json', ...place(net), ...flags];
  const doctor = net.server.start(process.execPath, args);
  await doctor.ended();
  const { findings: all } = JSON.parse(doctor.said().replace(/^[^{]*/, '')) as {
    findings: { check: string; level: string; what: string }[];
  };
  return all.filter(({ check }) => check.startsWith('dhcp')).map(({ level, what }) => `${level}: ${what}`);
}

const RULES = [
  '--dhcp-match=set:bios,option:client-arch,0',
  '--dhcp-match=set:uefi,option:client-arch,7',
  '--dhcp-match=set:ipxe,175',
  `--dhcp-boot=tag:bios,tag:!ipxe,undionly.kpxe,,${SERVER}`,
  `--dhcp-boot=tag:uefi,tag:!ipxe,ipxe.efi,,${SERVER}`,
  `--dhcp-boot=tag:ipxe,http://${SERVER}:8080/boot.ipxe,,${SERVER}`,
];
const TOLD = `BIOS firmware is told undionly.kpxe, UEFI firmware is told ipxe.efi, iPXE is told http://${SERVER}:8080/boot.ipxe`;

test.concurrent('no DHCP server', async (context) => {
  const net = await network(context);
  expect(await findings(net)).toEqual(['problem: on lan0 no DHCP server offered an address in 6 s']);
});

test.concurrent('one set up as documented; no lease is taken', async (context) => {
  const net = await network(context);
  await dnsmasq(net, RULES);
  expect(await findings(net)).toEqual([`ok: on lan0 10.77.0.2 hands out addresses, and ${TOLD}`]);
  const { stdout } = await execa('cat', [join(net.folder, 'eth0.leases')], { reject: false });
  expect(stdout).toBe('');
});

test.concurrent('one on this machine', async (context) => {
  const net = await network(context);
  await dnsmasq(net, RULES, 'server');
  expect(await findings(net)).toEqual([`ok: on lan0 10.77.0.1 hands out addresses, and ${TOLD}`]);
});

test.concurrent('one that knows nothing of booting', async (context) => {
  const net = await network(context);
  await dnsmasq(net);
  expect(await findings(net)).toEqual(['problem: on lan0 no DHCP server names a boot program']);
});

test.concurrent('one that knows nothing of booting, with our proxy to come', async (context) => {
  const net = await network(context);
  await dnsmasq(net);
  expect(await findings(net, '--proxy-dhcp')).toEqual([
    'ok: proxyDHCP can listen on UDP ports 67 and 4011',
    'ok: on lan0 10.77.0.2 hands out addresses, and proxyDHCP will tell machines what to boot',
  ]);
});

test.concurrent('one that knows nothing of booting, beside our proxy', async (context) => {
  const net = await network(context);
  await dnsmasq(net);
  const args = [...program, 'serve', ...place(net), '--proxy-dhcp'];
  await net.server.start(process.execPath, args).says('"ready":true');
  expect(await findings(net)).toEqual([`ok: on lan0 10.77.0.2 hands out addresses, and ${TOLD}`]);
});

test.concurrent('one file name for all', async (context) => {
  const net = await network(context);
  await dnsmasq(net, [`--dhcp-boot=undionly.kpxe,,${SERVER}`]);
  expect(await findings(net)).toEqual([
    'warning: on lan0 10.77.0.2 tells iPXE to load undionly.kpxe, which is iPXE itself',
  ]);
});

test.concurrent('two that hand out addresses, one of which names another boot server', async (context) => {
  const net = await network(context);
  await dnsmasq(net, RULES, 'server');
  await dnsmasq(net, ['--dhcp-boot=pxelinux.0,,10.77.0.66']);
  const found = await findings(net);
  expect(found[0]).toBe('warning: on lan0 2 DHCP servers hand out addresses: 10.77.0.1, 10.77.0.2');
  expect(found[1]).toMatch(
    /^warning: on lan0 10\.77\.0\.2 names another boot program: pxelinux\.0 from 10\.77\.0\.66/,
  );
});

test.concurrent('ports that others have for themselves', async (context) => {
  const net = await network(context);
  const hold = (port: number) =>
    `require('node:dgram').createSocket('udp4').bind(${port}, () => console.log('has ${port}'))`;
  await net.server.start(process.execPath, ['-e', hold(68)]).says('has 68');
  await net.server.start(process.execPath, ['-e', hold(4011)]).says('has 4011');
  const [port, wire] = await findings(net, '--proxy-dhcp');
  expect(port).toMatch(
    /^problem: proxyDHCP cannot listen on UDP port 4011: .+ \(process \d+\) has it for itself$/,
  );
  expect(wire).toMatch(/^warning: the DHCP servers on lan0 cannot be asked: .+ has UDP port 68 for itself/);
});
