import { randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { stopRequest } from './namespace.ts';
import type { DemoPlan } from './plan.ts';
import { Rack } from './rack.ts';
import { Screen } from './screen.ts';
import { type Audience, type BuiltImage, StepFailed, Story } from './story.ts';
import { type Entry, formatBytes, formatSeconds, formatTimeline } from './timeline.ts';

/**
 * The demo's inner half: runs as the first process of its own namespaces, with the plan's path as argument. Whatever it leaves
 * undone at its end the kernel does.
 */
const stopping = stopRequest();
const plan = JSON.parse(await readFile(process.argv[2] ?? '', 'utf8')) as DemoPlan;
const entries: Entry[] = [...plan.entries];
const screen = new Screen(plan.beganAt);
const audience: Audience = {
  entry(entry) {
    entries.push(entry);
    const took = entry.tookMs === undefined ? '' : `, ${formatSeconds(entry.tookMs)} s`;
    const bytes = entry.bytes === undefined ? '' : `, ${formatBytes(entry.bytes)}`;
    screen.line(entry.guest, `${entry.phase}${took}${bytes}   [${entry.seenBy}]`, entry.at);
  },
  waits: (guest, what) => screen.waits(guest, what),
  progress: (guest, what, done, total) => screen.progress(guest, what, done, total),
};
process.exit(await main());

async function main(): Promise<number> {
  let rack: Rack | undefined;
  try {
    rack = await Rack.start({ folder: plan.folder, data: plan.data });
    const { feed } = rack;
    stopping.addEventListener('abort', () => feed.break(stopping.reason as Error));
    stopping.throwIfAborted();
    screen.line(
      '',
      `a rack stands: server, DHCP and a bridge in a namespace of their own, guests on ${rack.accelerator.name}`,
    );
    await tellStories(rack);
    process.stdout.write(`\n${formatTimeline(entries, plan.beganAt)}\n\n`);
    process.stdout.write(`All of it was seen, in ${formatSeconds(Date.now() - plan.beganAt)} s.\n`);
    return 0;
  } catch (error) {
    if (stopping.aborted) {
      process.stderr.write('\nwarmboot: stopped; taking the rack down\n');
      return 130;
    }
    process.stdout.write(`\n${formatTimeline(entries, plan.beganAt)}\n\n`);
    const step =
      error instanceof StepFailed ? `this step failed: ${error.message}` : (error as Error).message;
    process.stderr.write(`warmboot: ${step}\n`);
    for (const log of rack?.logs() ?? []) process.stderr.write(`  log: ${log}\n`);
    return 1;
  } finally {
    await rack?.close();
  }
}

async function tellStories(rack: Rack): Promise<void> {
  const { options, images } = plan;
  // The data folder is kept between runs and remembers hosts: each run brings machines of its own.
  const run = randomBytes(2).toString('hex').match(/../g)?.join(':');
  const names = ['one', 'two', 'three', 'four'].slice(0, options.guests);
  const { disk, nic, firmware } = options;
  const guests = [];
  for (const [index, name] of names.entries()) {
    guests.push(await rack.addGuest({ name, mac: `52:54:00:${run}:0${index + 1}`, disk, nic, firmware }));
  }
  const told = guests.map(async (guest, index) => {
    const first = images[index % images.length] as BuiltImage;
    const second = images[(index + 1) % images.length] as BuiltImage;
    const story = new Story(rack, guest, audience);
    await story.enrol(first);
    const installed = await story.install(first);
    const switched = await story.reassign(second, { download: true, before: installed });
    const cycled = await story.powerCycle(second, switched);
    await story.reassign(first, { download: false, before: cycled });
    await rack.api.removeHost(guest.mac).catch(() => {});
  });
  await Promise.all(told);
}
