import { expect, test } from 'vitest';
import { hostCases } from '../../server/control/hosts.ts';
import type { ImageIndex } from '../../server/core/image-index.ts';
import { ALICE, B } from '../fixtures/hosts.ts';
import { hostsOf } from '../fixtures/stores.ts';
import { useCases } from '../fixtures/use-cases.ts';

const GIB = 1024 ** 3;
const MAC = '52:54:00:12:34:56';

/** Image `one` fits into two-slots, image `two` (4 GiB) only into four-slots. */
async function world() {
  const { context, store } = await useCases();
  const [two] = context.layouts.values();
  if (!two) throw new Error('no layout');
  const layouts = new Map(context.layouts).set('four-slots', {
    ...two,
    name: 'four-slots',
    slotBytes: 8 * GIB,
  });
  const index = async (digest: string) =>
    ({ filesystem: { bytes: digest === B ? 4 * GIB : 2 * GIB } }) as ImageIndex;
  const library = { ...context.library, index };
  return {
    hosts: hostCases({ ...context, layouts, library }),
    context: { ...context, library },
    layouts,
    store,
  };
}

const TOO_LARGE = {
  code: 'invalid',
  message:
    'The filesystem of two has 4294967296 bytes, a slot of layout "two-slots" has 2147483648. Take a layout with larger slots (four-slots), or build the image smaller.',
};

test('a host is not enrolled with an image that its slots cannot hold', async () => {
  const { hosts, store } = await world();
  await expect(hosts.enrol(ALICE, { macs: [MAC], image: 'two' })).rejects.toMatchObject(TOO_LARGE);
  expect(await hostsOf(store)).toEqual([]);
  const host = await hosts.enrol(ALICE, { macs: [MAC], image: 'two', layout: 'four-slots' });
  expect(host.enrolment.assignment?.ref).toBe('two');
});

test('nor is it assigned one, and keeps what it had', async () => {
  const { hosts } = await world();
  await hosts.enrol(ALICE, { macs: [MAC], image: 'one' });
  const before = await hosts.find(MAC);
  await expect(hosts.reassign(ALICE, MAC, 'two', false)).rejects.toMatchObject(TOO_LARGE);
  expect(await hosts.find(MAC)).toEqual(before);
  await hosts.update(ALICE, MAC, { layout: 'four-slots' });
  expect((await hosts.reassign(ALICE, MAC, 'two', false)).attempt?.digest).toBe(B);
});

test('a layout that cannot hold the assigned image is refused', async () => {
  const { hosts } = await world();
  await hosts.enrol(ALICE, { macs: [MAC], image: 'two', layout: 'four-slots' });
  await expect(hosts.update(ALICE, MAC, { layout: 'two-slots' })).rejects.toMatchObject(TOO_LARGE);
  expect((await hosts.find(MAC)).enrolment.layout).toBe('four-slots');
});

test('a host whose layout file was removed can still be assigned an image', async () => {
  const { hosts, context, layouts } = await world();
  await hosts.enrol(ALICE, { macs: [MAC], image: 'one', layout: 'four-slots' });
  layouts.delete('four-slots');
  const after = hostCases({ ...context, layouts });
  expect((await after.reassign(ALICE, MAC, 'two', false)).attempt?.digest).toBe(B);
});

test('an image that is removed while it is assigned is refused', async () => {
  const { hosts, context, store } = await world();
  await hosts.enrol(ALICE, { macs: [MAC], image: 'one' });
  const racing = hostCases({
    ...context,
    library: {
      ...context.library,
      index: async () => {
        await store.upkeep.removeTags({ kind: 'tag', name: 'two', tag: 'latest' }, () => []);
        await store.upkeep.dropUnneeded(() => false);
        return null;
      },
    },
  });
  await expect(racing.reassign(ALICE, MAC, 'two', false)).rejects.toMatchObject({
    code: 'invalid',
    message: 'There is no image two. Build it, or see which there are with warmboot images.',
  });
});
