import { z } from '@hono/zod-openapi';

/** One line of `doctor`, as its `--json` gives it. */
export const findingSchema = z.object({
  /** Stable: `tftp-port`, `nbp`, `dhcp`, … */
  check: z.string(),
  level: z.enum(['ok', 'warning', 'problem']),
  what: z.string(),
  /** What to do; null when there is nothing to do. */
  mend: z.string().nullable(),
});
export type FindingView = z.infer<typeof findingSchema>;
