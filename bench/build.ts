/**
 * From an image in Docker to a stored image: `./warmboot build --from`, whole command, beside the pipeline that everybody
 * writes (docker export, a loop device, mkfs, mount, tar, zstd of the disk). The same image, the same disk, in turn; first with
 * an empty store, then with the image in which only the top layer is another. Needs root, for the peer alone.
 */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import { type ImageName, makeImage } from './images.ts';
import { median, requireTools, table, workspace } from './workspace.ts';

const ROUNDS = 3;
const WARMBOOT = fileURLToPath(new URL('../warmboot', import.meta.url));

await requireTools({
  zstd: 'zstd',
  docker: 'docker.io',
  mmdebstrap: 'mmdebstrap',
  losetup: 'mount',
  'mkfs.ext4': 'e2fsprogs',
});
await using space = await workspace();
const { folder } = space;

const PEER = `set -eu
container=$(docker create "$1" true)
truncate -s 2G "$2.raw"
mkfs.ext4 -q -F "$2.raw"
device=$(losetup --find --show "$2.raw")
mkdir -p "$2.mount"
mount "$device" "$2.mount"
docker export "$container" | tar -x --numeric-owner --xattrs --xattrs-include='*' -C "$2.mount"
umount "$2.mount"
losetup -d "$device"
docker rm "$container" >/dev/null
zstd -q -f -T0 -3 "$2.raw" -o "$2.zst"
sync "$2.zst"
rm "$2.raw"
`;
await writeFile(join(folder, 'peer.sh'), PEER);

const first = await makeImage('server');
const changed = await makeImage('top');
const times: Record<string, number[]> = { first: [], firstPeer: [], rebuild: [], rebuildPeer: [] };
for (let round = 0; round < ROUNDS; round += 1) {
  const data = join(folder, `data-${round}`);
  times.firstPeer?.push(await peer(first));
  times.first?.push(await ours('server', data));
  times.rebuildPeer?.push(await peer(changed));
  times.rebuild?.push(await ours('top', data));
  process.stderr.write('.');
}
const row = (what: string, mine: string, theirs: string) => {
  const [a, b] = [median(times[mine] ?? []), median(times[theirs] ?? [])];
  return [what, (a / 1000).toFixed(1), (b / 1000).toFixed(1), (a / b).toFixed(2)];
};
process.stdout.write(
  `\n${table([
    ['Docker image → stored image', 'ours s', 'pipeline s', 'ratio'],
    row('first build', 'first', 'firstPeer'),
    row('one changed top layer', 'rebuild', 'rebuildPeer'),
  ])}\n`,
);

async function peer(reference: string): Promise<number> {
  return timed(() =>
    execa('unshare', ['-m', 'sh', join(folder, 'peer.sh'), reference, join(folder, 'peer')]),
  );
}

async function ours(name: ImageName, data: string): Promise<number> {
  const options = ['--from', `warmboot-bench/${name}`, '--add-agent', '--data', data];
  return timed(() => execa(WARMBOOT, ['build', name, ...options]));
}

async function timed(run: () => PromiseLike<unknown>): Promise<number> {
  const began = performance.now();
  await run();
  return performance.now() - began;
}
