/**
 * An image onto the other slot of a host that runs an older one: bytes over the wire, headers included, beside what is new in it, compressed, and
 * seconds from the assignment to "staged" beside a full flash. Then casync with the same pair (the old slot as its seed, chunks
 * over HTTP, the same loop device), and RAUC's adaptive mode, replayed (see rauc.ts). The host is a disk on a loop device with the
 * agent running from it; in turn, medians.
 *
 * Usage: staging.ts [--quick]. Needs Docker (`./warmboot build` sets it up) and root; the images are those of bench/delta.ts.
 */
import { readFileSync, statSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import { Api } from '../lab/api.ts';
import { buildImage } from '../lab/build.ts';
import { startLocalServer } from '../lab/local-server.ts';
import { startNginx } from '../lab/nginx.ts';
import { type ImageName, makeImage } from './images.ts';
import { attachLoop, LoopHost, makeAgent } from './loop-host.ts';
import { raucDelta } from './rauc.ts';
import { markdown, median, requireTools, workspace } from './workspace.ts';

const PAIRS: readonly { readonly what: string; readonly from: ImageName; readonly to: ImageName }[] = [
  { what: 'one added layer', from: 'server', to: 'layer' },
  { what: 'upgraded packages in the base', from: 'outdated', to: 'bookworm' },
];
const FLASH = fileURLToPath(new URL('host/flash.sh', import.meta.url));
const rounds = process.argv.includes('--quick') ? 1 : 5;

await requireTools({
  casync: 'casync',
  rauc: 'rauc',
  unsquashfs: 'squashfs-tools',
  nginx: 'nginx-light',
  zstd: 'zstd',
  losetup: 'mount',
  mmdebstrap: 'mmdebstrap',
});
await using space = await workspace();
const { folder } = space;
const data = join(folder, 'data');
await mkdir(data);
const agent = await makeAgent(folder);
const digests = new Map<ImageName, string>();
for (const name of new Set(PAIRS.flatMap(({ from, to }) => [from, to]))) digests.set(name, await build(name));
const server = await startLocalServer(data);
const access = {
  adminUrl: server.adminUrl.replace(/\/$/, ''),
  token: readFileSync(join(data, 'admin.token'), 'utf8').trim(),
};
const places = { folder, server, api: new Api(access), agent };
const url = server.url.replace(/\/$/, '');
const nginx = await startNginx(join(folder, 'nginx'), (listen) => {
  const log = `log_format sent '$bytes_sent'; access_log ${folder}/sent.log sent;`;
  return `${log} sendfile on; tcp_nopush on; keepalive_requests 1000000; server { listen ${listen}; root ${folder}; }`;
});
try {
  const bytes = [
    [
      'MB over the wire',
      'new, compressed',
      'ours',
      '÷ new',
      'with index, frames, kernel, initrd',
      '÷ new',
      'casync',
      'RAUC adaptive, replayed',
      'full image',
    ],
  ];
  const seconds = [
    [
      'seconds',
      'ours, PUT to staged',
      'of it writing and reading back',
      'full flash',
      'casync',
      'ours ÷ full',
      'ours ÷ casync',
    ],
  ];
  for (const { what, from, to } of PAIRS) {
    const measured = await measure(from, to);
    bytes.push([what, ...measured.bytes]);
    seconds.push([what, ...measured.seconds]);
  }
  process.stdout.write(
    `\n${markdown(bytes)}\n\n${markdown(seconds)}\n\n${rounds} rounds in turn, medians.\n`,
  );
} finally {
  await nginx.close();
  await server.close();
}

async function build(name: ImageName): Promise<string> {
  const reference = await makeImage(name);
  const options = ['--from', reference, '--add-agent'];
  return (await buildImage(`bench-${name}`, data, new AbortController().signal, options)).digest;
}

async function measure(from: ImageName, to: ImageName) {
  const [old, next] = [digests.get(from) ?? '', digests.get(to) ?? ''];
  const fresh = await newBytes(old, next);
  const raws = { old: await raw(from), next: await raw(to) };
  const store = join(folder, 'castr');
  await execa('casync', ['make', `--store=${store}`, join(folder, `${to}.caibx`), raws.next]);
  const seen = { staged: [] as number[], work: [] as number[], full: [] as number[], casync: [] as number[] };
  let [wire, all, casyncBytes] = [0, 0, 0];
  for (let round = 0; round < rounds; round += 1) {
    const host = await LoopHost.install(places, old);
    try {
      const staged = await stage(host, next);
      seen.staged.push(staged.seconds);
      seen.work.push(staged.workSeconds);
      [wire, all] = [staged.data, staged.all];
      process.stderr.write(`${staged.requests} requests, ${wire} bytes of data, ${all} in all\n`);
      const seeded = await casync(host, to);
      seen.casync.push(seeded.seconds);
      casyncBytes = seeded.bytes;
    } finally {
      await host.close();
    }
    seen.full.push(await fullFlash(next));
    process.stderr.write(`${from} → ${to}: ${JSON.stringify(seen)}\n`);
  }
  const rauc = await raucDelta(raws.old, raws.next, join(folder, 'rauc'));
  const mb = (value: number) => (value / 1e6).toFixed(1);
  const ratio = (mine: readonly number[], theirs: readonly number[]) =>
    median(mine.map((value, round) => value / (theirs[round] ?? 0))).toFixed(2);
  return {
    bytes: [
      mb(fresh.added),
      mb(wire),
      (wire / fresh.added).toFixed(2),
      mb(all),
      (all / fresh.added).toFixed(2),
      mb(casyncBytes),
      mb(rauc),
      mb(fresh.full),
    ],
    seconds: [
      ...[seen.staged, seen.work, seen.full, seen.casync].map((values) => median(values).toFixed(1)),
      ratio(seen.staged, seen.full),
      ratio(seen.staged, seen.casync),
    ],
  };
}

/** Compressed bytes of the chunks of `next` that `old` has not, and of all. */
async function newBytes(old: string, next: string): Promise<{ added: number; full: number }> {
  const file = async (digest: string, name: string) =>
    (await fetch(`${url}/boot/images/${digest}/${name}`)).json() as Promise<never>;
  const { chunks } = (await file(old, 'index.json')) as { chunks: { sha256: string }[] };
  const { frames } = (await file(next, 'frames.json')) as { frames: { chunk: string; bytes: number }[] };
  const have = new Set(chunks.map(({ sha256 }) => sha256));
  const sum = (all: typeof frames) => all.reduce((bytes, frame) => bytes + frame.bytes, 0);
  return { added: sum(frames.filter(({ chunk }) => !have.has(chunk))), full: sum(frames) };
}

/** The partition as a sparse file, for the peers. */
async function raw(name: ImageName): Promise<string> {
  const path = join(folder, `${name}.raw`);
  const script = `curl -q -sSf "$1" | dd of="$2" bs=1M conv=sparse iflag=fullblock status=none && truncate -s 2G "$2"`;
  await execa('sh', ['-euc', script, 'sh', `${url}/boot/images/${digests.get(name)}/raw`, path]);
  return path;
}

async function stage(host: LoopHost, next: string) {
  host.startAgent();
  await host.shows('its good start', 60, ({ state }) => state === 'active');
  const from = statSync(server.log).size;
  const since = (await places.api.events(0)).next;
  const began = Date.now();
  await places.api.assign(host.mac, next);
  const { at } = await host.report('staged', since, 600);
  const log = readFileSync(server.log).subarray(from).toString('utf8');
  await host.stopAgent();
  const sent = [...log.split('\n')]
    .filter((line) => line.includes(`/boot/images/${next}/`))
    .map((line) => JSON.parse(line) as { path: string; bytes: number; time: number });
  // The log tells of bodies.
  const headers = {
    part: await headerBytes(`${url}/boot/images/${next}/data`, ['-r', '0-999999']),
    whole: await headerBytes(`${url}/boot/images/${next}/index.json`),
  };
  const sum = (all: typeof sent) =>
    all.reduce(
      (bytes, { path, bytes: body }) => bytes + body + headers[path.endsWith('/data') ? 'part' : 'whole'],
      0,
    );
  const workBegan = Math.min(...sent.map(({ time }) => time));
  return {
    seconds: (at - began) / 1000,
    workSeconds: (at - workBegan) / 1000,
    data: sum(sent.filter(({ path }) => path.endsWith('/data'))),
    all: sum(sent),
    requests: sent.length,
  };
}

/** Of an answer, from its status line to the empty one. */
async function headerBytes(of: string, options: readonly string[] = []): Promise<number> {
  const { stdout } = await execa('curl', ['-q', '-sSf', '-D', '-', '-o', '/dev/null', ...options, of], {
    stripFinalNewline: false,
  });
  return stdout.length;
}

/** The other slot is blank, the old one the seed. */
async function casync(host: LoopHost, to: ImageName): Promise<{ seconds: number; bytes: number }> {
  await execa('blkdiscard', ['-f', '-z', host.slot('b')]);
  const log = join(folder, 'sent.log');
  const from = statSync(log).size;
  const began = performance.now();
  const options = [`--store=${nginx.url}/castr`, `--seed=${host.slot('a')}`];
  await execa('casync', ['extract', ...options, `${nginx.url}/${to}.caibx`, host.slot('b')]);
  await execa('sync', [host.slot('b')]);
  const seconds = (performance.now() - began) / 1000;
  const lines = readFileSync(log).subarray(from).toString('utf8').trim().split('\n');
  return { seconds, bytes: lines.reduce((sum, line) => sum + Number(line), 0) };
}

/** As bench/flash.ts measures it, onto an empty disk. */
async function fullFlash(digest: string): Promise<number> {
  const file = join(folder, 'blank');
  const device = await attachLoop(file, 2 * 2 ** 30);
  const env = {
    SERVER: url,
    HOST: '52:54:00:00:00:01',
    WB_LIB: agent.folder,
    HELPER: agent.helper,
    WB_RUN: join(folder, 'flash'),
  };
  const began = performance.now();
  await execa('sh', [FLASH, device, digest], { env, stdin: 'ignore' });
  const seconds = (performance.now() - began) / 1000;
  await execa('sh', ['-c', 'losetup -d "$1" && rm "$2"', 'sh', device, file]);
  return seconds;
}
