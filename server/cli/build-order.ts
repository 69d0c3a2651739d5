import { readFile } from 'node:fs/promises';
import path from 'node:path';
import type { NewBuild } from '../contract/builds.ts';
import { type DockerContext, openContext } from '../docker-context/open-context.ts';
import { CliError, codeOf, message } from './cli-error.ts';
import type { CliWorld } from './world.ts';

/** Options of `build`, as commander gives them. */
export interface BuildFlags {
  readonly tag?: string;
  readonly file?: string;
  readonly context?: string;
  readonly buildArg?: readonly string[];
  readonly secret?: readonly string[];
  readonly target?: string;
  readonly from?: string;
  readonly filesystem?: 'ext4' | 'xfs';
  readonly size?: string;
  readonly append?: string;
  readonly addAgent?: boolean;
}

/** Docker takes no larger ones. */
const MAX_SECRET_BYTES = 500 * 1024;
const EXIT_USAGE = 2;

/**
 * What the flags order, all but the context's digest; what they name on this machine is read.
 * @returns the order, and the context that must be sent with it; null: the server has what it needs
 * @throws CliError, WarmbootError
 */
export async function readOrder(
  name: string,
  flags: BuildFlags,
  world: CliWorld,
): Promise<{ order: NewBuild; context: DockerContext | null }> {
  const { tag, file, from, target, filesystem, size, append, addAgent } = flags;
  if (from !== undefined) refuseWithFrom(flags);
  const buildArguments = argumentsOf(flags.buildArg ?? [], world);
  const secrets = await secretsOf(flags.secret ?? [], world);
  const isSent = flags.context !== undefined || file !== undefined;
  const context = isSent ? await openContext(flags.context ?? path.dirname(file ?? '.'), file) : null;
  const order: NewBuild = {
    name,
    ...given({ tag, from, target, filesystem, size, append, addAgent }),
    ...(Object.keys(buildArguments).length > 0 && { buildArguments }),
    ...(Object.keys(secrets).length > 0 && { secrets }),
    ...(context && { dockerfile: context.dockerfile }),
  };
  return { order, context };
}

function refuseWithFrom(flags: BuildFlags): void {
  const foreign = (['file', 'context', 'buildArg', 'secret', 'target'] as const).find(
    (key) => flags[key] !== undefined,
  );
  if (foreign === undefined) return;
  const flag = foreign === 'buildArg' ? 'build-arg' : foreign;
  throw new CliError(
    `--from takes a finished image as it is, so --${flag} has no place beside it. Leave one of them out.`,
    EXIT_USAGE,
  );
}

/** `K=V`, or `K` alone for what the environment says (nothing, where it says nothing): as docker build does. */
function argumentsOf(texts: readonly string[], { env }: CliWorld): Record<string, string> {
  const found = new Map<string, string>();
  for (const text of texts) {
    const equals = text.indexOf('=');
    const key = equals === -1 ? text : text.slice(0, equals);
    const value = equals === -1 ? variableOf(env, key) : text.slice(equals + 1);
    if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(key))
      throw new CliError(`--build-arg ${text} is not NAME=VALUE.`, EXIT_USAGE);
    if (value !== undefined) found.set(key, value);
  }
  return Object.fromEntries(found);
}

/** `id=ID` with `src=PATH` or `env=NAME`; alone it is the variable ID. @returns base64 by id */
async function secretsOf(texts: readonly string[], world: CliWorld): Promise<Record<string, string>> {
  const found = new Map<string, string>();
  for (const text of texts) {
    const fields = new Map(text.split(',').map((part) => pair(part)));
    const id = fields.get('id');
    const file = fields.get('src') ?? fields.get('source');
    const unknown = [...fields.keys()].find((key) => !['id', 'src', 'source', 'env'].includes(key));
    // The text itself is not repeated: somebody may have written the secret there.
    if (!id || unknown !== undefined || (file !== undefined && fields.has('env')))
      throw new CliError('--secret is id=ID,src=FILE or id=ID,env=NAME.', EXIT_USAGE);
    const secret =
      file === undefined ? fromEnvironment(id, fields.get('env') ?? id, world) : await fromFile(id, file);
    if (secret.length > MAX_SECRET_BYTES)
      throw new CliError(`the secret ${id} is larger than 500 KiB, which is what Docker takes.`);
    found.set(id, secret.toString('base64'));
  }
  return Object.fromEntries(found);
}

function pair(part: string): [string, string] {
  const equals = part.indexOf('=');
  return equals === -1 ? [part, ''] : [part.slice(0, equals), part.slice(equals + 1)];
}

function fromEnvironment(id: string, variable: string, { env }: CliWorld): Buffer {
  const value = variableOf(env, variable);
  if (value === undefined)
    throw new CliError(
      `the secret ${id} is not there: the variable ${variable} is not set. Set it, or give --secret id=${id},src=FILE.`,
    );
  return Buffer.from(value);
}

/** The environment is an object: `constructor` is no variable of it. */
function variableOf(env: CliWorld['env'], name: string): string | undefined {
  return Object.hasOwn(env, name) ? env[name] : undefined;
}

async function fromFile(id: string, file: string): Promise<Buffer> {
  return readFile(file).catch((error: unknown) => {
    const why = codeOf(error) === 'ENOENT' ? `${file} does not exist` : message(error);
    throw new CliError(`the secret ${id} cannot be read: ${why}.`);
  });
}

/** Without what is undefined. */
function given<T extends object>(values: T): { [Key in keyof T]?: Exclude<T[Key], undefined> } {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as never;
}
