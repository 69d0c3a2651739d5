/**
 * A fresh flash of an image, from its index to reading it back, as installer and agent do it from `./warmboot serve`; beside what
 * everybody writes, `curl | zstd -d | dd` (the whole partition as one zstd file, from nginx), and beside bmaptool with that file;
 * then what none of them can beat: the same bytes through the network to nowhere, their content from memory to the same disk, and, for who
 * reads back, all of that disk read. All onto one loop device that goes past the page cache, in turn, each until it is on the disk. Seconds, medians.
 * Loopback and a loop device are memory: a machine's processors are then all that there is to wait for, and what hashes cannot be as fast as what
 * copies. With --line the network is as fast as a line of so many MB/s (117: 1 Gbit/s) for all that are fetched by curl.
 *
 * Usage: flash.ts [--quick] [--vm] [--line MB] [--device NODE] [IMAGE]; IMAGE (debian-13) is built as `./warmboot build` does. NODE is overwritten.
 * With --vm in a virtual machine with an OS of ours, onto its other slot: that shows the processor's part, for it is slow there.
 */
import { copyFile, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { execa } from 'execa';
import { buildImage } from '../lab/build.ts';
import { startLocalServer } from '../lab/local-server.ts';
import { insideNamespaces, runInNamespaces } from '../lab/namespace.ts';
import { SERVER_ADDRESS } from '../lab/network.ts';
import { startNginx } from '../lab/nginx.ts';
import { inCheckout } from '../lab/paths.ts';
import { makeWorkFolder, removeFolder } from '../lab/work-folder.ts';
import { BenchGuest } from './bench-guest.ts';
import { attachLoop, makeAgent } from './loop-host.ts';
import { markdown, median, requireTools, workspace } from './workspace.ts';

const FLASH = fileURLToPath(new URL('host/flash.sh', import.meta.url));
const FILES_PORT = 8098;

/** Where the flashing is done, and from where. */
interface Place {
  readonly name: string;
  readonly device: string;
  /** The server's boot plane, and nginx. */
  readonly server: string;
  readonly files: string;
  /** What `flash.sh DEVICE DIGEST` is here. */
  readonly flash: string;
  /** The chunks' content, in memory. */
  readonly content: string;
  sh(script: string): Promise<string>;
}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    quick: { type: 'boolean', default: false },
    vm: { type: 'boolean', default: false },
    device: { type: 'string' },
    line: { type: 'string' },
    folder: { type: 'string' },
    digest: { type: 'string' },
    guest: { type: 'string' },
  },
});
const rounds = values.quick ? 3 : 7;
const name = positionals[0] ?? 'debian-13';
const line = values.line === undefined ? undefined : Number(values.line) * 1e6;
const data = inCheckout('.cache/lab');

if (insideNamespaces()) await inGuest(values.folder ?? '', values.digest ?? '');
else {
  const tools = { nginx: 'nginx-light', curl: 'curl', zstd: 'zstd', bmaptool: 'bmaptool', time: 'time' };
  await requireTools(tools);
  await mkdir(data, { recursive: true });
  const { digest } = await buildImage(name, data, new AbortController().signal);
  if (values.vm) {
    const { digest: os } = await BenchGuest.build(data);
    const folder = await makeWorkFolder('bench');
    const inside = [fileURLToPath(import.meta.url), ...process.argv.slice(2), '--folder', folder];
    process.exitCode = await runInNamespaces([...inside, '--digest', digest, '--guest', os], {
      graceful: false,
    });
    await removeFolder(folder);
  } else await onLoop(digest);
}

async function onLoop(digest: string): Promise<void> {
  await using space = await workspace();
  const { folder } = space;
  const agent = await makeAgent(folder);
  const server = await startLocalServer(data);
  const device = values.device ?? (await attachLoop(join(folder, 'disk'), 2 * 2 ** 30));
  const url = server.url.replace(/\/$/, '');
  const files = await serveFiles(folder, url, digest);
  const env = `SERVER=${url} HOST=52:54:00:be:9c:00 WB_LIB='${agent.folder}' HELPER='${await weighed(folder, agent.helper)}' WB_RUN='${folder}/run'`;
  try {
    await measure(digest, {
      name: 'loop device',
      device,
      server: url,
      files: files.url,
      flash: `${env} sh '${FLASH}'`,
      content: join(folder, 'content'),
      sh: async (script) => (await execa('sh', ['-c', script], { stdin: 'ignore' })).stdout,
    });
    const memory = await readFile(join(folder, 'memory'), 'utf8');
    const most = (what: string) =>
      Math.max(...[...memory.matchAll(new RegExp(`^${what} (\\d+)$`, 'gm'))].map(([, kib]) => Number(kib)));
    process.stdout.write(
      `\nMost memory of the helper: ${(most('flash') / 1024).toFixed(1)} MiB, reading back ${(most('check') / 1024).toFixed(1)} MiB.\n`,
    );
  } finally {
    await files.close();
    await server.close();
  }
}

/** The helper, which leaves in the file `memory` how much of it each run took at most, in KiB. */
async function weighed(folder: string, helper: string): Promise<string> {
  const script = join(folder, 'weighed');
  const text = `#!/bin/sh\nexec time -a -o '${join(folder, 'memory')}' -f "$1 %M" '${helper}' "$@"\n`;
  await writeFile(script, text, { mode: 0o755 });
  return script;
}

async function inGuest(folder: string, digest: string): Promise<void> {
  const guest = await BenchGuest.install({ folder, data, digest: values.guest ?? '' });
  const url = `http://${SERVER_ADDRESS}:8080`;
  const files = await serveFiles(join(folder, 'files'), url, digest, `${SERVER_ADDRESS}:${FILES_PORT}`);
  try {
    const sh = (script: string) => guest.shell.run(script, 1200);
    const filesUrl = `http://${SERVER_ADDRESS}:${FILES_PORT}`;
    await sh(`systemctl stop warmboot-agent
      cd /dev/shm && curl -q -sSf -O ${filesUrl}/flash.sh && curl -q -sSf -O ${filesUrl}/content`);
    await measure(digest, {
      name: `virtual machine, ${guest.rack.accelerator.name}`,
      device: '/dev/vda5',
      server: url,
      files: filesUrl,
      flash: `SERVER=${url} HOST=${guest.mac} sh /dev/shm/flash.sh`,
      content: '/dev/shm/content',
      sh,
    });
  } finally {
    await files.close();
    await guest.close();
  }
}

/** What the peers fetch: the partition as one zstd file with its bmap; beside it, for the disk by itself, the chunks' content. */
async function serveFiles(folder: string, server: string, digest: string, also?: string) {
  await mkdir(folder, { recursive: true });
  process.stderr.write('making the files that the peers fetch\n');
  const at = `${server}/boot/images/${digest}`;
  await sh(`cd '${folder}' && curl -q -sSf ${at}/raw | dd of=image bs=1M conv=sparse iflag=fullblock status=none
    truncate -s "$(curl -q -sSfI ${at}/raw | tr -d '\\r' | sed -n 's/^content-length: //Ip')" image
    bmaptool -q create -o image.bmap image && zstd -q -3 -T0 image -o image.zst && rm image
    curl -q -sSf ${at}/data | zstd -q -d -o content`);
  await copyFile(FLASH, join(folder, 'flash.sh'));
  return startNginx(join(folder, 'nginx'), (listen) => {
    const second = also === undefined ? '' : `listen ${also};`;
    return `sendfile on; tcp_nopush on; access_log off; server { listen ${listen}; ${second} root ${folder}; }`;
  });
}

async function measure(digest: string, place: Place): Promise<void> {
  const { device, files, server, sh } = place;
  const curl = `curl -q -sSf${line === undefined ? '' : ` --limit-rate ${line}`}`;
  const pipe = `${curl} ${files}/image.zst | zstd -q -d | dd of=${device} bs=4M iflag=fullblock conv=fsync status=none`;
  const ways = {
    ours: `${line === undefined ? '' : `export RATE=${line}; `}${place.flash} ${device} ${digest}`,
    pipe,
    readBack: `dd if=${device} bs=4M iflag=direct status=none | sha256sum > /dev/null`,
    ...(line === undefined && {
      bmaptool: `bmaptool -q copy --bmap ${files}/image.bmap ${files}/image.zst ${device}`,
    }),
    network: `${curl} -o /dev/null ${server}/boot/images/${digest}/data`,
    disk: `dd if='${place.content}' of=${device} bs=4M conv=fsync status=none`,
    diskRead: `dd if=${device} of=/dev/null bs=4M iflag=direct status=none`,
  };
  const seen: Record<string, number[]> = {};
  const note = (what: string, seconds: number) => {
    seen[what] = [...(seen[what] ?? []), seconds];
  };
  for (let round = 0; round < rounds; round += 1)
    for (const [way, script] of Object.entries(ways)) {
      const said = await sh(
        `sync; from=$(date +%s.%N); ${script}; result=$?; echo "all $from $(date +%s.%N)"; times; exit $result`,
      );
      const [, from, to] = /^all (\S+) (\S+)$/m.exec(said) ?? [];
      // The last line is of what the shell started: minutes and seconds as user and as system.
      const used = [...(said.trim().split('\n').at(-1) ?? '').matchAll(/(\d+)m([\d.]+)s/g)];
      note(
        `${way}-cpu`,
        used.reduce((sum, [, minutes, seconds]) => sum + 60 * Number(minutes) + Number(seconds), 0),
      );
      note(way, Number(to) - Number(from));
      if (way === 'ours')
        for (const [, phase = '', seconds] of said.matchAll(/^(index|write|check) (\S+)$/gm))
          note(phase, Number(seconds));
      process.stderr.write(`${way} ${(Number(to) - Number(from)).toFixed(2)} s\n`);
    }
  print(place.name, seen);
}

function print(place: string, seen: Readonly<Record<string, readonly number[]>>): void {
  const all = (what: string) => seen[what] ?? [];
  const seconds = (what: string) => median(all(what)).toFixed(2);
  /** Median of the rounds' own ratios: what disturbs a round disturbs both. */
  const ratio = (what: string, to: (round: number) => number) =>
    median(all(what).map((value, round) => value / to(round))).toFixed(2);
  const pipe = (round: number) => all('pipe')[round] ?? 0;
  const pipeRead = (round: number) => pipe(round) + (all('readBack')[round] ?? 0);
  const floor = (round: number) => Math.max(all('network')[round] ?? 0, all('disk')[round] ?? 0);
  const floorRead = (round: number) => floor(round) + (all('diskRead')[round] ?? 0);
  const row = (words: string, what: string, least?: (round: number) => number) => [
    words,
    seconds(what),
    ratio(what, pipe),
    least === undefined ? '' : ratio(what, least),
    all(`${what}-cpu`).length === 0 ? '' : seconds(`${what}-cpu`),
  ];
  const bothRead = all('pipe').map((_, round) => pipeRead(round));
  const rows = [
    [
      `${name}, ${place}${line === undefined ? '' : `, ${line / 1e6} MB/s`}`,
      's',
      '÷ pipe',
      '÷ least',
      'processor, s',
    ],
    row('ours, written and read back', 'ours', floorRead),
    row('of it written', 'write', floor),
    row('of it read back', 'check', (round) => all('diskRead')[round] ?? 0),
    row('`curl \\| zstd -d \\| dd`, not read back', 'pipe', floor),
    [
      'the same, read back',
      median(bothRead).toFixed(2),
      median(bothRead.map((value, round) => value / pipe(round))).toFixed(2),
      median(bothRead.map((value, round) => value / floorRead(round))).toFixed(2),
      '',
    ],
    ...(line === undefined ? [row('bmaptool, what was read verified', 'bmaptool', floor)] : []),
    row('network alone', 'network'),
    row('disk alone, the content', 'disk'),
    row('disk alone, all of it read', 'diskRead'),
  ];
  process.stdout.write(
    `\n${markdown(rows)}\n\n${rounds} rounds in turn, medians. Least: the larger of network and disk alone, and the disk read where it is read back.\n`,
  );
}

async function sh(script: string): Promise<void> {
  await execa('sh', ['-euc', script], { stdin: 'ignore', stderr: 'inherit' });
}
