import { type Finding, ok, warning } from '../core/finding.ts';

/** BuildKit builds Dockerfiles whole, here-documents and `RUN --mount` with them, from this major version on. */
const OLDEST_MAJOR = 20;

/**
 * Docker is needed by `build` alone, so its absence is never a problem of the server.
 * @param ask gives the engine's version, or throws when there is none
 */
export async function dockerFinding(ask: () => Promise<{ version: string }>): Promise<Finding> {
  const check = 'docker';
  try {
    const { version } = await ask();
    if (Number.parseInt(version, 10) < OLDEST_MAJOR)
      return warning(
        check,
        `Docker ${version} answers; ${OLDEST_MAJOR} or newer is needed to build images`,
        'Upgrade Docker.',
      );
    return ok(check, `Docker ${version} answers`);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    return warning(
      check,
      `no Docker engine answers (${reason}), and images cannot be built on this machine`,
      'Run "warmboot build NAME" once as root, which installs and starts one, or set DOCKER_HOST. To serve, none is needed.',
    );
  }
}
