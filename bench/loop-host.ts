import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { cpSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import type { Api } from '../lab/api.ts';
import type { HostView, ServerEvent } from '../lab/feed.ts';
import type { LocalServer } from '../lab/local-server.ts';

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url));
const AGENT = here('../images/agent/rootfs/usr/lib/warmboot');
const INSTALLER = here('../images/installer/rootfs/usr/lib/warmboot');
/** And the partition numbers of its slots. */
const LAYOUT = 'two-slots-msdos';
const SLOTS = { a: 3, b: 4 } as const;
const DISK_BYTES = 5 * 2 ** 30;

/** The agent's scripts and its helper, made of the checkout. */
export interface AgentFolder {
  readonly folder: string;
  readonly helper: string;
  /** See host/account.c. */
  readonly account: string;
}

export async function makeAgent(space: string): Promise<AgentFolder> {
  const folder = join(space, 'agent');
  cpSync(AGENT, folder, { recursive: true });
  await execa('make', ['-s', '-C', here('../images/agent/helper'), `OUT=${join(space, 'helper')}`, 'all']);
  const helper = join(folder, 'warmboot-helper');
  cpSync(join(space, 'helper/warmboot-helper'), helper);
  const account = join(space, 'account');
  await execa('gcc', ['-O2', '-static', '-o', account, here('host/account.c')]);
  return { folder, helper, account };
}

/** A file as a block device, with its partitions; not cached twice. @returns /dev/loopN */
export async function attachLoop(file: string, bytes: number): Promise<string> {
  const made = await open(file, 'wx');
  await made.truncate(bytes);
  await made.close();
  const { stdout } = await execa('losetup', ['--find', '--show', '--partscan', '--direct-io=on', file]);
  process.once('exit', () => detachLoop(stdout));
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1));
  return stdout;
}

export function detachLoop(device: string): void {
  // The kernel is told of each partition where it does not read the table itself, and has to be told that they go.
  for (const [program, option] of [
    ['partx', '--delete'],
    ['losetup', '--detach'],
  ] as const)
    spawnSync(program, [option, device], { stdio: 'ignore' });
}

/** What of an agent's life was paid for; of all its processes together. */
export interface Account {
  readonly cpuMs: number;
  readonly voluntary: number;
  readonly involuntary: number;
  readonly processes: number;
}

interface Places {
  readonly folder: string;
  readonly server: LocalServer;
  readonly api: Api;
  readonly agent: AgentFolder;
}

/**
 * A host without a machine: a disk that the installer's functions wrote, on a loop device, and the agent running from its slot a, in
 * namespaces of its own on this machine's kernel. The server cannot tell. It stages; it never switches.
 */
export class LoopHost {
  readonly mac: string;
  readonly device: string;
  readonly #places: Places;
  #agent: ChildProcess | undefined;
  #said = '';
  #looks = 0;

  private constructor(places: Places, mac: string, device: string) {
    this.#places = places;
    this.mac = mac;
    this.device = device;
  }

  /** @param image what slot a gets */
  static async install(places: Places, image: string): Promise<LoopHost> {
    const mac = `52:54:00:${randomBytes(3).toString('hex').match(/../g)?.join(':')}`;
    const name = mac.replaceAll(':', '');
    const device = await attachLoop(join(places.folder, `${name}.img`), DISK_BYTES);
    const host = new LoopHost(places, mac, device);
    mkdirSync(host.#path('root'));
    try {
      const order = { macs: [mac], image, layout: LAYOUT };
      await places.api.addHost(order);
      await execa('unshare', ['--mount', 'sh', here('host/install.sh'), host.#disk], {
        env: host.#env(),
        stdin: 'ignore',
        stderr: 'inherit',
      });
    } catch (error) {
      await host.close();
      throw error;
    }
    return host;
  }

  get #disk(): string {
    return this.device.replace('/dev/', '');
  }

  #path(name: string): string {
    return join(this.#places.folder, `${this.mac.replaceAll(':', '')}.${name}`);
  }

  #env(): Record<string, string> {
    const { agent, server } = this.#places;
    const run = this.#path('run');
    mkdirSync(run, { recursive: true });
    return {
      SERVER: server.url.replace(/\/$/, ''),
      HOST: this.mac,
      WB_LIB: agent.folder,
      INSTALLER,
      WB_RUN: run,
      HELPER: agent.helper,
    };
  }

  slot(letter: keyof typeof SLOTS): string {
    return `${this.device}p${SLOTS[letter]}`;
  }

  /** Process numbers of the agent: its shell, and what that runs now. */
  processes(): number[] {
    // Above it are unshare and host/account.c.
    const [account = 0] = childrenOf(this.#agent?.pid ?? 0);
    const all = childrenOf(account);
    for (const pid of all) all.push(...childrenOf(pid));
    return all;
  }

  /** What the agent used so far, and how many processes it started. */
  used(): { readonly cpuMs: number; readonly processes: number } {
    const [account = 0] = childrenOf(this.#agent?.pid ?? 0);
    let ticks = 0;
    for (const pid of this.processes()) {
      // Of itself and of its children that ended, in user and system mode.
      const stat = textOf(`/proc/${pid}/stat`);
      const times = stat
        .slice(stat.lastIndexOf(')') + 2)
        .split(' ')
        .slice(11, 15);
      for (const time of times) ticks += Number(time);
    }
    // The number of the last process; numbers rise in a namespace of one's own, and this look takes one itself.
    const enter = ['--target', String(account), '--pid', 'cat', '/proc/loadavg'];
    const last = execFileSync('nsenter', enter, { encoding: 'utf8' }).trim().split(' ').at(-1);
    this.#looks += 1;
    return { cpuMs: ticks * 10, processes: Number(last) - this.#looks };
  }

  /** @param before a command to start it with, such as taskset */
  startAgent(before: readonly string[] = []): void {
    const { agent } = this.#places;
    const words = [this.#disk, this.#path('root'), agent.folder, agent.account, this.#path('run/append')];
    const [program = '', ...args] = [
      ...before,
      ...['unshare', '--mount', '--pid', '--fork', '--kill-child', 'sh', here('host/agent.sh')],
    ];
    const child = spawn(program, [...args, ...words], { stdio: ['ignore', 'pipe', 'inherit'] });
    this.#agent = child;
    this.#said = '';
    this.#looks = 0;
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      this.#said += text;
    });
  }

  /** Waits until the agent has said so on its console. */
  async says(what: string, seconds: number): Promise<void> {
    for (const until = Date.now() + seconds * 1000; !this.#said.includes(what); await sleep(20))
      if (Date.now() > until || this.#agent === undefined)
        throw new Error(`${this.mac}: the agent did not say "${what}" in ${seconds} s, but ${this.#said}`);
  }

  async stopAgent(): Promise<Account> {
    const agent = this.#agent;
    if (!agent) throw new Error('the agent does not run');
    this.#agent = undefined;
    const gone = once(agent, 'close');
    for (const pid of childrenOf(agent.pid ?? 0)) process.kill(pid, 'SIGTERM');
    await gone;
    return JSON.parse(this.#said.trim().split('\n').at(-1) ?? '') as Account;
  }

  /** Waits until the server shows the host so. */
  async shows(what: string, seconds: number, match: (host: HostView) => boolean): Promise<HostView> {
    const until = Date.now() + seconds * 1000;
    for (;;) {
      const host = await this.#places.api.host(this.mac);
      if (match(host)) return host;
      const outcome = host.attempt?.outcome;
      if (outcome === 'failed' || outcome === 'rolled-back')
        throw new Error(`${this.mac}: the attempt ended as ${outcome}: ${host.attempt?.reason}`);
      if (Date.now() > until)
        throw new Error(`${this.mac}: ${what} was not seen in ${seconds} s: ${JSON.stringify(host)}`);
      await sleep(50);
    }
  }

  /** The first report of that kind behind the event `after`. */
  async report(kind: string, after: number, seconds: number): Promise<ServerEvent> {
    const until = Date.now() + seconds * 1000;
    for (;;) {
      const host = await this.shows('life', seconds, () => true);
      const { events } = await this.#places.api.events(after);
      const found = events.find(({ data, host: whose }) => data.report === kind && whose === host.id);
      if (found) return found;
      if (Date.now() > until) throw new Error(`${this.mac}: no report ${kind} in ${seconds} s`);
      await sleep(50);
    }
  }

  async close(): Promise<void> {
    if (this.#agent) await this.stopAgent().catch(() => {});
    await this.#places.api.removeHost(this.mac).catch(() => {});
    detachLoop(this.device);
    for (const name of ['img', 'run', 'root']) rmSync(this.#path(name), { recursive: true, force: true });
  }
}

/** Numbers of the processes that this one started; none when it has ended. */
export function childrenOf(pid: number): number[] {
  return textOf(`/proc/${pid}/task/${pid}/children`).split(' ').filter(Boolean).map(Number);
}

function textOf(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
