import { networkInterfaces } from 'node:os';
import type { ProxyDhcpSettings } from '../config.ts';
import { dhcpFindings, type OwnPlace, unaskedFinding } from '../core/dhcp-findings.ts';
import { type Finding, ok, problem, warning } from '../core/finding.ts';
import { type UsableInterface, usableInterfaces } from '../dhcp/interfaces.ts';
import { refusalWords } from '../dhcp/port-refusal.ts';
import { probeDhcp } from '../dhcp/probe.ts';
import { tryProxyPorts } from '../dhcp/try-ports.ts';
import { portOwner } from '../doctor/port-owner.ts';
import { ownAddresses } from './own-addresses.ts';
import type { RunningNote } from './running-note.ts';

/** The port of DHCP clients. */
const CLIENT_PORT = 68;

/**
 * Asks the DHCP servers of the boot network what they tell machines, all interfaces at once. Takes no address.
 * @param bootUrl as hosts are told
 * @param settings what a server would be started with
 * @param running the server that runs; null: none
 */
export async function* dhcpOnTheWire(
  bootUrl: string,
  settings: ProxyDhcpSettings | null,
  running: Pick<RunningNote, 'proxyDhcp'> | null,
): AsyncGenerator<Finding> {
  const own = { addresses: ownAddresses(), bootUrl, proxy: proxyState(settings, running) };
  const chosen = bootInterfaces(bootUrl, settings?.interfaces ?? running?.proxyDhcp?.wanted ?? []);
  if (settings && !running) yield portsFinding(chosen);
  if (chosen.length === 0)
    yield warning(
      'dhcp',
      'there is no interface to ask on: none of the boot network has an IPv4 address',
      'Give it one, or name another interface with --proxy-dhcp --proxy-dhcp-interface.',
    );
  for (const findings of await Promise.all(chosen.map((at) => ask(at, own)))) yield* findings;
}

/** Those that are named; else the one with the address that hosts are told; else, where that is elsewhere or a name, all. */
function bootInterfaces(bootUrl: string, wanted: readonly string[]): readonly UsableInterface[] {
  const all = usableInterfaces(networkInterfaces(), wanted);
  if (wanted.length > 0) return all;
  const { hostname } = new URL(bootUrl);
  const named = all.filter(({ address }) => address === hostname);
  return named.length > 0 ? named : all;
}

function proxyState(
  settings: ProxyDhcpSettings | null,
  running: Pick<RunningNote, 'proxyDhcp'> | null,
): OwnPlace['proxy'] {
  if (!running) return settings ? 'planned' : 'off';
  if (!running.proxyDhcp) return 'off';
  return running.proxyDhcp.isLimited ? 'limited' : 'answers';
}

async function portsFinding(chosen: readonly UsableInterface[]): Promise<Finding> {
  const check = 'dhcp-port';
  const refusal = await tryProxyPorts(chosen.map(({ address }) => address));
  if (!refusal) return ok(check, 'proxyDHCP can listen on UDP ports 67 and 4011');
  const words = refusalWords(refusal, await ownerOf(refusal.port));
  return problem(check, words.problem, words.mend);
}

async function ownerOf(port: number): Promise<string> {
  const owner = await portOwner('udp', port);
  return owner ? `${owner.name} (process ${owner.pid})` : 'another program';
}

async function ask(at: UsableInterface, own: OwnPlace): Promise<readonly Finding[]> {
  try {
    return dhcpFindings(await probeDhcp(at), own);
  } catch (error) {
    return [await unasked(at.name, error as NodeJS.ErrnoException)];
  }
}

async function unasked(name: string, { code, message }: NodeJS.ErrnoException): Promise<Finding> {
  if (code === 'EACCES') return unaskedFinding(name, 'that needs root', 'Run doctor as root.');
  if (code !== 'EADDRINUSE') return unaskedFinding(name, message, 'Mend that first, then look again.');
  return unaskedFinding(
    name,
    `${await ownerOf(CLIENT_PORT)} has UDP port ${CLIENT_PORT} for itself, as a DHCP client`,
    'Look from another machine of that network, or stop that client for a moment.',
  );
}
