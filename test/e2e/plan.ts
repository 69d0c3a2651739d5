import { inCheckout } from '../../lab/paths.ts';
import type { BuiltImage } from '../../lab/story.ts';
import { runsAll } from '../all.ts';

/** What the e2e tests need built, in this order. */
export const E2E_IMAGES = ['installer', 'debian-12', 'debian-13'] as const;

/** Breaks as its command line says: one image for many faults. */
const FRAGILE = ['--context', inCheckout('test/e2e/images/fragile')];

const XFS = ['--filesystem', 'xfs', '--tag', 'xfs'];

/** More images, for the disks that are composed; `name` is how the tests call them. */
export const e2eVariants = () => [
  { name: 'debian-11', of: 'debian-11', options: [] },
  { name: 'fragile', of: 'fragile', options: FRAGILE },
  { name: 'debian-13:xfs', of: 'debian-13', options: XFS },
  ...(runsAll()
    ? [
        { name: 'debian-11:xfs', of: 'debian-11', options: XFS },
        { name: 'debian-12:xfs', of: 'debian-12', options: XFS },
        { name: 'debian-dracut', of: 'debian-dracut', options: ['--context', 'test/e2e/debian-dracut'] },
      ]
    : []),
];

/** What the test runner hands to the e2e tests, as JSON in WARMBOOT_E2E. */
export interface E2ePlan {
  /** For disks and logs. */
  readonly folder: string;
  /** The server's data folder with the images in it. */
  readonly data: string;
  readonly images: readonly BuiltImage[];
}
