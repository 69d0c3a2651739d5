/**
 * The most memory that a build holds: an image of GIB gibibytes in FILES files, `./warmboot build --from` as a whole, resident
 * set of every process that it starts added up, read from /proc twenty times a second. Usage: memory.ts [GIB [FILES]]
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import { pack } from 'tar-stream';
import { makeImage } from './images.ts';
import { table, workspace } from './workspace.ts';

const WARMBOOT = fileURLToPath(new URL('../warmboot', import.meta.url));
const GIB = Number(process.argv[2] ?? 10);
const FILES = Number(process.argv[3] ?? 200_000);

await using space = await workspace();
const { folder } = space;
const reference = 'warmboot-bench/large';
await makeLargeImage();
const options = [
  '--from',
  reference,
  '--add-agent',
  '--size',
  `${GIB + 6}GiB`,
  '--data',
  join(folder, 'data'),
];
const began = performance.now();
const build = execa(WARMBOOT, ['build', 'large', ...options], { stderr: 'inherit' });
let peak = 0;
let most: readonly string[] = [];
const watch = setInterval(() => {
  const seen = build.pid === undefined ? [] : tree(build.pid);
  const total = seen.reduce((sum, { kib }) => sum + kib, 0);
  if (total <= peak) return;
  peak = total;
  most = seen.map(({ name, kib }) => `${name} ${Math.round(kib / 1024)} MiB`);
}, 50);
try {
  await build;
} finally {
  clearInterval(watch);
}
const seconds = (performance.now() - began) / 1000;
process.stdout.write(
  `${table([
    ['image', 'files', 'peak MiB', 'seconds', 'MiB/s'],
    [
      `${GIB} GiB`,
      String(FILES),
      String(Math.round(peak / 1024)),
      seconds.toFixed(0),
      ((GIB * 1024) / seconds).toFixed(0),
    ],
  ])}\nat the peak: ${most.join(', ')}\n`,
);

/** A process and all below it. */
function tree(root: number): { readonly name: string; readonly kib: number }[] {
  const parents = new Map<number, number>();
  for (const entry of readdirSync('/proc')) {
    if (!/^\d+$/.test(entry)) continue;
    const stat = read(`/proc/${entry}/stat`);
    parents.set(Number(entry), Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]));
  }
  const below = (pid: number): boolean => pid === root || (parents.has(pid) && below(parents.get(pid) ?? 0));
  return [...parents.keys()].filter(below).map((pid) => {
    const status = read(`/proc/${pid}/status`);
    return {
      name: /^Name:\s*(.*)$/m.exec(status)?.[1] ?? '',
      kib: Number(/^VmRSS:\s*(\d+)/m.exec(status)?.[1] ?? 0),
    };
  });
}

/** Processes end while they are looked at. */
function read(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}

/** The server image with one more layer of many files, as big as asked for. */
async function makeLargeImage(): Promise<void> {
  const known = await execa('docker', ['image', 'inspect', `${reference}:${GIB}-${FILES}`], {
    reject: false,
  });
  if (known.failed) {
    const base = await makeImage('server');
    const importing = execa('docker', ['import', '-', 'warmboot-bench/ballast'], { stdin: 'pipe' });
    Readable.from(ballast()).pipe(importing.stdin);
    await importing;
    const input = `FROM ${base}\nCOPY --from=warmboot-bench/ballast / /\n`;
    await execa('docker', ['build', '-q', '-t', `${reference}:${GIB}-${FILES}`, '-'], {
      input,
      env: { DOCKER_BUILDKIT: '0' },
    });
    await execa('docker', ['rmi', 'warmboot-bench/ballast']);
  }
  await execa('docker', ['tag', `${reference}:${GIB}-${FILES}`, reference]);
}

/** A tar of FILES files with GIB gibibytes that compress by about a half, no two files alike. */
async function* ballast(): AsyncGenerator<Buffer> {
  const tar = pack();
  const average = (GIB * 2 ** 30) / FILES;
  const noise = Buffer.alloc(1 << 20);
  let state = 7;
  for (let i = 0; i < noise.length; i += 8) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    noise.writeUInt32LE(state, i);
  }
  const filled = (async () => {
    for (let i = 0; i < FILES; i += 1) {
      const size = Math.round(average * (0.25 + (1.5 * ((i * 7919) % 1000)) / 1000));
      const content = Buffer.alloc(size);
      const shift = (i * 4099) % noise.length;
      for (let at = 0; at < size; at += noise.length) noise.copy(content, at, shift);
      content.writeUInt32LE(i, 0);
      await new Promise<void>((done, failed) =>
        tar.entry({ name: `srv/data/${i % 500}/${i}`, size }, content, (error) =>
          error ? failed(error) : done(),
        ),
      );
    }
    tar.finalize();
  })();
  yield* tar as unknown as AsyncIterable<Buffer>;
  await filled;
}
