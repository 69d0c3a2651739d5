import { type BuildView, buildLogEntrySchema, buildSchema } from '../contract/admin-plane.ts';
import { CliError, InterruptedError, UnreachableError } from './cli-error.ts';
import { type Client, parsed, RefusedError, segment } from './client.ts';
import type { Cli } from './command.ts';
import { pause } from './pause.ts';
import { type Progress, progressOn } from './progress.ts';
import type { Session } from './session.ts';

/** A server that is away for longer than these tries, a second apart, has ended the build as well. */
const RECONNECTS = 10;

export function addBuild({ program, run }: Cli): void {
  program
    .command('build')
    .description('Build an image from images/NAME/Dockerfile; prints its digest.')
    .argument('<name>', 'folder below images/')
    .option('--tag <tag>', 'tag of the result (default: latest)')
    .addHelpText('after', '\nExample: digest=$(warmboot build debian-13 --tag next)')
    .action((name: string, { tag }: { tag?: string }) => run({}, (session) => build(session, name, tag)));
}

async function build(session: Session, name: string, tag: string | undefined): Promise<number> {
  const { client, world, json, isOwnServer, printJson, print, say } = session;
  const order = { name, ...(tag === undefined ? {} : { tag }) };
  const begun = await client.send('POST', '/api/v1/builds', buildSchema, order);
  const { id } = begun.data;
  const progress = progressOn(world);
  let ended: BuildView;
  try {
    ended = await follow(session, id, progress);
    progress.end(ended.status === 'succeeded' ? 'done' : 'failed');
  } catch (error) {
    progress.end('done');
    if (!(error instanceof InterruptedError)) throw error;
    throw new InterruptedError(
      isOwnServer
        ? 'stopped, and the build of this command with it.'
        : `no longer following; build ${id} goes on. Stop it at the server, or see what became of it: warmboot images`,
    );
  }
  // Read once more, so that `--json` gives what the API gives.
  if (json) printJson((await client.get(`/api/v1/builds/${segment(id)}`, buildSchema)).raw);
  if (ended.status !== 'succeeded')
    throw new CliError(ended.error ?? `the build of ${name} was ${ended.status}.`);
  if (ended.digest === null)
    say(`${name} is built, for other Dockerfiles to copy from; hosts cannot run it.`);
  else if (!json) print(`${ended.digest}\n`);
  return 0;
}

/** Waits for the end, across broken connections. */
async function follow(session: Session, id: string, progress: Progress): Promise<BuildView> {
  const { client, world, isOwnServer } = session;
  const path = `/api/v1/builds/${segment(id)}`;
  const log = new BuildLog(client, `${path}/log`, progress);
  let failures = 0;
  for (;;) {
    try {
      const ended = await log.read();
      if (ended !== null) return ended;
      const { data } = await client.get(path, buildSchema);
      if (data.status !== 'running') return data;
      failures = 0;
    } catch (error) {
      failures += 1;
      if (!(error instanceof UnreachableError) || isOwnServer || failures > RECONNECTS) throw error;
    }
    await pause(1000, world.signal);
  }
}

/** A log that may be read again from its start, and shows each entry once. */
class BuildLog {
  readonly #client: Client;
  readonly #path: string;
  readonly #progress: Progress;
  #shown = 0;

  constructor(client: Client, path: string, progress: Progress) {
    this.#client = client;
    this.#path = path;
    this.#progress = progress;
  }

  /** @returns the build as it ended; null when the stream ended before it, or the server keeps no log of it */
  async read(): Promise<BuildView | null> {
    let at = 0;
    try {
      for await (const { event, data } of this.#client.events(this.#path)) {
        if (event === 'end') return parsed(data, buildSchema);
        at += 1;
        if (event !== 'entry' || at <= this.#shown) continue;
        this.#shown = at;
        const entry = parsed(data, buildLogEntrySchema);
        if (entry !== null) this.#progress.step(entry);
      }
    } catch (error) {
      if (!(error instanceof RefusedError && error.status === 404)) throw error;
    }
    return null;
  }
}
