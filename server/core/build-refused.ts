import type { BuildChecks } from './build-ports.ts';
import { WarmbootError } from './errors.ts';

/** A build that ended without an image for a reason that its user can mend. */
export class BuildRefused extends WarmbootError {
  /** What the checks found; null: it did not come so far. */
  readonly checks: BuildChecks | null;
  constructor(message: string, checks: BuildChecks | null) {
    super('unavailable', message);
    this.checks = checks;
  }
}
