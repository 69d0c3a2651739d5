/** What a power-on starts, by what lies on the boot partition. GRUB and the installer follow the same table. */
export type BootRule = {
  readonly when: string;
  readonly valid: readonly string[];
  /** null: a file that cannot be read. */
  readonly grubenv: Readonly<Record<string, string>> | null;
  /** The slot, with ` trial` when its trial arguments are added; null when nothing can be started. */
  readonly boots: string | null;
  /** What grubenv must hold afterwards; '' for a variable that is empty or gone. */
  readonly after?: Readonly<Record<string, string>>;
};

export const BOOT_RULES: readonly BootRule[] = [
  {
    when: 'the default is counted down before it is started',
    valid: ['a', 'b'],
    grubenv: { default: 'b', tries_a: '3', tries_b: '3' },
    boots: 'b',
    after: { default: 'b', tries_b: '2', tries_a: '3' },
  },
  {
    when: 'the last try is still a try',
    valid: ['a', 'b'],
    grubenv: { default: 'a', tries_a: '1', tries_b: '3' },
    boots: 'a',
    after: { tries_a: '0' },
  },
  {
    when: 'the tries of the default are used up',
    valid: ['a', 'b'],
    grubenv: { default: 'a', tries_a: '0', tries_b: '3' },
    boots: 'b',
    after: { default: 'a', tries_a: '0', tries_b: '2' },
  },
  {
    when: 'the next slot has no tries left either, the one after it has',
    valid: ['a', 'b', 'c'],
    grubenv: { default: 'a', tries_a: '0', tries_b: '0', tries_c: '3' },
    boots: 'c',
    after: { tries_c: '2' },
  },
  {
    when: 'all tries are used up, the default is better than nothing',
    valid: ['a', 'b'],
    grubenv: { default: 'b', tries_a: '0', tries_b: '0' },
    boots: 'b',
    after: { tries_b: '0' },
  },
  {
    when: 'the default is not valid',
    valid: ['b'],
    grubenv: { default: 'a', tries_a: '3', tries_b: '2' },
    boots: 'b',
    after: { tries_b: '1' },
  },
  {
    when: 'a one-shot is cleared before it is used, and costs the default no try',
    valid: ['a', 'b'],
    grubenv: { default: 'a', next: 'b', tries_a: '3' },
    boots: 'b trial',
    after: { default: 'a', next: '', tries_a: '3' },
  },
  {
    when: 'a one-shot for a slot that is not valid is cleared and forgotten',
    valid: ['a'],
    grubenv: { default: 'a', next: 'b', tries_a: '3' },
    boots: 'a',
    after: { next: '', tries_a: '2' },
  },
  { when: 'grubenv cannot be read', valid: ['b', 'c'], grubenv: null, boots: 'b' },
  {
    when: 'the host has moved to a disk that is not there: its old system, and its data, are not the host any more',
    valid: ['a', 'b'],
    grubenv: { default: 'a', next: 'b', tries_a: '3', moved: '52-54-00-00-00-01' },
    boots: null,
    after: { default: 'a', next: 'b', tries_a: '3', moved: '52-54-00-00-00-01' },
  },
  { when: 'no slot is valid', valid: [], grubenv: { default: 'a', tries_a: '3' }, boots: null },
  {
    when: 'no tries were ever written, it is counted from 3',
    valid: ['a'],
    grubenv: { default: 'a' },
    boots: 'a',
    after: { default: 'a', tries_a: '2' },
  },
  {
    when: 'a slot on trial that came to nothing has no tries, the default is all there is',
    valid: ['a', 'b'],
    grubenv: { default: 'a', tries_a: '0', tries_b: '0' },
    boots: 'a',
    after: { tries_a: '0', tries_b: '0' },
  },
  {
    when: 'a number of tries that nobody writes, as a torn sector may hold it, counts as 3',
    valid: ['a', 'b'],
    grubenv: { default: 'a', tries_a: '33', tries_b: '3' },
    boots: 'a',
    after: { tries_a: '2', tries_b: '3' },
  },
  {
    when: 'there are eight slots',
    valid: ['c', 'h'],
    grubenv: { default: 'h', tries_h: '2' },
    boots: 'h',
    after: { tries_h: '1' },
  },
];
