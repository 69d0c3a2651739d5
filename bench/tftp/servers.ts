import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { fileOf } from '../../server/tftp/files.ts';
import { startTftp } from '../../server/tftp/server.ts';

/** The servers that are measured, each on a port of its own. dnsmasq knows no other than 69. */
export const PORTS = {
  warmboot: 6901,
  'one port': 6902,
  'tftpd-hpa': 6903,
  atftpd: 6904,
  dnsmasq: 69,
} as const;
export type ServerName = keyof typeof PORTS;

/** Our server as `serve` starts it in both modes, with files in memory as NBPs are; for one machine that plays 100. */
export async function serveOurs(served: string): Promise<void> {
  const known = new Map<string, Buffer>();
  const files = async (name: string) => {
    const content = known.get(name) ?? readFileSync(join(served, name));
    known.set(name, content);
    return fileOf(content);
  };
  const given = { host: '0.0.0.0', files, limits: { transfersPerClient: 1000 } };
  await startTftp({ ...given, port: PORTS.warmboot });
  await startTftp({ ...given, port: PORTS['one port'], singlePort: true });
  process.stdout.write('ready\n');
}

/** @param ours the arguments with which node becomes our server @param peers a folder with the unpacked packages */
export async function startServers(ours: readonly string[], served: string, peers: string): Promise<void> {
  const libraries = join(peers, 'usr/lib');
  const [architecture = ''] = readdirSync(libraries).filter((name) => name.endsWith('-linux-gnu'));
  const env = { ...process.env, LD_LIBRARY_PATH: join(libraries, architecture) };
  const start = (program: string, args: readonly string[]): ChildProcess => {
    const child = spawn(program, args, { env, stdio: ['ignore', 'pipe', 'inherit'] });
    child.on('exit', (code) => {
      process.stderr.write(`${program} ended with ${code}\n`);
      process.exit(1);
    });
    return child;
  };
  const us = start(process.execPath, [...process.execArgv, ...ours]);
  await once(us.stdout ?? us, 'data');
  start(join(peers, 'usr/sbin/in.tftpd'), [
    '-L',
    '-u',
    'root',
    '-4',
    '-a',
    `:${PORTS['tftpd-hpa']}`,
    '-s',
    served,
  ]);
  start(join(peers, 'usr/sbin/atftpd'), [
    ...['--daemon', '--no-fork', '--user', 'root', '--group', 'root', '--logfile', '/dev/null'],
    ...['--maxthread', '200', '--port', String(PORTS.atftpd), served],
  ]);
  start('dnsmasq', [
    ...['--keep-in-foreground', '--conf-file=/dev/null', '--user=root', '--pid-file', '--port=0'],
    ...['--log-facility=/dev/null', '--enable-tftp', `--tftp-root=${served}`, '--tftp-max=300'],
  ]);
  await pause(1000);
}
