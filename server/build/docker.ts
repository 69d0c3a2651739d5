import type { Readable } from 'node:stream';
import Docker from 'dockerode';
import { BuildError } from './build-error.ts';
import { type BuildkitStep, decodeBuildkitStatus } from './buildkit-status.ts';
import { contextTar } from './context.ts';
import type { Report } from './messages.ts';

const LAST_LINES = 15;

export interface DockerBuild {
  /** The folder that holds the Dockerfile; all of it is the context. */
  readonly folder: string;
  /** Name in Docker, with a tag. */
  readonly tag: string;
  readonly buildArguments: Readonly<Record<string, string>>;
}

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
  // dockerode deletes abortSignal from the options that it was given, hence a literal.
  const stream = (await docker.buildImage(contextTar(build.folder) as NodeJS.ReadableStream, {
    version: '2',
    t: build.tag,
    buildargs: { ...build.buildArguments },
    rm: true,
    abortSignal: signal,
  })) as Readable;
  const steps = createStepLog(report);
  let id: string | null = null;
  let refusal: string | null = null;
  for await (const message of jsonLines(stream)) {
    if (message.id === 'moby.buildkit.trace' && typeof message.aux === 'string') steps.take(message.aux);
    else if (message.id === 'moby.image.id') id = (message.aux as { ID?: string }).ID ?? null;
    else if (typeof message.error === 'string') refusal = message.error;
  }
  if (refusal !== null || id === null) throw new BuildError('dockerfile', steps.explain(build.tag, refusal));
  return id;
}

/** Follows the steps of one build: reports what begins, what is cached, what they say; explains what failed. */
function createStepLog(report: Report) {
  const known = new Map<string, BuildkitStep>();
  const told = new Set<string>();
  const lastLines = new Map<string, string[]>();
  const unfinished = new Map<string, string>();

  const line = (step: string, text: string): void => {
    const lines = lastLines.get(step) ?? [];
    lines.push(text);
    lastLines.set(step, lines.slice(-LAST_LINES));
    report({ phase: 'docker', message: text, log: true });
  };

  return {
    take(aux: string): void {
      const status = decodeBuildkitStatus(aux);
      for (const step of status.steps) {
        known.set(step.digest, step);
        if (!step.started || step.name.startsWith('[internal]')) continue;
        const key = `${step.digest} ${step.cached}`;
        if (told.has(key) || (step.completed && !step.cached)) continue;
        told.add(key);
        report({ phase: 'docker', message: `${shortName(step.name)}${step.cached ? ' (cached)' : ''}` });
      }
      for (const { step, text } of status.logs) {
        const lines = ((unfinished.get(step) ?? '') + text.toString('utf8')).split('\n');
        unfinished.set(step, lines.pop() ?? '');
        // A carriage return redraws a line; what was drawn last is what counts.
        for (const each of lines) line(step, each.replace(/\r+$/, '').split('\r').pop() ?? '');
      }
    },
    explain(tag: string, refusal: string | null): string {
      const failed = [...known.values()].find(
        ({ error }) => error !== '' && !error.includes('context canceled'),
      );
      if (!failed) return `Docker could not build ${tag}: ${refusal ?? 'its answer ended early'}.`;
      const rest = unfinished.get(failed.digest) ?? '';
      if (rest !== '') line(failed.digest, rest);
      const code = /exit code: (\d+)/.exec(failed.error)?.[1];
      const what = code === undefined ? failed.error : `ended with exit code ${code}`;
      const log = (lastLines.get(failed.digest) ?? []).map((text) => `  | ${text}`);
      return [`The Dockerfile of ${tag} failed at ${shortName(failed.name)}: ${what}.`, ...log].join('\n');
    },
  };
}

/** The messages of one of Docker's JSON streams. */
export async function* jsonLines(stream: Readable): AsyncGenerator<Record<string, unknown>> {
  let open = '';
  for await (const data of stream) {
    const lines = (open + String(data)).split('\n');
    open = lines.pop() ?? '';
    for (const text of lines) if (text.trim() !== '') yield JSON.parse(text) as Record<string, unknown>;
  }
  if (open.trim() !== '') yield JSON.parse(open) as Record<string, unknown>;
}

/** A RUN line can be as long as a script; its beginning tells which one it is. */
function shortName(name: string): string {
  const plain = name.replaceAll('docker.io/library/', '').replaceAll('docker.io/', '').replace(/\s+/g, ' ');
  return plain.length > 160 ? `${plain.slice(0, 159)}…` : plain;
}
