import type { DemoOptions } from './options.ts';
import type { BuiltImage } from './story.ts';
import type { Entry } from './timeline.ts';

/** What the demo's outer half hands to its inner half, as a JSON file. */
export interface DemoPlan {
  readonly options: DemoOptions;
  readonly data: string;
  readonly folder: string;
  readonly beganAt: number;
  /** What was seen already. */
  readonly entries: readonly Entry[];
  /** The OS images; guest number n begins with the nth. */
  readonly images: readonly BuiltImage[];
}
