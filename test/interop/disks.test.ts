import { execFileSync, spawnSync } from 'node:child_process';
import {
  createWriteStream,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  type DiskLayout,
  placePartitions,
  sfdiskScript,
  smallestDisk,
} from '../../server/core/disk-layout.ts';
import { slotNames } from '../../server/core/host.ts';
import { diskNames, partitionIds } from '../../server/core/partition-guid.ts';
import type { ByteSource } from '../../server/core/ports.ts';
import { type Composition, composeDisk } from '../../server/disks/compose.ts';
import { rawImage } from '../../server/disks/raw-image.ts';
import { zstdImage } from '../../server/disks/zstd-image.ts';
import { runsAll } from '../all.ts';
import { composition, playedImages, SMALL, sha256Hex } from '../disks/composition.ts';

/** What fdisk, fsck, mtools and zstd say of composed disks, with the real GRUB on them. */

const GRUB = fileURLToPath(new URL('../../images/installer/grub/make.sh', import.meta.url));
const MIB = 1024 ** 2;
const env = {
  ...process.env,
  LC_ALL: 'C',
  PATH: `${process.env.PATH}:/usr/sbin:/sbin`,
  MTOOLS_SKIP_CHECK: '1',
};
const run = (program: string, ...args: string[]) =>
  execFileSync(program, args, { env, encoding: 'utf8', stdio: 'pipe' });

let work: string;
let images: ReturnType<typeof playedImages>;
let loader: Map<string, Buffer>;
beforeAll(() => {
  work = mkdtempSync(join(tmpdir(), 'warmboot-disks-'));
  images = playedImages();
  run('sh', GRUB, work);
  const files = [
    'BOOTX64.EFI',
    'grub.cfg',
    'boot-gpt.img',
    'core-gpt.img',
    'boot-msdos.img',
    'core-msdos.img',
  ];
  loader = new Map(files.map((name) => [name, readFileSync(join(work, name))]));
});
afterAll(() => {
  images.remove();
  rmSync(work, { recursive: true });
});

const SHAPES = [
  ['gpt', 2, false],
  ['gpt', 8, true],
  ['msdos', 2, false],
  ['msdos', 2, true],
  ['msdos', 3, false],
  ['msdos', 8, true],
] as const;
/** Each shape with one of both sector sizes in turn, or with both. */
const CASES = SHAPES.flatMap(([table, slots, data], index) =>
  ([512, 4096] as const)
    .filter((_, size) => runsAll() || size === index % 2)
    .map((sectorBytes) => ({ table, slots, data, sectorBytes })),
);

describe.each(CASES)(
  '$table, $slots slots, data $data, sectors of $sectorBytes',
  ({ sectorBytes, ...facts }) => {
    const layout: DiskLayout = { ...SMALL, ...facts, bootBytes: (sectorBytes === 512 ? 64 : 260) * MIB };
    const guid = composition([]).guid;
    const letters = slotNames(layout.slots);
    const disk = { bytes: smallestDisk(layout, letters), sectorBytes };
    const placed = placePartitions(layout, disk, letters, partitionIds(layout.table, guid, sha256Hex));
    const partitions = 'partitions' in placed ? placed.partitions : [];
    const file = () => join(work, `${facts.table}-${facts.slots}-${facts.data}-${sectorBytes}.img`);

    beforeAll(async () => {
      await write(rawImage(composed({ layout, sectorBytes })), file());
    });
    afterAll(() => rmSync(file()));

    test('sfdisk reads the table as it was placed', () => {
      const { partitiontable: table } = JSON.parse(
        run('sfdisk', '--json', '--sector-size', `${sectorBytes}`, file()),
      );
      const { signature } = diskNames(layout, guid, sha256Hex);
      expect(table.id.toLowerCase()).toBe(layout.table === 'gpt' ? guid : `0x${signature}`);
      expect(table.partitions.map(readPartition)).toEqual(
        partitions.map(({ label, type, uuid, startSector, sectors, number }) => ({
          number,
          start: startSector,
          size: sectors,
          type: layout.table === 'gpt' ? type : type.replace(/^0/, ''),
          ...(layout.table === 'gpt' ? { name: label, uuid } : {}),
          ...(layout.table === 'msdos' && number === 1 ? { bootable: true } : {}),
        })),
      );
      const verified = spawnSync('sfdisk', ['--verify', '--sector-size', `${sectorBytes}`, file()], {
        env,
        encoding: 'utf8',
      });
      expect(`${verified.status} ${verified.stdout}${verified.stderr}`).toMatch(/^0 .*No errors detected/s);
    });

    test('the installer by sfdisk makes the very same partitions', () => {
      const other = `${file()}.sfdisk`;
      writeFileSync(other, '');
      truncateSync(other, disk.bytes);
      const script = sfdiskScript(layout.table, diskNames(layout, guid, sha256Hex), disk, partitions);
      execFileSync(
        'sfdisk',
        ['-q', '--no-reread', '--no-tell-kernel', '--sector-size', `${sectorBytes}`, other],
        { env, input: script, stdio: 'pipe' },
      );
      const table = (of: string) =>
        JSON.stringify(JSON.parse(run('sfdisk', '--json', '--sector-size', `${sectorBytes}`, of))).replaceAll(
          of,
          'disk',
        );
      expect(table(other)).toBe(table(file()));
      rmSync(other);
    });

    test('kernels are told the PARTUUID of their slot', () => {
      for (const { startSector, sectors, label, uuid } of partitions) {
        if (label !== 'warmboot-a' && label !== 'warmboot-b') continue;
        const root = run('mtype', '-i', bootPartition(), `::/warmboot/${label.at(-1)}/cmdline`);
        const back = 'panic=10 rd.shell=0 rd.emergency=reboot watchdog.stop_on_reboot=0';
        expect(root).toBe(`root=PARTUUID=${uuid} rw console=ttyS0 ${back} warmboot.slot=${label.at(-1)}\n`);
        expect(sectors * sectorBytes).toBe(layout.slotBytes);
        expect((startSector * sectorBytes) % MIB).toBe(0);
      }
    });

    test('the boot partition is sound and holds what it must', () => {
      const part = `${file()}.boot`;
      const boot = partitions.find(({ label }) => label === 'warmboot-boot');
      const start = (boot?.startSector ?? 0) * sectorBytes;
      writeFileSync(part, readFileSync(file()).subarray(start, start + layout.bootBytes));
      const checked = spawnSync('fsck.vfat', ['-n', '-v', part], { env, encoding: 'utf8' });
      expect(`${checked.status} ${checked.stdout}${checked.stderr}`).toMatch(/^0 /);
      expect(checked.stdout).toContain(`${sectorBytes} bytes per logical sector`);
      rmSync(part);
      const names = run('mdir', '-b', '-/', '-i', bootPartition(), '::/').trim().split('\n').sort();
      const inSlot = (slot: string) =>
        ['cmdline', 'index.json', 'initrd.img', 'slot.cfg', 'valid', 'vmlinuz'].map(
          (name) => `::/warmboot/${slot}/${name}`,
        );
      expect(names.filter((name) => !name.endsWith('/'))).toEqual(
        [
          '::/EFI/BOOT/BOOTX64.EFI',
          '::/grub/grub.cfg',
          '::/grub/grubenv',
          '::/grub/spare',
          ...inSlot('a'),
          ...inSlot('b'),
        ].sort(),
      );
      const index = JSON.parse(run('mtype', '-i', bootPartition(), '::/warmboot/b/index.json'));
      expect(index.chunks.length).toBeGreaterThan(0);
      expect(run('mlabel', '-s', '-i', bootPartition(), '::')).toContain('WARMBOOT');
      const kernel = execFileSync('mtype', ['-i', bootPartition(), '::/warmboot/b/vmlinuz'], { env });
      expect(kernel.equals(Buffer.alloc(300_001, 2))).toBe(true);
      const efi = execFileSync('mtype', ['-i', bootPartition(), '::/EFI/BOOT/BOOTX64.EFI'], {
        env,
        maxBuffer: 64 * MIB,
      });
      expect(efi.equals(loader.get('BOOTX64.EFI') as Buffer)).toBe(true);
      const grubenv = join(work, 'grubenv');
      run('mcopy', '-n', '-o', '-i', bootPartition(), '::/grub/grubenv', grubenv);
      expect(statSync(grubenv).size).toBe(1024);
      expect(run('grub-editenv', grubenv, 'list')).toBe('default=a\ntries_a=3\ntries_b=3\n');
      const spare = join(work, 'spare');
      run('mcopy', '-n', '-o', '-i', bootPartition(), '::/grub/spare', spare);
      expect(statSync(spare).size).toBe(1024);
      expect(run('grub-editenv', spare, 'list')).toBe('');
    });

    test('zstd makes the same disk of the frames', async () => {
      const packed = `${file()}.zst`;
      const source = zstdImage(composed({ layout, sectorBytes }));
      await write(source, packed);
      expect(statSync(packed).size).toBe(source.sizeBytes);
      expect(source.sizeBytes).toBeLessThan(8 * MIB);
      run('sh', '-c', `zstd -dc '${packed}' | cmp - '${file()}'`);
      rmSync(packed);
    });

    function bootPartition(): string {
      const boot = partitions.find(({ label }) => label === 'warmboot-boot');
      return `${file()}@@${(boot?.startSector ?? 0) * sectorBytes}`;
    }
  },
);

function composed(parts: Partial<Composition>) {
  return composeDisk(composition(images.slots, { loader, ...parts }), sha256Hex);
}

async function write(source: ByteSource, file: string): Promise<void> {
  const whole = { start: 0, end: source.sizeBytes };
  await pipeline(Readable.from(source.read(whole, new AbortController().signal)), createWriteStream(file));
}

function readPartition(found: Record<string, unknown>) {
  const { node, uuid, ...rest } = found as { node: string; uuid?: string };
  const number = Number(/(\d+)$/.exec(node.replace(/^.*\.img/, ''))?.[1]);
  return { number, ...rest, ...(uuid === undefined ? {} : { uuid: uuid.toLowerCase() }) };
}
