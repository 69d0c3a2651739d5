import { expect, test } from 'vitest';
import { breakLoop, type NbpsGiven } from '../../server/core/ipxe-loop.ts';

const IPXE = [
  ['blksize', '1432'],
  ['tsize', '0'],
] as const;
type Options = readonly (readonly [string, string])[];

/** Asks one after the other: `address` or `address name`, and the minute at which. @returns `script` or `nbp` for each */
function turns(asked: readonly (readonly [string, number])[], options: Options = IPXE): string[] {
  let given: NbpsGiven = new Map();
  return asked.map(([who, minute]) => {
    const [address = '', name = 'undionly.kpxe'] = who.split(' ');
    const turn = breakLoop(given, { address, name, options }, minute * 60_000);
    given = turn.given;
    return turn.script ? 'script' : 'nbp';
  });
}

test('the NBP once, then the script, then both again for the next boot', () => {
  const asked = [0, 0.5, 3, 3.5].map((minute) => ['a', minute] as const);
  expect(turns(asked)).toEqual(['nbp', 'script', 'nbp', 'script']);
});

test('every address for itself', () => {
  const asked = [
    ['a', 0],
    ['b', 0],
    ['b', 1],
    ['a', 1],
  ] as const;
  expect(turns(asked)).toEqual(['nbp', 'nbp', 'script', 'script']);
});

test('after five minutes it is another boot', () => {
  const asked = [
    ['a', 0],
    ['a', 4.99],
    ['b', 0],
    ['b', 5],
  ] as const;
  expect(turns(asked)).toEqual(['nbp', 'script', 'nbp', 'nbp']);
});

test.each(['undionly.kkpxe', 'ipxe.pxe', 'ipxe.lkrn'])('%s loops too', (name) => {
  const asked = [0, 1].map((minute) => [`a ${name}`, minute] as const);
  expect(turns(asked)).toEqual(['nbp', 'script']);
});

test.each(['ipxe.efi', 'snponly.efi', 'nbp/undionly.kpxe', 'autoexec.ipxe'])('%s never does', (name) => {
  const asked = [0, 1, 2].map((minute) => [`a ${name}`, minute] as const);
  expect(turns(asked)).toEqual(['nbp', 'nbp', 'nbp']);
});

test.each<[string, Options]>([
  ['a firmware without options', []],
  ['tsize first (OVMF)', [...IPXE].reverse()],
  ['another blksize', [['blksize', '1456'], IPXE[1]]],
  ['a size of its own', [IPXE[0], ['tsize', '1']]],
  ['more options', [...IPXE, ['windowsize', '4']]],
  ['fewer options', [IPXE[0]]],
])('%s is not iPXE', (_what, options) => {
  const asked = [0, 1, 2].map((minute) => ['a', minute] as const);
  expect(turns(asked, options)).toEqual(['nbp', 'nbp', 'nbp']);
});

test('the table is bounded: the oldest are forgotten', () => {
  let given: NbpsGiven = new Map();
  const ask = (address: string, atMs: number) => {
    const turn = breakLoop(given, { address, name: 'undionly.kpxe', options: IPXE }, atMs);
    given = turn.given;
    return turn.script;
  };
  for (let n = 0; n < 5000; n++) ask(`n${n}`, n);
  expect(given.size).toBe(4096);
  expect(ask('n4999', 5000)).toBe(true);
  expect(ask('n0', 5000)).toBe(false);
  ask('late', 10 * 60_000);
  expect([...given.keys()]).toEqual(['late']);
});
