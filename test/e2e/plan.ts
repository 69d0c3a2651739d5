import type { BuiltImage } from '../../lab/story.ts';

/** What the e2e tests need built, in this order. */
export const E2E_IMAGES = ['installer', 'debian-12', 'debian-13'] as const;

/** What the test runner hands to the e2e tests, as JSON in WARMBOOT_E2E. */
export interface E2ePlan {
  /** For disks and logs. */
  readonly folder: string;
  /** The server's data folder with the images in it. */
  readonly data: string;
  readonly images: readonly BuiltImage[];
}
