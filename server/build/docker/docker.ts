import type { Readable } from 'node:stream';
import Docker from 'dockerode';
import { lines } from '../../lib/lines.ts';
import { BuildError } from '../build-error.ts';
import type { Report } from '../messages.ts';
import { decodeBuildkitStatus } from './buildkit-status.ts';
import type { ContextTree } from './context-tree.ts';
import { openSession, type Secrets } from './session.ts';
import { createStepLog } from './step-log.ts';

export interface DockerBuild {
  readonly context: ContextTree;
  /** Name in Docker, with a tag. */
  readonly tag: string;
  readonly options: DockerOptions;
}

/** What is meant for the image that was asked for, and for none that it copies from. */
export interface DockerOptions {
  readonly buildArguments: Readonly<Record<string, string>>;
  readonly secrets: Secrets;
  /** The stage to end at; null: the last. */
  readonly target: string | null;
}

export const NO_OPTIONS: DockerOptions = { buildArguments: {}, secrets: new Map(), target: null };

export interface DockerImage {
  /** `sha256:…` of the image's configuration: stays the same when the name moves on. */
  readonly id: string;
  readonly architecture: string;
  /** Sum of the layers, uncompressed. */
  readonly bytes: number;
}

/** Docker's daemon, as the environment names it (DOCKER_HOST) or at its usual socket. */
export function connectDocker(): Docker {
  return new Docker();
}

/** @throws BuildError `docker-unavailable` */
export async function requireDocker(docker: Docker): Promise<void> {
  await docker.ping().catch((error: Error) => {
    throw new BuildError(
      'docker-unavailable',
      `Docker does not answer (${error.message}). Start it (systemctl start docker) or point DOCKER_HOST at one.`,
    );
  });
}

/** Null when Docker has no image of that name. */
export async function findImage(docker: Docker, name: string): Promise<DockerImage | null> {
  try {
    const found = await docker.getImage(name).inspect();
    return { id: found.Id, architecture: found.Architecture, bytes: found.Size };
  } catch (error) {
    if ((error as { statusCode?: number }).statusCode === 404) return null;
    throw error;
  }
}

/**
 * Builds a Dockerfile with BuildKit (`version: 2` of the build API). The classic builder takes no here-documents and
 * no `RUN --mount`, and builds stages that nothing needs. BuildKit inside the daemon finds images that exist only
 * locally, in FROM and in COPY --from, as long as no newer one is asked for (`pull` stays off): tried with Docker 26
 * and no registry in reach. The API is spoken directly, so the docker command and its buildx plug-in are not needed.
 *
 * @returns the image's id
 * @throws BuildError `dockerfile` naming the step, its exit code and its last lines
 */
export async function buildDockerfile(
  docker: Docker,
  build: DockerBuild,
  report: Report,
  signal: AbortSignal,
): Promise<string> {
  const { context, tag, options } = build;
  const session = await openSession(docker, { context, secrets: options.secrets, sharedKey: tag });
  const steps = createStepLog(report);
  let id: string | null = null;
  let refusal: string | null = null;
  try {
    const stream = await postBuild(docker, build, session.id, signal);
    for await (const message of jsonLines(stream)) {
      if (message.id === 'moby.buildkit.trace' && typeof message.aux === 'string')
        steps.take(decodeBuildkitStatus(message.aux));
      else if (message.id === 'moby.image.id') id = (message.aux as { ID?: string }).ID ?? null;
      else if (typeof message.error === 'string') refusal = message.error;
    }
  } catch (error) {
    signal.throwIfAborted();
    // Some things Docker refuses before it begins.
    const { statusCode, json, message } = error as Error & {
      statusCode?: number;
      json?: { message?: string };
    };
    if (statusCode === undefined) throw error;
    refusal = json?.message ?? message;
  } finally {
    session.close();
  }
  if (refusal !== null || id === null) throw new BuildError('dockerfile', steps.explain(build.tag, refusal));
  return id;
}

/** dockerode's own `buildImage` opens a session of its own, which knows no secrets: hence one level below it. */
function postBuild(
  docker: Docker,
  build: DockerBuild,
  session: string,
  signal: AbortSignal,
): Promise<Readable> {
  const { buildArguments, target } = build.options;
  const options = {
    version: '2',
    session,
    t: build.tag,
    remote: 'client-session',
    ...(target !== null && { target }),
    buildargs: { ...buildArguments },
    rm: true,
  };
  return new Promise((resolve, reject) => {
    docker.modem.dial(
      {
        path: '/build?',
        method: 'POST',
        // Everything comes through the session; without a body dockerode would send the options as one.
        file: Buffer.alloc(0),
        options,
        abortSignal: signal,
        isStream: true,
        statusCodes: { 200: true, 400: 'bad parameter', 500: 'server error' },
      },
      (error, stream) => (error ? reject(error as Error) : resolve(stream as Readable)),
    );
  });
}

/** The messages of one of Docker's JSON streams. */
export async function* jsonLines(stream: Readable): AsyncGenerator<Record<string, unknown>> {
  for await (const line of lines(stream))
    if (line.trim() !== '') yield JSON.parse(line) as Record<string, unknown>;
}
