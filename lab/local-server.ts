import { once } from 'node:events';
import { closeSync, openSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { startProgram } from './child.ts';
import { inCheckout } from './paths.ts';

/** Of /proc/PID/stat, on every Linux that Node runs on. */
const TICKS_PER_SECOND = 100;

export type LocalServer = {
  readonly pid: number;
  /** Of its boot plane. */
  readonly url: string;
  readonly adminUrl: string;
  /** Where its log lies. */
  readonly log: string;
  close(): Promise<void>;
  /** SIGKILL: as a power cut ends it. */
  kill(): Promise<void>;
};

/** The server as an operator starts it, a process of its own, on loopback alone. @param ports 0 or left out: any */
export async function startLocalServer(
  dataDir: string,
  { bootPort = 0, adminPort = 0 }: { readonly bootPort?: number; readonly adminPort?: number } = {},
): Promise<LocalServer> {
  const listen = ['--boot-listen', `127.0.0.1:${bootPort}`, '--admin-listen', `127.0.0.1:${adminPort}`];
  const args = ['serve', '--data', dataDir, ...listen];
  const log = join(dataDir, 'server.log');
  const logFile = openSync(log, 'a');
  const child = startProgram(inCheckout('warmboot'), [...args, '--tftp-listen', 'off'], {
    stdio: ['ignore', 'pipe', logFile],
  });
  closeSync(logFile);
  if (!child.stdout) throw new Error('no pipe');
  const ended = once(child, 'exit');
  const [line] = await Promise.race([once(createInterface({ input: child.stdout }), 'line'), ended]);
  if (typeof line !== 'string')
    throw new Error(`the server ended before it was ready: ${readFileSync(log, 'utf8').slice(-2000)}`);
  const { bootUrl, adminUrl } = JSON.parse(line) as { bootUrl: string; adminUrl: string };
  return {
    pid: child.pid ?? 0,
    url: bootUrl,
    adminUrl,
    log,
    async close() {
      child.kill('SIGTERM');
      await ended;
    },
    async kill() {
      child.kill('SIGKILL');
      await ended;
    },
  };
}

/** Seconds of user and system time that a process and those it started have used so far. */
export function cpuSeconds(pid: number): number {
  return familyOf(pid).reduce(
    (sum, { fields }) => sum + (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND,
    0,
  );
}

/** Resident MiB of a process and those it started. */
export function residentMib(pid: number): number {
  const kib = ({ pid: each }: { pid: number }) =>
    Number(/^VmRSS:\s*(\d+)/m.exec(readFileSync(`/proc/${each}/status`, 'utf8'))?.[1] ?? 0);
  return familyOf(pid).reduce((sum, each) => sum + kib(each), 0) / 1024;
}

/** Children alone: a server's workers are started by its master. Fields of /proc/PID/stat after the name, the first being the state. */
function familyOf(root: number): { readonly pid: number; readonly fields: readonly string[] }[] {
  const all = readdirSync('/proc')
    .filter((entry) => /^\d+$/.test(entry))
    .flatMap((entry) => {
      try {
        const stat = readFileSync(`/proc/${entry}/stat`, 'utf8');
        return [{ pid: Number(entry), fields: stat.slice(stat.lastIndexOf(')') + 2).split(' ') }];
      } catch {
        return [];
      }
    });
  return all.filter(({ pid, fields }) => pid === root || Number(fields[1]) === root);
}
