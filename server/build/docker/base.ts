import { PassThrough, type Readable } from 'node:stream';
import type Docker from 'dockerode';
import { execa } from 'execa';
import { BuildError } from '../build-error.ts';
import type { Report } from '../messages.ts';
import { findImage, jsonLines } from './docker.ts';

/** A registry that has said nothing for so long is taken as out of reach. */
const PULL_SILENCE_MS = 20_000;
/** Bytes between two progress messages. */
const REPORT_EVERY = 4 * 1024 * 1024;

const SUITES: ReadonlyMap<string, string> = new Map([
  ['11', 'bullseye'],
  ['12', 'bookworm'],
  ['13', 'trixie'],
  ['bullseye', 'bullseye'],
  ['bookworm', 'bookworm'],
  ['trixie', 'trixie'],
]);

/**
 * Makes sure that Docker has the image that a FROM names: as it is, pulled, or, for Debian, made here.
 * @throws BuildError `base` when none of these works
 */
export async function ensureBase(
  docker: Docker,
  name: string,
  report: Report,
  signal: AbortSignal,
): Promise<void> {
  if (await findImage(docker, name)) return;
  report({ phase: 'base', message: `pulling ${name}` });
  // Without a tag Docker would pull every tag there is.
  const isExact = name.includes('@') || name.slice(name.lastIndexOf('/') + 1).includes(':');
  const refusal = await pull(docker, isExact ? name : `${name}:latest`, report, signal);
  if (refusal === null) return;
  signal.throwIfAborted();
  const suite = debianSuite(name);
  if (suite === null)
    throw new BuildError(
      'base',
      `The base image ${name} is not in Docker and could not be pulled (${refusal}). Pull or import it under that name, e.g. docker load < FILE.`,
    );
  report({
    phase: 'base',
    message: `the registry could not be reached (${refusal}): making ${name} with mmdebstrap instead, from Debian's packages`,
  });
  await makeDebian(docker, name, suite, report, signal);
}

/** The suite of `debian:12`, `debian:bookworm-slim` and so on; null for any other name. */
export function debianSuite(name: string): string | null {
  const tag = /^(?:docker\.io\/)?(?:library\/)?debian:([a-z0-9]+)(?:-slim)?$/.exec(name)?.[1];
  return SUITES.get(tag ?? '') ?? null;
}

/** @returns null when pulled, else why not */
async function pull(
  docker: Docker,
  name: string,
  report: Report,
  signal: AbortSignal,
): Promise<string | null> {
  const silence = new AbortController();
  const either = AbortSignal.any([signal, silence.signal]);
  let timer = setTimeout(() => silence.abort(), PULL_SILENCE_MS);
  try {
    const stream = (await docker.pull(name, { abortSignal: either })) as Readable;
    const pulled = countPulled(name, report);
    for await (const message of jsonLines(stream)) {
      clearTimeout(timer);
      timer = setTimeout(() => silence.abort(), PULL_SILENCE_MS);
      pulled(message);
      if (typeof message.error === 'string') return firstLine(message.error);
      if (message.status === 'Pull complete')
        report({ phase: 'base', message: `${name}: layer ${message.id} pulled` });
    }
    return (await findImage(docker, name)) ? null : 'the pull ended without an image';
  } catch (error) {
    if (silence.signal.aborted) return `no answer within ${PULL_SILENCE_MS / 1000} s`;
    return firstLine((error as Error).message);
  } finally {
    clearTimeout(timer);
  }
}

/** How much has come. The whole is not told: the size of a layer is known only when it begins. */
function countPulled(name: string, report: Report): (message: Record<string, unknown>) => void {
  const layers = new Map<unknown, number>();
  let told = 0;
  return ({ id, status, progressDetail }) => {
    if (status !== 'Downloading') return;
    layers.set(id, (progressDetail as { current?: number } | undefined)?.current ?? 0);
    const bytesDone = [...layers.values()].reduce((sum, bytes) => sum + bytes, 0);
    if (bytesDone - told < REPORT_EVERY) return;
    told = bytesDone;
    report({ phase: 'base', message: `pulling ${name}`, bytesDone });
  };
}

async function makeDebian(
  docker: Docker,
  name: string,
  suite: string,
  report: Report,
  signal: AbortSignal,
): Promise<void> {
  const making = execa('mmdebstrap', ['--variant=minbase', suite, '-'], {
    stdin: 'ignore',
    stdout: 'pipe',
    buffer: { stdout: false, stderr: true },
    cancelSignal: signal,
    forceKillAfterDelay: 5_000,
    reject: false,
  });
  // Ended only when mmdebstrap went well: Docker must not take half a tar for an image.
  const upload = new PassThrough();
  making.stdout.pipe(upload, { end: false });
  making.stderr?.on('data', (data: Buffer) => {
    for (const text of data.toString('utf8').split('\n'))
      if (text.startsWith('I: ')) report({ phase: 'base', message: `mmdebstrap: ${text.slice(3)}` });
  });
  const imported = importTar(docker, upload, name).catch((error: Error) => error);
  const result = await making;
  if (result.failed) upload.destroy(new Error('mmdebstrap failed'));
  else upload.end();
  const outcome = await imported;
  signal.throwIfAborted();
  if (result.code === 'ENOENT')
    throw new BuildError(
      'base',
      `${name} can't be made here: mmdebstrap is missing (apt-get install mmdebstrap).`,
    );
  if (result.failed) {
    const log = String(result.stderr ?? '')
      .trim()
      .split('\n')
      .slice(-10);
    throw new BuildError(
      'base',
      [`mmdebstrap could not make ${name}:`, ...log.map((text) => `  | ${text}`)].join('\n'),
    );
  }
  if (outcome instanceof Error)
    throw new BuildError('base', `Docker did not take ${name}: ${outcome.message}.`);
}

async function importTar(docker: Docker, tar: Readable, name: string): Promise<void> {
  const colon = name.lastIndexOf(':');
  const stream = (await docker.importImage(tar, {
    repo: name.slice(0, colon),
    tag: name.slice(colon + 1),
  })) as Readable;
  for await (const message of jsonLines(stream))
    if (typeof message.error === 'string') throw new Error(message.error);
}

function firstLine(text: string): string {
  return text.trim().split('\n')[0] ?? '';
}
