import type { BuildChecks } from '../core/build-ports.ts';

/**
 * The ways in which a build ends without an image. All are shown to the user without a stack trace.
 *
 * - `recipe`              image.json or the image's folder is missing or malformed
 * - `docker-unavailable`  Docker does not answer
 * - `base`                a FROM image is not here, cannot be pulled and cannot be made
 * - `dockerfile`          a step of the Dockerfile failed
 * - `layers`              a layer holds what cannot be put on a disk
 * - `check`               the image would not boot, or holds what must not be shared
 * - `filesystem-full`     the files do not fit into the size that image.json gives
 * - `tool`                a program that the build needs is missing or too old
 * - `no-space`            the server's own disk is full
 * - `interrupted`         stopped on request, or because the server went away
 * - `internal`            anything else: our mistake
 */
export type BuildErrorCode =
  | 'recipe'
  | 'docker-unavailable'
  | 'base'
  | 'dockerfile'
  | 'layers'
  | 'check'
  | 'filesystem-full'
  | 'tool'
  | 'no-space'
  | 'interrupted'
  | 'internal';

/** `message` says what, why and what to do; it may have several lines (log lines, failed checks). */
export class BuildError extends Error {
  override readonly name = 'BuildError';
  readonly code: BuildErrorCode;
  /** Of a `check`: what they found. */
  readonly checks: BuildChecks | null;

  constructor(code: BuildErrorCode, message: string, checks: BuildChecks | null = null) {
    super(message);
    this.code = code;
    this.checks = checks;
  }
}
