import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readlink } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { execa } from 'execa';

/** A network of two ends in namespaces of their own; commands are run at one of them. All ends with `close`, or with this process. */
export type Lan = {
  /** `lan0`, 10.77.0.1/24. */
  readonly server: End;
  /** `eth0`, 10.77.0.2/24. */
  readonly client: End;
  close(): Promise<void>;
};

export type End = {
  run(command: string, args: readonly string[], input?: string): Promise<string>;
  ip(...args: string[]): Promise<string>;
  /** Runs until the network is closed, or `stop`. */
  start(command: string, args: readonly string[], env?: Readonly<Record<string, string>>): Started;
};

export type Started = {
  /** All that it has said so far. */
  said(): string;
  /** Resolves when it has said this. @throws with its words when it ends before, or is silent for too long */
  says(words: string | RegExp): Promise<void>;
  /** @returns its exit code */
  ended(): Promise<number | null>;
  signal(name: NodeJS.Signals): void;
  stop(): Promise<void>;
};

/** A bound for what hangs. */
const PATIENCE_MS = 120_000;

export async function openLan(): Promise<Lan> {
  const running: Started[] = [];
  const holders = [holder(), holder()];
  await Promise.all(holders.map(inItsNamespace));
  const [server, client] = holders.map((each) => endOf(each, running)) as [End, End];
  const peer = ['type', 'veth', 'peer', 'name', 'eth0', 'netns', String(holders[1]?.pid)];
  await server.ip('link', 'add', 'lan0', ...peer);
  await server.ip('address', 'add', '10.77.0.1/24', 'dev', 'lan0');
  await client.ip('address', 'add', '10.77.0.2/24', 'dev', 'eth0');
  for (const [end, name] of [
    [server, 'lan0'],
    [client, 'eth0'],
  ] as const) {
    await end.ip('link', 'set', 'lo', 'up');
    await end.ip('link', 'set', name, 'up');
  }
  return {
    server,
    client,
    close: async () => {
      for (const each of running.reverse()) await each.stop();
      for (const each of holders) each.kill('SIGKILL');
    },
  };
}

/** The first process of a network namespace, which is there as long as it is. */
function holder(): ChildProcess {
  return spawn('setpriv', ['--pdeathsig', 'KILL', '--', 'unshare', '--net', '--', 'sleep', '3600'], {
    stdio: 'ignore',
  });
}

/** Until then its namespace is ours, where nothing may be changed. */
async function inItsNamespace(child: ChildProcess): Promise<void> {
  await once(child, 'spawn');
  const ours = await readlink('/proc/self/ns/net');
  const deadline = Date.now() + PATIENCE_MS;
  while ((await readlink(`/proc/${child.pid}/ns/net`)) === ours) {
    if (Date.now() > deadline) throw new Error('unshare made no network namespace');
    await sleep(10);
  }
}

function endOf({ pid }: ChildProcess, running: Started[]): End {
  const inside = (command: string, args: readonly string[]) => [
    '-t',
    String(pid),
    '-n',
    '--',
    command,
    ...args,
  ];
  const run = async (command: string, args: readonly string[], input = '') => {
    const { stdout } = await execa('nsenter', inside(command, args), { input, timeout: PATIENCE_MS });
    return stdout;
  };
  return {
    run,
    ip: (...args) => run('ip', args),
    start: (command, args, env = {}) => {
      const child = spawn('nsenter', inside(command, args), {
        stdio: ['ignore', 'pipe', 'pipe'],
        env: { ...process.env, ...env },
      });
      const started = follow(child);
      running.push(started);
      return started;
    },
  };
}

function follow(child: ChildProcess): Started {
  let said = '';
  const hear = (chunk: Buffer) => {
    said += chunk;
  };
  child.stdout?.on('data', hear);
  child.stderr?.on('data', hear);
  const closed = once(child, 'close') as Promise<[number | null]>;
  const hasEnded = () => child.exitCode !== null || child.signalCode !== null;
  return {
    said: () => said,
    says: async (words) => {
      const deadline = Date.now() + PATIENCE_MS;
      while (!(typeof words === 'string' ? said.includes(words) : words.test(said))) {
        if (hasEnded() || Date.now() > deadline) throw new Error(`it never said "${words}", but:\n${said}`);
        await sleep(50);
      }
    },
    ended: async () => (await closed)[0],
    signal: (name) => void child.kill(name),
    stop: async () => {
      if (!hasEnded()) child.kill('SIGTERM');
      const timer = setTimeout(() => child.kill('SIGKILL'), 5_000);
      await closed;
      clearTimeout(timer);
    },
  };
}
