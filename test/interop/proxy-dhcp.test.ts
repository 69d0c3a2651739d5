import { copyFile, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, type TestContext, test } from 'vitest';
import { inCheckout } from '../../lab/paths.ts';
import { OPTION } from '../../server/dhcp/option-codes.ts';
import { type DhcpPacket, encode } from '../../server/dhcp/packet.ts';
import { decoded, recorded, recordedPacket } from '../dhcp/recorded.ts';
import { type Lan, openLan, type Started } from './lan.ts';
import { startDnsmasq } from './lan-dnsmasq.ts';
import type { Answered, Question } from './udp-ask.ts';

/** proxyDHCP beside real DHCP servers, with the requests of real firmware and real clients, on a network of its own. */

/** Each test has a network of its own: they run at once. */
type Net = Lan & { readonly folder: string };

async function network({ onTestFinished }: TestContext): Promise<Net> {
  const folder = await mkdtemp(join(tmpdir(), 'warmboot-proxy-'));
  const lan = await openLan();
  onTestFinished(async () => {
    await lan.close();
    await rm(folder, { recursive: true });
  });
  return { ...lan, folder };
}

const program = [inCheckout('server/main.ts')];
const serveArgs = ({ folder }: Net, ...flags: string[]) => [
  ...[...program, 'serve', '--data', join(folder, 'data')],
  ...['--boot-listen', '0.0.0.0:8080', '--boot-url', 'http://10.77.0.1:8080', '--proxy-dhcp', ...flags],
];

async function serve(net: Net, ...flags: string[]): Promise<Started> {
  const started = net.server.start(process.execPath, serveArgs(net, ...flags));
  await started.says('"ready":true');
  return started;
}

const dnsmasq = (net: Net, ...flags: string[]) =>
  startDnsmasq(net.server, 'lan0', join(net.folder, 'leases'), flags);

const EVERYBODY = { address: '255.255.255.255', port: 67 };

async function ask(net: Net, question: Partial<Question> & Pick<Question, 'hex' | 'answers'>) {
  const whole: Question = {
    from: { address: '0.0.0.0', port: 68 },
    to: EVERYBODY,
    timeoutMs: 100_000,
    ...question,
  };
  // A machine without an address has no route; ours shall send its broadcasts into this network.
  await net.client.ip('route', 'replace', '255.255.255.255', 'dev', 'eth0');
  const program = [inCheckout('test/interop/udp-ask.ts')];
  const heard = JSON.parse(
    await net.client.run(process.execPath, program, JSON.stringify(whole)),
  ) as Answered;
  return heard.map(({ address, port, hex }) => ({
    from: `${address}:${port}`,
    packet: decoded(Buffer.from(hex, 'hex')),
  }));
}

/** A recorded DISCOVER, asking for broadcasts: the one who asks here has another address than it is offered. */
const discover = (name: Parameters<typeof recorded>[0]) =>
  encode({ ...recordedPacket(name), broadcast: true }).toString('hex');

const bootFile = ({ options }: DhcpPacket) => options.get(OPTION.bootFile)?.toString();

describe.concurrent('beside dnsmasq on the same machine, which owns 0.0.0.0:67', () => {
  test('the address from the one, the boot file from the other', async (context) => {
    const net = await network(context);
    await dnsmasq(net, '--bind-interfaces');
    await serve(net);
    for (const [name, file] of [
      ['ovmf-pxe-discover', 'ipxe.efi'],
      ['ovmf-http-discover', 'http://10.77.0.1:8080/boot/nbp/ipxe.efi'],
      ['ipxe-rom-discover', 'http://10.77.0.1:8080/boot.ipxe'],
    ] as const) {
      const answers = await ask(net, { hex: discover(name), answers: 2 });
      expect(answers.map(({ from }) => from)).toEqual(['10.77.0.1:67', '10.77.0.1:67']);
      const ours = answers.filter(({ packet }) => packet.yiaddr === '0.0.0.0');
      const theirs = answers.filter(({ packet }) => packet.yiaddr !== '0.0.0.0');
      expect(ours.map(({ packet }) => [packet.siaddr, bootFile(packet)])).toEqual([['10.77.0.1', file]]);
      expect(theirs.map(({ packet }) => [packet.yiaddr.slice(0, 9), bootFile(packet)])).toEqual([
        ['10.77.0.1', undefined],
      ]);
    }
  });

  test('boot server requests are ours, and relayed ones the other’s', async (context) => {
    const net = await network(context);
    const other = await dnsmasq(net, '--bind-dynamic');
    const server = await serve(net);
    expect(server.said()).toContain('"relayed":false');
    const answers = await ask(net, {
      from: { address: '10.77.0.2', port: 4011 },
      to: { address: '10.77.0.1', port: 4011 },
      hex: recorded('ovmf-pxe-boot-server').toString('hex'),
      answers: 1,
    });
    expect(answers.map(({ from, packet }) => [from, bootFile(packet)])).toEqual([
      ['10.77.0.1:4011', 'ipxe.efi'],
    ]);

    const relayed = encode({ ...recordedPacket('ovmf-pxe-discover'), giaddr: '10.77.0.2', hops: 1 });
    const toRelay = await ask(net, {
      from: { address: '10.77.0.2', port: 67 },
      to: { address: '10.77.0.1', port: 67 },
      hex: relayed.toString('hex'),
      answers: 1,
    });
    expect(toRelay.map(({ packet }) => packet.yiaddr.slice(0, 9))).toEqual(['10.77.0.1']);
    expect(other.said()).toContain('DHCPOFFER(lan0)');
  });

  // Once more on a busy machine, where five seconds may go by before the first renewal is answered.
  test('udhcpc gets its address and renews it there, and our log says nothing of it', {
    retry: 1,
  }, async (context) => {
    const net = await network(context);
    await dnsmasq(net, '--bind-interfaces');
    const server = await serve(net);
    await net.client.ip('address', 'flush', 'dev', 'eth0');
    const script = join(net.folder, 'udhcpc.sh');
    const set = 'ip address replace "$ip/24" dev eth0';
    await writeFile(
      script,
      `#!/bin/sh\ncase $1 in bound|renew) ${set}; echo "$1 $ip from $serverid";; esac\n`,
      {
        mode: 0o755,
      },
    );
    const client = net.client.start('busybox', ['udhcpc', '-f', '-i', 'eth0', '-s', script]);
    await client.says(/bound 10\.77\.0\.1\d\d from 10\.77\.0\.1/);
    // A renewal goes to the server's address, where our own sockets must not take it.
    client.signal('SIGUSR1');
    await client.says(/^renew 10\.77\.0\.1\d\d from 10\.77\.0\.1/m);
    expect(client.said()).not.toContain('broadcasting renew');
    expect(server.said()).not.toMatch(/proxyDHCP (offer|ack|gives)/);
  });

  test('one that does not share its port: a sentence at the start', async (context) => {
    const net = await network(context);
    await dnsmasq(net);
    const refused = net.server.start(process.execPath, serveArgs(net));
    expect(await refused.ended()).toBe(1);
    expect(refused.said()).toContain('warmboot: proxyDHCP cannot listen on UDP port 67');
    expect(refused.said()).toContain('bind-dynamic');
  });

  test('one that is started later finds its port', async (context) => {
    const net = await network(context);
    await serve(net);
    await dnsmasq(net, '--bind-dynamic');
    const answers = await ask(net, { hex: discover('ovmf-pxe-discover'), answers: 2 });
    expect(answers.map(({ packet }) => packet.yiaddr === '0.0.0.0').sort()).toEqual([false, true]);
  });
});

describe.concurrent('alone on its machine', () => {
  test('relays are answered as well, at their own address', async (context) => {
    const net = await network(context);
    const server = await serve(net);
    expect(server.said()).toContain('"relayed":true');
    const relayed = encode({ ...recordedPacket('ovmf-pxe-discover'), giaddr: '10.77.0.2', hops: 1 });
    const answers = await ask(net, {
      from: { address: '10.77.0.2', port: 67 },
      to: { address: '10.77.0.1', port: 67 },
      hex: relayed.toString('hex'),
      answers: 1,
    });
    expect(answers).toMatchObject([
      { from: '10.77.0.1:67', packet: { giaddr: '10.77.0.2', yiaddr: '0.0.0.0', siaddr: '10.77.0.1' } },
    ]);
  });

  test('interfaces that come and go', async (context) => {
    const net = await network(context);
    const server = await serve(net);
    await net.server.ip('link', 'add', 'late0', 'type', 'veth', 'peer', 'name', 'late1');
    await net.server.ip('address', 'add', '10.78.0.1/24', 'dev', 'late0');
    for (const name of ['late0', 'late1']) await net.server.ip('link', 'set', name, 'up');
    await server.says('"interface":"late0","address":"10.78.0.1","msg":"proxyDHCP answers on an interface"');
    await net.server.ip('link', 'delete', 'late0');
    await server.says('"interface":"late0","address":"10.78.0.1","msg":"proxyDHCP left an interface"');
    // And the first one goes on.
    expect(await ask(net, { hex: discover('ovmf-pxe-discover'), answers: 1 })).toHaveLength(1);
  });

  test('one interface of several', async (context) => {
    const net = await network(context);
    const server = await serve(net, '--proxy-dhcp-interface', 'elsewhere0');
    await server.says('elsewhere0 is not there, or has no IPv4 address');
    expect(await ask(net, { hex: discover('ovmf-pxe-discover'), answers: 1, timeoutMs: 1_500 })).toEqual([]);
  });

  test('known hosts with certain labels alone: others are told apart in the log, and enrolling is enough', async (context) => {
    const net = await network(context);
    const server = await serve(
      net,
      '--proxy-dhcp',
      'known',
      '--proxy-dhcp-labels',
      'rack in (r1, r2), !spare',
    );
    const hex = discover('ovmf-pxe-discover');
    const silence = { hex, answers: 1, timeoutMs: 1_500 };
    expect(await ask(net, silence)).toEqual([]);
    await server.says('this machine is not enrolled');
    const command = [...program, '--data', join(net.folder, 'data')];
    await net.server.run(process.execPath, [...command, 'enrol', '52:54:00:00:00:01', '--label', 'rack=r3']);
    expect(await ask(net, { ...silence, hex: discover('ipxe-rom-discover') })).toEqual([]);
    await server.says('the labels of this host are not those that are served');
    await net.server.run(process.execPath, [...command, 'enrol', '52:54:00:00:00:02', '--label', 'rack=r1']);
    const answers = await ask(net, { hex, answers: 1 });
    expect(answers.map(({ packet }) => bootFile(packet))).toEqual(['ipxe.efi']);
  });
});

describe.concurrent('beside other DHCP servers on the same machine', () => {
  /** A copy of the program: AppArmor lets the packaged one read its packaged configuration alone. */
  async function copied({ folder }: Net, path: string): Promise<string> {
    const copy = join(folder, path.split('/').at(-1) ?? '');
    await copyFile(path, copy);
    return copy;
  }

  test('ISC dhcpd shares its port', async (context) => {
    const net = await network(context);
    const file = join(net.folder, 'dhcpd.conf');
    await writeFile(file, 'subnet 10.77.0.0 netmask 255.255.255.0 { range 10.77.0.100 10.77.0.199; }\n');
    await writeFile(`${file}.leases`, '');
    const own = ['-4', '-f', '-d', '-cf', file, '-lf', `${file}.leases`, '-pf', `${file}.pid`];
    await net.server
      .start(await copied(net, '/usr/sbin/dhcpd'), [...own, 'lan0'])
      .says('Server starting service');
    await serve(net);
    const answers = await ask(net, { hex: discover('ovmf-pxe-discover'), answers: 2 });
    expect(answers.map(({ packet }) => packet.yiaddr === '0.0.0.0').sort()).toEqual([false, true]);
  });

  test('Kea does not: a sentence at the start', async (context) => {
    const net = await network(context);
    const file = join(net.folder, 'kea.json');
    const pools = [{ pool: '10.77.0.100 - 10.77.0.199' }];
    const configuration = {
      'interfaces-config': { interfaces: ['lan0'] },
      'lease-database': { type: 'memfile', persist: false },
      subnet4: [{ id: 1, subnet: '10.77.0.0/24', pools }],
      loggers: [{ name: 'kea-dhcp4', output_options: [{ output: 'stdout' }], severity: 'INFO' }],
    };
    await writeFile(file, JSON.stringify({ Dhcp4: configuration }));
    const places = ['KEA_PIDFILE_DIR', 'KEA_LOCKFILE_DIR', 'KEA_DHCP_DATA_DIR', 'KEA_LOG_FILE_DIR'];
    const env = Object.fromEntries(places.map((name) => [name, net.folder]));
    const kea = net.server.start(await copied(net, '/usr/sbin/kea-dhcp4'), ['-c', file], env);
    await kea.says('DHCP4_STARTED');
    const refused = net.server.start(process.execPath, serveArgs(net));
    expect(await refused.ended()).toBe(1);
    expect(refused.said()).toContain('warmboot: proxyDHCP cannot listen on UDP port 67');
  });
});
