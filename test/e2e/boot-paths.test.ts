import { createServer } from 'node:http';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Machine } from '../../lab/machine.ts';
import { SERVER_ADDRESS } from '../../lab/network.ts';
import { PowerOn } from '../../lab/power-on.ts';
import type { Rack } from '../../lab/rack.ts';
import { runsAll } from '../all.ts';
import { biosDisk, DISK_SPEAKS, uefiDisk } from './disk-that-speaks.ts';
import { NETWORKS } from './paths.ts';
import { newGuest, plan, startRack } from './support.ts';

/** From power-on to the installer's kernel, or to the disk where that is not to be had. Some machines at once: each waits for packets much of its time. */

/** A new machine's power-on, watched. */
async function watch(
  rack: Rack,
  name: string,
  parts: Partial<Machine>,
  look: (boot: PowerOn) => Promise<void>,
  baseDisk?: string,
): Promise<void> {
  const { guest } = await newGuest(
    rack,
    name.replaceAll(/\W+/g, '-'),
    parts,
    baseDisk === undefined ? {} : { baseDisk },
  );
  await PowerOn.watch(rack, guest, look);
}

const folder = (name: string) => `paths-${name.replaceAll(/\W+/g, '-')}`;
let rack: Rack;
const takeDown = () => rack?.close();

for (const { name, dhcp, serve, paths } of NETWORKS) {
  describe(name, () => {
    beforeAll(async () => {
      rack = await startRack(folder(name), { dhcp, serve });
    });
    afterAll(takeDown);

    for (const { name, parts, nbp } of paths)
      test.concurrent(`${name} reaches the installer`, async () => {
        await watch(rack, name, parts, async (boot) => {
          await boot.reachesInstaller();
          const transfers = boot.nbps();
          if (nbp === null) expect(transfers).toEqual([]);
          else {
            expect(new Set(transfers)).toEqual(new Set([nbp.file]));
            expect(transfers.length).toBeLessThanOrEqual(nbp.times);
          }
        });
      });
  });
}

describe('a machine that no installer runs on is told why', () => {
  beforeAll(async () => {
    rack = await startRack('paths-no-installer');
  });
  afterAll(takeDown);

  const onArm = [
    { start: 'pxe', nbp: ['ipxe-arm64.efi'] },
    { start: 'http', nbp: [] },
  ] as const;
  for (const { start, nbp } of runsAll() ? onArm : onArm.slice(0, 1))
    test.concurrent(`arm64, ${start}`, async () => {
      await watch(rack, `arm64-${start}`, { processor: 'arm64', start }, async (boot) => {
        await boot.asks('/boot/script');
        await boot.says(/there is no installer for arm64/);
        expect(boot.nbps()).toEqual(nbp);
      });
    });

  test.concurrent('32-bit x86', async () => {
    const disk = await biosDisk(join(plan().folder, 'old-disk.img'));
    const look = async (boot: PowerOn) => {
      await boot.says(/processor is a 32-bit one/);
      await boot.says(DISK_SPEAKS);
    };
    await watch(rack, 'old', { firmware: 'bios', processor: 'x86-32' }, look, disk);
  });
});

describe('the user-data script of a cloud, which chains to us', () => {
  // Not ours: the cloud's own server, with what a customer wrote.
  const userData = `#!ipxe\nchain --autofree http://${SERVER_ADDRESS}:8080/boot.ipxe || exit 1\n`;
  const cloud = createServer((_, answer) => answer.end(userData));
  beforeAll(async () => {
    rack = await startRack('paths-user-data', {
      dhcp: { bootFile: `http://${SERVER_ADDRESS}:9000/user-data` },
    });
    await new Promise<void>((resolve) => cloud.listen(9000, SERVER_ADDRESS, resolve));
  });
  afterAll(() => {
    cloud.close();
    return takeDown();
  });

  test('BIOS reaches the installer', async () => {
    await watch(rack, 'cloud', { firmware: 'bios' }, async (boot) => void (await boot.reachesInstaller()));
  });
});

describe('where the installer is not to be had, the disk is', () => {
  beforeAll(async () => {
    const isScript = (path: string) => path.startsWith('/boot/script');
    rack = await startRack('paths-failing', {
      meddle: (path) => (isScript(path) ? { kind: 'refuse', status: 503 } : undefined),
    });
  });
  afterAll(takeDown);

  test.concurrent('BIOS, a server that answers 503, a disk that is the third', async () => {
    const disk = await biosDisk(join(plan().folder, 'bios-disk.img'));
    const parts = { firmware: 'bios', disksBefore: 2 } as const;
    const look = async (boot: PowerOn) => {
      await boot.says(/gave no boot script/);
      await boot.says(/trying disk 3/);
      await boot.says(DISK_SPEAKS);
    };
    await watch(rack, 'bios-503', parts, look, disk);
  });

  test.concurrent('UEFI, a server that answers 503, the disk with our label', async () => {
    const disk = await uefiDisk(join(plan().folder, 'uefi-disk.img'));
    const look = async (boot: PowerOn) => {
      await boot.says(/gave no boot script/);
      await boot.says(DISK_SPEAKS);
    };
    await watch(rack, 'uefi-503', { disksBefore: 1 }, look, disk);
  });
});

describe('a boot file that is not there', () => {
  beforeAll(async () => {
    rack = await startRack('paths-no-nbp', { dhcp: { bootFile: 'nothing.kpxe' } });
  });
  afterAll(takeDown);

  const firmwares = [
    { firmware: 'bios', make: biosDisk },
    { firmware: 'uefi', make: uefiDisk },
  ] as const;
  for (const { firmware, make } of runsAll() ? firmwares : firmwares.slice(0, 1))
    test.concurrent(`${firmware} goes on to the disk`, async () => {
      const disk = await make(join(plan().folder, `${firmware}-no-nbp.img`));
      const look = async (boot: PowerOn) => void (await boot.says(DISK_SPEAKS));
      await watch(rack, `${firmware}-no-nbp`, { firmware }, look, disk);
    });
});

describe.runIf(runsAll())('a server that goes away', () => {
  test('while the installer is fetched: the disk', async () => {
    let asked: () => void = () => {};
    const kernelAsked = new Promise<void>((resolve) => {
      asked = resolve;
    });
    const meddle = (path: string) => {
      if (path !== '/boot/installer/vmlinuz') return undefined;
      asked();
      return { kind: 'cut', at: 1_000_000 } as const;
    };
    rack = await startRack('paths-gone', { meddle });
    try {
      const disk = await biosDisk(join(plan().folder, 'gone-disk.img'));
      const look = async (boot: PowerOn) => {
        await kernelAsked;
        await rack.server.kill();
        await boot.says(/a file of the installer could not be fetched/);
        await boot.says(DISK_SPEAKS);
      };
      await watch(rack, 'gone', { firmware: 'bios' }, look, disk);
    } finally {
      await takeDown();
    }
  });
});
