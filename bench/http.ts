/**
 * Image bytes over HTTP: `data` from `./warmboot serve`, as a process of its own, beside nginx with sendfile on the same bytes in
 * one file; then from nginx as a cache before `serve`, set up as in the docs, that has them already. All of it lies in the page
 * cache. Each download is a curl that throws the bytes away. One server after the other, in turn; GB/s of all connections
 * together, and the CPU seconds of the server's processes for each GB. Usage: http.ts [MIB [ROUNDS]]
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { cpuSeconds, startLocalServer } from '../lab/local-server.ts';
import { startNginx } from '../lab/nginx.ts';
import { type RandomImage, storeRandomImages } from '../test/fixtures/random-images.ts';
import { median, requireTools, table, workspace } from './workspace.ts';

const MIB = Number(process.argv[2] ?? 512);
const ROUNDS = Number(process.argv[3] ?? 5);
const CONNECTIONS = [1, 4, 16];

type Server = { readonly pid: number; readonly url: string };
type Measured = { readonly perSecond: number; readonly cpu: number };

await requireTools({ nginx: 'nginx-light', curl: 'curl' });
await using space = await workspace();
const dataDir = join(space.folder, 'data');
process.stderr.write('making images\n');
const images = await storeRandomImages(dataDir, MIB * 2 ** 20);
const pathOf = ({ digest }: RandomImage) => `/boot/images/${digest}/data`;

const warmboot = await startLocalServer(dataDir);
const nginx = await startNginx(join(space.folder, 'nginx'), (listen) => {
  const files = images.map((image) => `location = ${pathOf(image)} { alias ${image.file}; }`);
  return `sendfile on; tcp_nopush on; access_log off; server { listen ${listen}; ${files.join(' ')} }`;
});
const example = readFileSync(new URL('../docs/examples/nginx-cache.conf', import.meta.url), 'utf8');
const cache = await startNginx(join(space.folder, 'cache'), (listen) =>
  example
    .replaceAll('@LISTEN@', listen)
    .replaceAll('@SERVER@', new URL(warmboot.url).host)
    .replaceAll('@CACHE@', join(space.folder, 'cached'))
    .replaceAll('@CACHE_SIZE@', '8g')
    .concat('access_log off;'),
);
try {
  for (const image of images) await compareBytes(image);
  const [whole, pieced] = images;
  const rows = [['data', 'connections', 'GB/s', 'nginx GB/s', 'ratio', 'CPU s/GB', 'nginx CPU s/GB']];
  for (const [what, server, image] of [
    ['in one piece', warmboot, whole],
    ['in pieces', warmboot, pieced],
    ['behind the cache', cache, whole],
  ] as const)
    for (const connections of CONNECTIONS)
      rows.push([what, String(connections), ...(await beside(server, image, connections))]);
  process.stdout.write(`\n${table(rows)}\n`);
} finally {
  await cache.close();
  await nginx.close();
  await warmboot.close();
}

/** Throughput of both and their ratio, CPU of both. */
async function beside(server: Server, image: RandomImage, connections: number): Promise<string[]> {
  const [ours, theirs]: [Measured[], Measured[]] = [[], []];
  for (let round = 0; round < ROUNDS; round += 1) {
    theirs.push(await download(nginx, image, connections));
    ours.push(await download(server, image, connections));
    process.stderr.write('.');
  }
  const middle = (all: Measured[], what: keyof Measured) => median(all.map((each) => each[what])).toFixed(2);
  const ratio = median(ours.map(({ perSecond }, i) => perSecond / (theirs[i]?.perSecond ?? 0)));
  return [
    middle(ours, 'perSecond'),
    middle(theirs, 'perSecond'),
    ratio.toFixed(2),
    middle(ours, 'cpu'),
    middle(theirs, 'cpu'),
  ];
}

/** All send the same, and with it all of it is in the page cache and in nginx's. */
async function compareBytes(image: RandomImage): Promise<void> {
  const expected = readFileSync(image.file);
  for (const { url } of [warmboot, nginx, cache]) {
    const got = Buffer.from(await (await fetch(url + pathOf(image))).arrayBuffer());
    if (!got.equals(expected)) throw new Error(`${url}${pathOf(image)} is not ${image.file}`);
  }
}

async function download({ pid, url }: Server, image: RandomImage, connections: number): Promise<Measured> {
  const gigabytes = (connections * image.bytes) / 1e9;
  const cpu = cpuSeconds(pid);
  const began = performance.now();
  await Promise.all(Array.from({ length: connections }, () => fetchAway(url + pathOf(image))));
  const seconds = (performance.now() - began) / 1000;
  return { perSecond: gigabytes / seconds, cpu: (cpuSeconds(pid) - cpu) / gigabytes };
}

async function fetchAway(url: string): Promise<void> {
  const client = spawn('curl', ['-sSf', '-o', '/dev/null', url], { stdio: ['ignore', 'ignore', 'inherit'] });
  const [code] = await once(client, 'exit');
  if (code !== 0) throw new Error(`curl ended with ${code}`);
}
