import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { startProgram } from './child.ts';
import { NETMASK, RANGE_FIRST, RANGE_LAST, SERVER_ADDRESS } from './network.ts';
import { inCheckout } from './paths.ts';
import { Tail } from './tail.ts';
import { until } from './wait.ts';

/** What an operator is told to write; the rack uses it to the letter, so that the documentation is tested too. */
const EXAMPLE = 'docs/examples/dnsmasq.conf';

/**
 * What the network's DHCP server says besides addresses: all that our documentation asks for; nothing (something else answers the
 * rest); or one next-server and one boot file for whoever asks, as the simplest of them do.
 */
export type DhcpAnswers = 'documented' | 'addresses' | { readonly bootFile: string };

async function configurationFor(answers: DhcpAnswers, place: DhcpPlace): Promise<string> {
  if (answers === 'documented') return documented(place);
  const lines = ['port=0', `interface=${place.bridge}`, 'bind-interfaces', 'no-ping'];
  lines.push(`dhcp-range=${RANGE_FIRST},${RANGE_LAST},${NETMASK},1h`);
  if (answers !== 'addresses') lines.push(`dhcp-boot=${answers.bootFile},,${SERVER_ADDRESS}`);
  return `${lines.join('\n')}\n`;
}

/** The documented example with its placeholders filled in. */
async function documented({ bridge, bootPort }: DhcpPlace): Promise<string> {
  const values: Readonly<Record<string, string>> = {
    INTERFACE: bridge,
    SERVER: SERVER_ADDRESS,
    BOOT_PORT: String(bootPort),
    RANGE_FIRST,
    RANGE_LAST,
    NETMASK,
  };
  const example = await readFile(inCheckout(EXAMPLE), 'utf8');
  return example.replace(/^#.*\n/gm, '').replace(/@([A-Z_]+)@/g, (_, name: string) => {
    const value = values[name];
    if (value === undefined)
      throw new Error(`${EXAMPLE} has a placeholder @${name}@ that the lab does not know`);
    return value;
  });
}

interface DhcpPlace {
  readonly folder: string;
  readonly bridge: string;
  readonly bootPort: number;
}

/** The network's own DHCP server. */
export class Dhcp {
  readonly #dnsmasq: ChildProcess;
  readonly #tail: Tail;
  readonly #macs = new Map<string, string>();
  readonly log: string;

  private constructor(dnsmasq: ChildProcess, log: string) {
    this.#dnsmasq = dnsmasq;
    this.log = log;
    this.#tail = new Tail(log, (line) => {
      const [, address, mac] = /DHCPACK\(\S+\) (\S+) (\S+)/.exec(line) ?? [];
      if (address !== undefined && mac !== undefined) this.#macs.set(address, mac.toLowerCase());
    });
  }

  /** Whom it gave this address to; firmware, iPXE and Linux of one machine may have one each. */
  macOf(address: string): string | undefined {
    // It writes before it answers: what a machine did with its address was seen later than this, whichever log was read first.
    if (!this.#macs.has(address)) this.#tail.read();
    return this.#macs.get(address);
  }

  /** Every lease so far, as address and MAC, for a rack that goes on with these machines. */
  leases(): [address: string, mac: string][] {
    this.#tail.read();
    return [...this.#macs];
  }

  /** Leases that another rack gave to machines that stand in this one now. */
  learn(leases: readonly [address: string, mac: string][]): void {
    for (const [address, mac] of leases) this.#macs.set(address, mac);
  }

  static async start({ answers, ...place }: DhcpPlace & { readonly answers: DhcpAnswers }): Promise<Dhcp> {
    const file = join(place.folder, 'dnsmasq.conf');
    const log = join(place.folder, 'dnsmasq.log');
    await writeFile(file, await configurationFor(answers, place));
    // Where it runs and writes is the lab's business; what it answers is the example's.
    const args = ['--keep-in-foreground', `--conf-file=${file}`, '--user=root', '--pid-file=', '--log-dhcp'];
    args.push(`--dhcp-leasefile=${join(place.folder, 'dnsmasq.leases')}`, `--log-facility=${log}`);
    const dnsmasq = startProgram('dnsmasq', args, { stdio: ['ignore', 'ignore', 'pipe'], detached: true });
    let said = '';
    dnsmasq.stderr?.on('data', (text: Buffer) => {
      said += text;
    });
    const ended = () => {
      if (dnsmasq.exitCode !== null) throw new Error(`dnsmasq did not start: ${said.trim()}`);
    };
    await until(
      async () => {
        ended();
        return (await readFile(log, 'utf8').catch(() => '')).includes('started') || undefined;
      },
      { what: 'the start of dnsmasq', timeoutMs: 10_000 },
    );
    return new Dhcp(dnsmasq, log);
  }

  async close(): Promise<void> {
    if (this.#dnsmasq.exitCode === null && this.#dnsmasq.signalCode === null) {
      const gone = once(this.#dnsmasq, 'exit');
      this.#dnsmasq.kill('SIGKILL');
      await gone;
    }
    this.#tail.close();
  }
}
