import { expect, test } from 'vitest';
import twoSlots from '../../images/disks/two-slots.json' with { type: 'json' };
import { parseDiskLayout, parseRecipe } from '../../server/contract/image-json.ts';

const recipe = (change: object) =>
  parseRecipe(JSON.stringify({ kind: 'os', filesystem: { type: 'ext4', size: '2GiB' }, ...change }));
const layout = (change: object) => parseDiskLayout(JSON.stringify({ ...twoSlots, ...change }));

test('a recipe, its size in bytes', () => {
  expect(recipe({ append: 'console=ttyS0,115200n8' })).toEqual({
    ok: true,
    value: {
      kind: 'os',
      filesystem: { type: 'ext4', size: 2 ** 31 },
      append: 'console=ttyS0,115200n8',
      agent: false,
    },
  });
  expect(parseRecipe('{"kind":"installer"}')).toEqual({ ok: true, value: { kind: 'installer', append: '' } });
  expect(parseRecipe('{"kind":"tool"}')).toEqual({ ok: true, value: { kind: 'tool' } });
});

test.each([
  ['not JSON', parseRecipe('{'), 'it is not JSON'],
  ['unknown kind', recipe({ kind: 'disk' }), 'kind'],
  ['unknown key', recipe({ colour: 1 }), 'colour'],
  ['no filesystem', parseRecipe('{"kind":"os"}'), 'filesystem'],
  ['decimal unit', recipe({ filesystem: { type: 'ext4', size: '2GB' } }), 'filesystem.size'],
  ['too small', recipe({ filesystem: { type: 'ext4', size: '1MiB' } }), 'between'],
  [
    'too small for XFS',
    recipe({ filesystem: { type: 'xfs', size: '32MiB' } }),
    'filesystem.size: a filesystem of type xfs has between 64MiB and 16TiB',
  ],
  ['too large', recipe({ filesystem: { type: 'ext4', size: '999999TiB' } }), 'between'],
  ['code in append', recipe({ append: 'quiet; reboot' }), 'append'],
  ['a newline in append', recipe({ append: 'quiet\nreboot' }), 'append'],
  ['a tool with more', parseRecipe('{"kind":"tool","append":""}'), 'append'],
])('refused: %s', (_, read, fault) => {
  expect(read.ok ? 'accepted' : read.faults.join()).toContain(fault);
});

test('disk layouts', () => {
  expect(layout({})).toMatchObject({ ok: true, value: { slots: 2 } });
  for (const change of [
    { slots: 1 },
    { slots: 9 },
    { slotBytes: 1000 },
    { bootBytes: 2 ** 20 },
    { stateBytes: 0 },
    { data: 'yes' },
    { more: 1 },
  ])
    expect(layout(change).ok).toBe(false);
});
