import type { BuiltImage } from '../../lab/story.ts';

/** What the e2e tests need built, in this order. */
export const E2E_IMAGES = ['installer', 'debian-12', 'debian-13'] as const;

/** More images, for the disks that are composed; `name` is how the tests call them. */
export const E2E_VARIANTS = [
  { name: 'debian-11', of: 'debian-11', options: [] },
  { name: 'debian-12:xfs', of: 'debian-12', options: ['--filesystem', 'xfs', '--tag', 'xfs'] },
  { name: 'debian-13:xfs', of: 'debian-13', options: ['--filesystem', 'xfs', '--tag', 'xfs'] },
] as const;

/** What the test runner hands to the e2e tests, as JSON in WARMBOOT_E2E. */
export interface E2ePlan {
  /** For disks and logs. */
  readonly folder: string;
  /** The server's data folder with the images in it. */
  readonly data: string;
  readonly images: readonly BuiltImage[];
}
