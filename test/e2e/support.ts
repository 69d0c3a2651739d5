import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import type { AttemptView } from '../../lab/feed.ts';
import type { Guest } from '../../lab/guest.ts';
import { type Accelerator, probeAccelerator } from '../../lab/kvm.ts';
import type { Machine } from '../../lab/machine.ts';
import { Rack, type RackOptions } from '../../lab/rack.ts';
import { type Audience, type BuiltImage, Story } from '../../lab/story.ts';
import { formatSeconds } from '../../lab/timeline.ts';
import { copyData } from './data-copy.ts';
import { type E2ePlan, SIDE_BY_SIDE } from './plan.ts';

/** Says what is seen as it is seen: a test of some minutes that is silent cannot be told from one that hangs. */
const audience: Audience = {
  entry: ({ guest, phase, tookMs, seenBy }) =>
    process.stderr.write(
      `    ${guest}: ${phase}${tookMs === undefined ? '' : `, ${formatSeconds(tookMs)} s`} [${seenBy}]\n`,
    ),
  progress: () => {},
};

/** What the test runner has made ready. */
export function plan(): E2ePlan {
  const text = process.env.WARMBOOT_E2E;
  if (text === undefined)
    throw new Error('the e2e tests need images that the test runner builds: ./warmboot test e2e');
  return JSON.parse(text) as E2ePlan;
}

export function image(name: string): BuiltImage {
  const found = plan().images.find((built) => built.name === name);
  if (found === undefined) throw new Error(`the image ${name} was not built for the tests`);
  return found;
}

let accelerator: Promise<Accelerator> | undefined;

interface TestRack extends Omit<RackOptions, 'folder' | 'data' | 'accelerator'> {
  /** A server's data folder to begin with, instead of one that holds the images alone. It is copied. */
  readonly data?: string;
  /** Packs of its own, for a test that damages them. */
  readonly ownPacks?: boolean;
  /** How much longer than usual everything may take: for what runs for hours beside other things. */
  readonly patience?: number;
}

/** A rack with the images in it. `name` is the folder of its logs and data. Other racks may run beside it. */
export async function startRack(name: string, options: TestRack = {}): Promise<Rack> {
  const { patience = 1, data = plan().data, ownPacks = false, ...more } = options;
  accelerator ??= probeAccelerator();
  const found = oneProcessor(await accelerator);
  const folder = join(plan().folder, name);
  return Rack.start({
    folder,
    data: await copyData(data, folder, ownPacks),
    accelerator: { ...found, slowness: SIDE_BY_SIDE * patience * found.slowness },
    ...more,
  });
}

/**
 * Racks share the processors anyhow. And behind a kexec a second one that is emulated on a busy machine now and then never gets another
 * timer interrupt, and what runs there stands still for ever ("rcu: Possible timer handling issue on cpu=1").
 */
function oneProcessor(found: Accelerator): Accelerator {
  return found.name === 'tcg' ? { ...found, processors: 1 } : found;
}

/** A machine nobody has seen before, and its story. */
export async function newGuest(
  rack: Rack,
  name: string,
  parts: Partial<Machine> = {},
  from: Parameters<Rack['addGuest']>[1] = {},
): Promise<{ guest: Guest; story: Story }> {
  const mac = `52:54:00:${randomBytes(3).toString('hex').match(/../g)?.join(':')}`;
  const guest = await rack.addGuest({ ...parts, name, mac }, from);
  return { guest, story: new Story(rack, guest, audience) };
}

/** Waits until the guest's attempt has ended, however it did. */
export async function endOfAttempt(rack: Rack, guest: Guest, seconds: number): Promise<AttemptView> {
  const seen = await rack.feed.seen({
    source: 'api',
    guest: guest.name,
    since: 0,
    what: `the end of ${guest.name}'s attempt`,
    timeoutMs: rack.patience(seconds),
    match: ({ host }) => host.attempt?.outcome != null,
  });
  return seen.host.attempt as AttemptView;
}
