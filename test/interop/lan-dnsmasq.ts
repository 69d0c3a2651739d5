import type { End, Started } from './lan.ts';

/** dnsmasq as the DHCP server of a network of `lan.ts`, at one of its ends; ready when this resolves. */
export async function startDnsmasq(
  end: End,
  interfaceName: 'lan0' | 'eth0',
  leaseFile: string,
  flags: readonly string[] = [],
): Promise<Started> {
  const own = ['--keep-in-foreground', '--conf-file=/dev/null', '--user=root', '--pid-file='];
  own.push('--log-facility=-', '--log-dhcp', '--port=0', '--no-ping', `--interface=${interfaceName}`);
  own.push(`--dhcp-leasefile=${leaseFile}`, '--dhcp-range=10.77.0.100,10.77.0.199,1h');
  const started = end.start('dnsmasq', [...own, ...flags]);
  await started.says(/started/);
  return started;
}
