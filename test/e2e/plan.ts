import { inCheckout } from '../../lab/paths.ts';
import type { BuiltImage } from '../../lab/story.ts';

interface Wanted {
  /** How the tests call it. */
  readonly name: string;
  readonly of: string;
  readonly options: readonly string[];
}

/** Breaks as its command line says: one image for many faults. */
const FRAGILE = ['--context', inCheckout('test/e2e/images/fragile')];
const DRACUT = ['--context', inCheckout('test/e2e/debian-dracut')];

const plain = (name: string): Wanted => ({ name, of: name, options: [] });
const xfs = (of: string): Wanted => ({
  name: `${of}:xfs`,
  of,
  options: ['--filesystem', 'xfs', '--tag', 'xfs'],
});

/** What the e2e tests need built, in this order. */
export function e2eImages(all: boolean): readonly Wanted[] {
  const usual = ['installer', 'debian-13', 'debian-12'].map(plain);
  usual.push({ name: 'fragile', of: 'fragile', options: FRAGILE });
  if (!all) return usual;
  const more = ['debian-11', 'debian-12', 'debian-13'].map(xfs);
  return [
    ...usual,
    plain('debian-11'),
    ...more,
    { name: 'debian-dracut', of: 'debian-dracut', options: DRACUT },
  ];
}

/** How many files run at once, each with a rack. */
export const SIDE_BY_SIDE = 2;

/** What the test runner hands to the e2e tests, as JSON in WARMBOOT_E2E. */
export interface E2ePlan {
  /** For disks and logs. */
  readonly folder: string;
  /** A server's data folder with the images in it; no server runs on it. */
  readonly data: string;
  readonly images: readonly BuiltImage[];
}
