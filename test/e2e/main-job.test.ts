import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Rack } from '../../lab/rack.ts';
import type { Story } from '../../lab/story.ts';
import { image, newGuest, startRack } from './support.ts';

/** The main job on one machine, chapter by chapter; a story throws at the first thing that was not seen to happen. */
let rack: Rack;
let story: Story;
let bootId = '';

beforeAll(async () => {
  rack = await startRack('main-job');
  ({ story } = await newGuest(rack, 'one'));
});
afterAll(() => rack?.close());

test('an empty machine netboots, is flashed and goes on into the OS by kexec', async () => {
  await story.enrol(image('debian-12'));
  bootId = await story.install(image('debian-12'));
  expect(bootId).not.toBe('');
});

test('another OS is staged while the first runs, entered by kexec and confirmed', async () => {
  bootId = await story.reassign(image('debian-13'), { download: true, before: bootId });
});

test('after a power cut the firmware boots the disk into the OS that was confirmed last', async () => {
  bootId = await story.powerCycle(image('debian-13'), bootId);
});

test('the way back downloads nothing: the image still lies in its slot', async () => {
  bootId = await story.reassign(image('debian-12'), { download: false, before: bootId });
});
