import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Rack } from '../../lab/rack.ts';
import { image, newGuest, startRack } from './support.ts';

let rack: Rack;
beforeAll(async () => {
  rack = await startRack('fleet');
});
afterAll(() => rack?.close());

test('two machines at once, each assigned a different OS, end each on its own', async () => {
  const install = async (name: string, os: string) => {
    const { guest, story } = await newGuest(rack, name);
    return async () => {
      await story.enrol(image(os));
      await story.install(image(os));
      const host = await rack.api.host(guest.mac);
      return host.observation?.digest;
    };
  };
  // Both stand in the rack before the first is switched on, so that the time-outs count with both.
  const machines = [await install('one', 'debian-12'), await install('two', 'debian-13')];
  const digests = await Promise.all(machines.map((run) => run()));
  expect(digests).toEqual([image('debian-12').digest, image('debian-13').digest]);
});
