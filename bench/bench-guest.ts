import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { buildImage } from '../lab/build.ts';
import type { Guest } from '../lab/guest.ts';
import { probeAccelerator } from '../lab/kvm.ts';
import { SERVER_ADDRESS } from '../lab/network.ts';
import { inCheckout } from '../lab/paths.ts';
import { Rack } from '../lab/rack.ts';
import { type BuiltImage, Story } from '../lab/story.ts';
import { formatSeconds } from '../lab/timeline.ts';
import { GuestShell } from './guest-shell.ts';

const NAME = 'bench-guest';
const PATIENCE = 4;

/** A virtual machine in a rack of its own that the product has installed, with an OS that does what the bench asks. */
export class BenchGuest {
  readonly rack: Rack;
  readonly guest: Guest;
  readonly story: Story;
  readonly shell: GuestShell;
  /** The OS with the shell. */
  readonly image: BuiltImage;
  /** Of the boot that the last chapter of the story ended in. */
  boot: string;

  private constructor(parts: {
    rack: Rack;
    guest: Guest;
    story: Story;
    shell: GuestShell;
    image: BuiltImage;
    boot: string;
  }) {
    this.rack = parts.rack;
    this.guest = parts.guest;
    this.story = parts.story;
    this.shell = parts.shell;
    this.image = parts.image;
    this.boot = parts.boot;
  }

  /** Its OS and the installer, into this data folder. Outside of namespaces: they have no Docker. */
  static async build(data: string): Promise<BuiltImage> {
    const never = new AbortController().signal;
    await buildImage('installer', data, never);
    return buildImage(NAME, data, never, ['--context', inCheckout('bench/guest')]);
  }

  static async install(at: { folder: string; data: string; digest: string }): Promise<BenchGuest> {
    const probed = await probeAccelerator();
    // A bench is in no hurry, and whatever else the machine does must not end it.
    const accelerator = { ...probed, slowness: PATIENCE * probed.slowness };
    const rack = await Rack.start({ folder: join(at.folder, 'rack'), data: at.data, accelerator });
    try {
      const mac = `52:54:00:${randomBytes(3).toString('hex').match(/../g)?.join(':')}`;
      const guest = await rack.addGuest({ name: NAME, mac, memoryMiB: 2048 });
      const story = new Story(rack, guest, {
        entry: ({ phase, tookMs }) =>
          process.stderr.write(`${phase}${tookMs === undefined ? '' : `, ${formatSeconds(tookMs)} s`}\n`),
        progress: () => {},
      });
      const shell = await GuestShell.listen(SERVER_ADDRESS);
      const image = { name: NAME, digest: at.digest };
      await story.enrol(image);
      return new BenchGuest({ rack, guest, story, shell, image, boot: await story.install(image) });
    } catch (error) {
      await rack.close();
      throw error;
    }
  }

  get mac(): string {
    return this.guest.mac;
  }

  async close(): Promise<void> {
    this.shell.close();
    this.story.close();
    await this.rack.api.removeHost(this.mac).catch(() => {});
    await this.rack.close();
  }
}
