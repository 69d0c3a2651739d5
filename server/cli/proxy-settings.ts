import { type Command, InvalidArgumentError } from 'commander';
import { CliError } from './cli-error.ts';
import { setting } from './setting.ts';
import type { CliWorld, ServeOptions } from './world.ts';

/** What proxyDHCP is told. One flag turns it on; the others limit it. */

type Clients = 'all' | 'known' | 'off';

export interface ProxyFlags {
  /** True where the flag stands alone. */
  readonly proxyDhcp?: Clients | true;
  readonly proxyDhcpLabels?: string;
  readonly proxyDhcpInterface?: readonly string[];
}

export function addProxyFlags(command: Command): Command {
  return command
    .option(
      '--proxy-dhcp [clients]',
      "tell machines what to boot, beside the network's own DHCP server: all (default), known, or off",
      clients,
    )
    .option(
      '--proxy-dhcp-labels <selector>',
      'only known hosts with these labels, for example "rack in (r1, r2)"',
    )
    .option(
      '--proxy-dhcp-interface <name>',
      'only on this interface; may be repeated (default: all but loopback)',
      (text: string, before: readonly string[] = []) => [...before, interfaceName(text)],
    );
}

/** @throws CliError for limits of something that is off, and for a variable that cannot be read */
export function proxySettings(flags: ProxyFlags, world: CliWorld): ServeOptions['proxyDhcp'] {
  const said = flags.proxyDhcp ?? setting(world, 'PROXY_DHCP', clients) ?? 'off';
  if (said === 'off') {
    const limit = flags.proxyDhcpLabels !== undefined ? 'labels' : 'interface';
    if (flags.proxyDhcp === undefined && (flags.proxyDhcpLabels ?? flags.proxyDhcpInterface) !== undefined)
      throw new CliError(`--proxy-dhcp-${limit} limits proxyDHCP, and that is off: add --proxy-dhcp.`, 2);
    return null;
  }
  return {
    clients: said === true ? 'all' : said,
    labels: flags.proxyDhcpLabels ?? setting(world, 'PROXY_DHCP_LABELS', String) ?? null,
    interfaces: flags.proxyDhcpInterface ?? setting(world, 'PROXY_DHCP_INTERFACE', interfaceNames) ?? [],
  };
}

export const PROXY_VARIABLES =
  'WARMBOOT_PROXY_DHCP, WARMBOOT_PROXY_DHCP_LABELS, WARMBOOT_PROXY_DHCP_INTERFACE (with commas between names)';

function clients(text: string): Clients {
  if (text === 'all' || text === 'known' || text === 'off') return text;
  throw new InvalidArgumentError('It is all, known or off.');
}

/** As Linux allows them: up to 15 characters, no slash, no blank. */
function interfaceName(text: string): string {
  if (!/^[^\s/,]{1,15}$/.test(text))
    throw new InvalidArgumentError('It is the name of an interface, for example eth1.');
  return text;
}

function interfaceNames(text: string): readonly string[] {
  return text.split(',').map((name) => interfaceName(name.trim()));
}
