import { spawn } from 'node:child_process';
import { randomFillSync } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { execa } from 'execa';
import { insideNamespaces, runInNamespaces } from '../lab/namespace.ts';
import { startLoopback } from '../lab/network.ts';
import { blocksOf, type Cell, cells, type Link } from './tftp/cells.ts';
import { PORTS, type ServerName, serveOurs, startServers } from './tftp/servers.ts';
import { median, requireTools, table, workspace } from './workspace.ts';

/**
 * TFTP servers on one machine, asked by the same clients (bench/tftp/client.c): Warmboot, tftpd-hpa, atftpd, dnsmasq. Prints MB/s of
 * all clients together, medians, and Warmboot's ratio to the best of the others. Every file is compared byte by byte. Where there is
 * delay or loss, packets go through bench/tftp/link.c; else over loopback. All in a network namespace of its own.
 *
 *     bench/tftp.ts [--quick]
 */

const QUICK = process.argv.includes('--quick');
/** One server in one cell is measured again until so much time has gone, three times at most. */
const BUDGET_MS = QUICK ? 200 : 700;
const REPEATS = 3;
/**
 * About what an NBP for UEFI has. The shorter files that speed is measured with lose a packet or none each: their times say more
 * of chance than of the server.
 */
const NBP_BYTES = 1024 * 1024;

const PEERS: readonly ServerName[] = ['tftpd-hpa', 'atftpd', 'dnsmasq'];
const SERVERS: readonly ServerName[] = ['warmboot', 'one port', ...PEERS];

type Answer = {
  readonly blksize: number;
  readonly windowsize: number;
  readonly ms: readonly number[];
  readonly failed: number;
};
type Run = {
  /** What the server made of the windowsize asked for: 1 if it does not know the option. */
  readonly windowsize: number;
  readonly megabytesPerSecond: number;
  readonly failed: number;
};

const [, , role = '', folder = ''] = process.argv;
const served = join(folder, 'served');
if (role === '--serve') await serveOurs(served);
else if (insideNamespaces()) await measure();
else await prepare();

/** Where there is a network: programs are compiled, peers unpacked (tftpd-hpa and atftpd cannot be installed side by side). */
async function prepare(): Promise<void> {
  await requireTools({ gcc: 'gcc', dnsmasq: 'dnsmasq-base', ip: 'iproute2', unshare: 'util-linux' });
  await using space = await workspace();
  const source = join(import.meta.dirname, 'tftp');
  const cwd = space.folder;
  for (const name of ['client', 'link'])
    await execa('gcc', ['-O2', '-o', name, join(source, `${name}.c`)], { cwd });
  await execa('apt-get', ['download', 'tftpd-hpa', 'atftpd', 'libwrap0'], { cwd });
  await execa('sh', ['-c', 'for package in *.deb; do dpkg -x "$package" peers; done'], { cwd });
  mkdirSync(join(cwd, 'served'));
  const flags = QUICK ? ['--quick'] : [];
  process.exitCode = await runInNamespaces([import.meta.filename, '--measure', cwd, ...flags], {
    graceful: false,
  });
}

async function measure(): Promise<void> {
  await startLoopback();
  await startServers([import.meta.filename, '--serve', folder], served, join(folder, 'peers'));
  const rows = [['clients rtt loss blksize window', ...SERVERS, 'ratio', 'longest/median']];
  const ratios: number[] = [];
  const againstLockStep: number[] = [];
  // Nobody is measured cold: what Node has not compiled yet runs at a third of the speed.
  for (const server of SERVERS)
    await ask('127.0.0.1', server, { clients: 1, blksize: 512, windowsize: 1 }, 4 * (NBP_BYTES / 512));
  for (const cell of cells(QUICK)) {
    const results = new Map<ServerName, Run>();
    for (const server of cell.lossPercent > 0 ? SERVERS.filter((name) => name !== 'one port') : SERVERS)
      results.set(server, await resultOf(server, cell));
    const speed = (server: ServerName) => results.get(server)?.megabytesPerSecond ?? 0;
    const best = Math.max(...PEERS.map(speed));
    ratios.push(speed('warmboot') / best);
    const lacking = PEERS.filter((peer) => results.get(peer)?.windowsize === 1);
    if (cell.rttMs > 0 && cell.windowsize > 1)
      againstLockStep.push(speed('warmboot') / Math.max(...lacking.map(speed)));
    const { clients, rttMs, lossPercent, blksize, windowsize } = cell;
    rows.push([
      `${clients} ${rttMs}ms ${lossPercent}% ${blksize} ${windowsize}`,
      ...SERVERS.map((server) => cellText(results.get(server))),
      (speed('warmboot') / best).toFixed(2),
      clients > 1 ? (await spreadOf(cell)).toFixed(2) : '',
    ]);
    process.stderr.write(`${rows.at(-1)?.join('  ')}\n`);
  }
  process.stdout.write(`MB/s; ! a client failed\n${table(rows)}\n`);
  const say = (what: string, values: readonly number[]) =>
    process.stdout.write(
      `${what}: median ${median(values).toFixed(2)}, lowest ${Math.min(...values).toFixed(2)}\n`,
    );
  say('to the best of the others', ratios);
  say('with windows at 5 ms, to the best of those without', againstLockStep);
  process.exit(0);
}

function cellText(run: Run | undefined): string {
  return run === undefined ? '' : `${run.megabytesPerSecond.toFixed(2)}${run.failed > 0 ? '!' : ''}`;
}

async function resultOf(server: ServerName, cell: Cell): Promise<Run> {
  const runs: Run[] = [];
  const began = performance.now();
  const { windowsize } = await ask('127.0.0.1', server, { ...cell, clients: 1 }, 1);
  do runs.push(await run(server, cell, blocksOf(cell, windowsize), runs.length + 1));
  while (runs.length < REPEATS && performance.now() - began < BUDGET_MS);
  return {
    megabytesPerSecond: median(runs.map((one) => one.megabytesPerSecond)),
    windowsize,
    failed: runs.reduce((sum, { failed }) => sum + failed, 0),
  };
}

/** Longest by median, of clients that all load an NBP. */
async function spreadOf(cell: Cell): Promise<number> {
  const { spread } = await run('warmboot', cell, Math.ceil(NBP_BYTES / cell.blksize), 1);
  return spread;
}

async function run(
  server: ServerName,
  cell: Cell,
  blocks: number,
  seed: number,
): Promise<Run & { /** The slowest client's time by the median client's. */ readonly spread: number }> {
  await using link = await openLink(cell, seed);
  const { ms, failed, windowsize } = await ask(link.address, server, cell, blocks);
  const longest = Math.max(...ms);
  const bytes = cell.clients * blocks * cell.blksize;
  return { megabytesPerSecond: bytes / 1000 / longest, spread: longest / median(ms), failed, windowsize };
}

async function ask(
  address: string,
  server: ServerName,
  cell: Pick<Cell, 'clients' | 'blksize' | 'windowsize'>,
  blocks: number,
): Promise<Answer> {
  const { blksize, windowsize, clients } = cell;
  const name = `${blocks}x${blksize}`;
  const file = join(served, name);
  // One byte short, or RFC 1350 wants an empty block behind it.
  if (!existsSync(file)) writeFileSync(file, randomFillSync(Buffer.alloc(blocks * blksize - 1)));
  const args = [address, PORTS[server], name, blksize, windowsize, clients, file].map(String);
  const { stdout } = await execa(join(folder, 'client'), args, { stderr: 'inherit' });
  return JSON.parse(stdout) as Answer;
}

/** A link with delay and loss, or loopback where there is neither. */
async function openLink({ rttMs, lossPercent }: Link, seed: number) {
  if (rttMs === 0 && lossPercent === 0)
    return { address: '127.0.0.1', [Symbol.asyncDispose]: async () => undefined };
  const child = spawn(join(folder, 'link'), ['tun0', rttMs * 500, lossPercent * 100, seed].map(String), {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  await once(child.stdout, 'data');
  await execa('ip', ['address', 'add', '10.9.0.1/24', 'dev', 'tun0']);
  await execa('ip', ['link', 'set', 'tun0', 'up', 'txqueuelen', '20000']);
  return {
    address: '10.9.0.2',
    [Symbol.asyncDispose]: async () => {
      child.kill();
      await once(child, 'exit');
    },
  };
}
