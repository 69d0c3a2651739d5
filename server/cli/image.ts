import type { Command } from 'commander';
import { bytes } from '../words/quantity.ts';
import { type ImageName, imageName, path } from './arguments.ts';
import { readCliConfig } from './cli-config.ts';
import { CliError } from './cli-error.ts';
import { Client } from './client.ts';
import type { Cli } from './command.ts';
import { tokenOfNamed } from './find-token.ts';
import { openArchive } from './image-archive.ts';
import { exportImage } from './image-export.ts';
import { removeImage, verifyStore } from './image-store.ts';
import { uploadImage } from './image-upload.ts';
import { transferProgressOn } from './progress.ts';
import { remoteArchive } from './remote-archive.ts';
import { namedServer } from './server-address.ts';
import { trustedFetch } from './server-trust.ts';
import type { GlobalOptions, Session } from './session.ts';
import type { CliWorld } from './world.ts';

/** `warmboot image …`: images as files, to another server, and what keeps the store. */
export function addImage(cli: Cli): void {
  const group = cli.program
    .command('image')
    .description('Images as files for CI, to another server; remove and check them.');
  group
    .command('export')
    .description('Write an image to a file that any server can import.')
    .argument('<image>', 'NAME[:TAG] or digest')
    .argument('<file>', 'the file; - for standard output', path)
    .action((ref: string, file: string) => cli.run({}, (session) => exportImage(session, ref, file)));
  group
    .command('import')
    .description('Store an image from a file; prints its digest.')
    .argument('<file>', 'what `image export` wrote; - for standard input', path)
    .option('--name <name[:tag]>', 'another name than the one in the file', imageName)
    .action((file: string, { name }: { name?: ImageName }) => importImage(cli, file, name ?? null));
  addPush(cli, group);
  addRemove(cli, group);
  addVerify(cli, group);
}

/** Shared with `warmboot images`. */
export function addRemove({ run }: Cli, group: Command): void {
  group
    .command('rm')
    .description('Take a tag away, or all tags of a digest; what nobody needs is removed.')
    .argument('<image...>', 'NAME[:TAG] or digest')
    .action((refs: string[]) => run({}, (session) => removeImage(session, refs)));
}

export function addVerify({ run }: Cli, group: Command): void {
  group
    .command('verify')
    .description('Read all that is stored and name what is damaged; exit code 1 when anything is.')
    .action(() => run({}, verifyStore));
}

interface PushOptions {
  readonly to?: string;
  readonly toToken?: string;
}

function addPush({ run, world, globals }: Cli, group: Command): void {
  group
    .command('push')
    .description('Send an image to another server: only the chunks that it lacks. Prints its digest.')
    .argument('<image>', 'NAME[:TAG] or digest')
    .option('--to <url>', 'admin plane to send it to; it then comes from --server')
    .option('--to-token <token>', 'token for that one (WARMBOOT_TO_TOKEN)')
    .addHelpText(
      'after',
      '\nWithout --to the image goes to --server, and comes from the data folder of this machine.\n' +
        'Example: warmboot image push debian-13 --server http://10.0.0.1:8081 --token "$TOKEN"',
    )
    .action(async (ref: string, { to, toToken }: PushOptions) => {
      if (to !== undefined) {
        const target = namedServer(to, '--to');
        const flag = { value: toToken, name: '--to-token', variable: 'WARMBOOT_TO_TOKEN' };
        const { token, source } = tokenOfNamed(world, flag, null);
        const fetch = await trustedFetch(world, target, { ca: globals().ca });
        const client = new Client({ url: target, token, tokenSource: source, signal: world.signal, fetch });
        return run({}, (session) => push(session, client, ref));
      }
      const client = await serverAsTarget(world, globals());
      return run({ isLocal: true }, (session) => push(session, client, ref));
    });
}

/** `push --server URL`: the server that the command line names is where the image goes. */
async function serverAsTarget(
  world: CliWorld,
  { token: flag, server: flagged, ca, pin }: GlobalOptions,
): Promise<Client> {
  const config = await readCliConfig(world, flagged);
  const ofConfig = [config.server, `"server" in ${config.path}`] as const;
  const isByName = config.chosenBy !== 'file';
  const [url, where] = isByName
    ? ofConfig
    : flagged !== undefined
      ? [flagged, '--server']
      : world.env.WARMBOOT_SERVER
        ? [world.env.WARMBOOT_SERVER, 'WARMBOOT_SERVER']
        : ofConfig;
  if (url === null)
    throw new CliError('say where the image goes: --server URL, or --to URL with --server as its origin.', 2);
  const fromConfig = isByName || (flagged === undefined && !world.env.WARMBOOT_SERVER);
  const found = tokenOfNamed(
    world,
    { value: flag, name: '--token', variable: 'WARMBOOT_TOKEN' },
    fromConfig ? config : null,
  );
  const target = namedServer(url, where);
  const fetch = await trustedFetch(world, target, {
    ca: ca ?? (fromConfig ? (config.ca ?? undefined) : undefined),
    pin,
  });
  return new Client({
    url: target,
    fetch,
    token: found.token,
    tokenSource: found.source,
    signal: world.signal,
  });
}

async function push(session: Session, target: Client, ref: string): Promise<number> {
  const archive = await openArchive(await remoteArchive(session.client, ref), `The image ${ref}`);
  return send(session, target, archive, null);
}

/** The file is looked into first: one that is no image starts no server. */
async function importImage({ world, run }: Cli, file: string, named: ImageName | null): Promise<void> {
  const opened = await world.openFile(file);
  try {
    const archive = await openArchive(opened, file === '-' ? 'Standard input' : file);
    await run({}, (session) => send(session, session.client, archive, named));
  } finally {
    await opened.close();
  }
}

async function send(
  { world, json, print, printJson, remark }: Session,
  target: Client,
  archive: Awaited<ReturnType<typeof openArchive>>,
  named: ImageName | null,
): Promise<number> {
  const { name, tag } = named ?? archive.header;
  if (!name) throw new CliError('the image has no name. Give it one: --name NAME[:TAG].', 2);
  const progress = transferProgressOn(world);
  let sent: Awaited<ReturnType<typeof uploadImage>>;
  try {
    sent = await uploadImage(target, archive, { name, tag: tag || 'latest' }, progress, world.signal);
    progress.end('done');
  } catch (error) {
    progress.end('failed');
    throw error;
  }
  remark(`${sent.sentChunks} of ${archive.frames.size} chunks were sent, ${bytes(sent.sentBytes)} in all.`);
  if (json) printJson(sent.raw);
  else print(`${sent.image.digest}\n`);
  return 0;
}
