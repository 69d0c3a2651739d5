import { Option } from 'commander';
import { type BuildView, buildLogEntrySchema, buildSchema, buildWaitSchema } from '../contract/builds.ts';
import { type BuildFlags, readOrder } from './build-order.ts';
import { CliError, InterruptedError, UnreachableError } from './cli-error.ts';
import { type Client, parsed, RefusedError, segment } from './client.ts';
import type { Cli } from './command.ts';
import { pause } from './pause.ts';
import { type Progress, progressOn } from './progress.ts';
import { sendContext } from './send-context.ts';
import type { Session } from './session.ts';

/** A server that is away for longer than these tries, a second apart, has ended the build as well. */
const RECONNECTS = 10;

export function addBuild({ program, run }: Cli): void {
  program
    .command('build')
    .description('Build an image from a Dockerfile; prints its digest.')
    .argument('<name>', 'name of the image; of a folder below images/ when there is no other source')
    .option('--tag <tag>', 'tag of the result (default: latest)')
    .option('--file <path>', 'Dockerfile (default: Dockerfile in the context)')
    .option('--context <dir>', "folder that is sent to build from (default: the Dockerfile's)")
    .option('--build-arg <name=value>', 'value of an ARG; not for secrets (may be repeated)', collect)
    .option('--secret <spec>', 'id=ID,src=FILE or id=ID,env=NAME (may be repeated)', collect)
    .option('--target <stage>', 'stage of the Dockerfile to end at (default: the last)')
    .option('--from <image>', 'take an image that Docker has or can pull, instead of a Dockerfile')
    .addOption(new Option('--filesystem <type>', 'instead of what image.json says').choices(['ext4', 'xfs']))
    .option('--size <size>', 'of the filesystem, e.g. 4GiB')
    .option('--append <arguments>', 'kernel arguments of the image')
    .option('--add-agent', "put Warmboot's agent into the image if it has none")
    .addHelpText(
      'after',
      `
Examples:
  digest=$(warmboot build debian-13 --tag next)
  warmboot build web --context . --file deploy/Dockerfile --build-arg VERSION=7 --secret id=npm,src=$HOME/.npmrc
  warmboot build db --from registry.example.org/db-host:3 --size 8GiB --add-agent`,
    )
    .action((name: string, flags: BuildFlags) => run({}, (session) => build(session, name, flags)));
}

function collect(text: string, before: readonly string[] = []): string[] {
  return [...before, text];
}

async function build(session: Session, name: string, flags: BuildFlags): Promise<number> {
  const { client, world, json, isOwnServer, printJson, tell, say } = session;
  const { order, context } = await readOrder(name, flags, world);
  const progress = progressOn(world);
  let id: string;
  try {
    const sent = context && { context: await sendContext(client, context, progress) };
    id = (await client.send('POST', '/api/v1/builds', buildSchema, { ...order, ...sent })).data.id;
  } catch (error) {
    progress.end('done');
    throw error;
  }
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
  else if (!json) tell(ended.digest);
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
      if (data.status !== 'running' && data.status !== 'queued') return data;
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
      for await (const { event, data, id } of this.#client.events(this.#path)) {
        if (event === 'end') return parsed(data, buildSchema);
        if (event === 'queued') {
          this.#showWait(parsed(data, buildWaitSchema));
          continue;
        }
        at += 1;
        // A server that remembers only the last entries does not begin at 1.
        const number = Number(id) || at;
        if (event !== 'entry' || number <= this.#shown) continue;
        this.#shown = number;
        const entry = parsed(data, buildLogEntrySchema);
        if (entry?.note) this.#progress.note(entry.message);
        else if (entry !== null) this.#progress.step(entry);
      }
    } catch (error) {
      if (!(error instanceof RefusedError && error.status === 404)) throw error;
    }
    return null;
  }

  #showWait(wait: { buildsBefore: number } | null): void {
    if (wait === null) return;
    const builds = wait.buildsBefore === 1 ? '1 build' : `${wait.buildsBefore} builds`;
    this.#progress.step({ phase: 'queue', message: `waits for ${builds} before it` });
  }
}
