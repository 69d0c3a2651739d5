import { hostFileListSchema, hostFileSchema, MOST_SENT_BYTES } from '../contract/host-files.ts';
import { path as localPath } from './arguments.ts';
import { CliError } from './cli-error.ts';
import { type Conditional, segment } from './client.ts';
import type { Cli } from './command.ts';
import { REVISION } from './revision.ts';
import { save } from './save.ts';
import { tableWidth } from './session.ts';
import { table } from './table.ts';
import type { CliWorld } from './world.ts';

/** A path in the system of the host; a shell completes it from those that it has. */
const HOST_PATH = ['<host-path>', 'from the root of the host, as in etc/motd'] as const;
const MAC = ['<mac>', 'any MAC of the host'] as const;
const LATER = 'after its next switch or install';

export function addFile({ program, run }: Cli): void {
  const file = program
    .command('file')
    .description('Files that one host has of its own: network settings, keys, a seed for cloud-init.')
    .helpCommand(false);
  file
    .command('put')
    .description('Give a host a file, or put this one in the place of what it has there.')
    .argument(...MAC)
    .argument(...HOST_PATH)
    .argument('<file>', 'what is in it; - is standard input', localPath)
    .option('--mode <mode>', 'three octal digits (default: as it is, or 0644)')
    .option('--owner <user[:group]>', 'by name, as the host has them (default: as it is, or root)')
    .option(...REVISION)
    .addHelpText(
      'after',
      '\nExample: warmboot file put 52:54:00:12:34:56 root/.ssh/authorized_keys keys.pub --mode 0600',
    )
    .action((mac: string, path: string, from: string, options: PutOptions) =>
      run({}, async ({ client, json, tell, printJson, world }) => {
        const { revision, ...facts } = options;
        const at = address(mac, path);
        const bytes = await contentOf(world, from);
        const query = new URLSearchParams(facts).toString();
        const { raw, data } = await client.put(query ? `${at}?${query}` : at, bytes, hostFileSchema, {
          revision,
        });
        if (json) printJson(raw);
        else tell(`${mac} has ${data.path} (${data.mode}, ${data.owner}, ${data.bytes} bytes) ${LATER}.`);
        return 0;
      }),
    );
  file
    .command('rm')
    .description('Take a file away from a host.')
    .argument(...MAC)
    .argument(...HOST_PATH)
    .option(...REVISION)
    .action((mac: string, path: string, { revision }: Conditional) =>
      run({}, async ({ client, json, tell }) => {
        await client.delete(address(mac, path), { revision });
        if (!json) tell(`${mac} has ${fromRoot(path)} no more ${LATER}.`);
        return 0;
      }),
    );
  file
    .command('list')
    .description('List the files of a host, without what is in them.')
    .argument(...MAC)
    .action((mac: string) =>
      run({}, async ({ client, json, print, printJson, say, world }) => {
        const { raw, data } = await client.get(filesOf(mac), hostFileListSchema);
        if (json) printJson(raw);
        else if (data.files.length === 0) say(`${mac} has no files of its own.`);
        else print(fileTable(data.files, tableWidth(world)));
        return 0;
      }),
    );
  file
    .command('get')
    .description('Show what is in a file of a host, or write it to a file; needs the role admin.')
    .argument(...MAC)
    .argument(...HOST_PATH)
    .argument('[file]', 'for its owner alone; - is standard output', localPath, '-')
    .action((mac: string, path: string, to: string) =>
      run({}, async (session) => {
        const { bytes } = await save(session, address(mac, path), to, 'file', { isSecret: true });
        if (session.json) session.printJson({ file: to, bytes });
        return 0;
      }),
    );
}

interface PutOptions extends Conditional {
  readonly mode?: string;
  readonly owner?: string;
}

export function filesOf(mac: string): string {
  return `/api/v1/hosts/${segment(mac)}/files`;
}

function address(mac: string, path: string): string {
  return `${filesOf(mac)}/${fromRoot(path).split('/').map(part).join('/')}`;
}

/** Many will write it as the host does. */
function fromRoot(path: string): string {
  return path.replace(/^\//, '');
}

function part(text: string): string {
  if (text === '' || text === '.' || text === '..')
    throw new CliError(
      'The path on the host is to be written from its root, as in etc/motd: without "..", ".", "//".',
      2,
    );
  return segment(text);
}

async function contentOf(world: CliWorld, from: string): Promise<Uint8Array<ArrayBuffer>> {
  const file = await world.openFile(from);
  try {
    if (file.sizeBytes <= MOST_SENT_BYTES) return await file.read(0, file.sizeBytes);
    throw new CliError(
      `${from} has ${file.sizeBytes} bytes, and a host's own files take ${MOST_SENT_BYTES} at most. Put what is large into the image.`,
    );
  } finally {
    await file.close();
  }
}

function fileTable(files: (typeof hostFileListSchema)['_output']['files'], fitTo?: number): string {
  return table(
    [
      { title: 'PATH', isDear: true, least: 16 },
      { title: 'MODE' },
      { title: 'OWNER' },
      { title: 'BYTES', align: 'right' },
      { title: 'SHA256', least: 12 },
    ],
    files.map((file) => [file.path, file.mode, file.owner, String(file.bytes), file.sha256]),
    fitTo,
  );
}
