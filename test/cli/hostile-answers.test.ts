import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { COMPLETE } from '../../server/cli/completion.ts';
import { MAC, ONE } from './records.ts';
import { NOW, run } from './run.ts';

/**
 * Every command, against a server that puts into each text of its answers what a terminal would obey. The answers are made from
 * the OpenAPI file, so that a field or a command that comes later is met too.
 */

const EVIL = [
  'x\x1b[2J\x1b[1;1H',
  '\x1b]52;c;cm0gLXJmIC8=\x07',
  '\x9b31m',
  '\u202etxt.exe',
  'y\rroot@server # ',
  '\nroot@server # ',
].join('');
/** As long as the name of a label may be. */
const EVIL_NAME = 'k\x1b[2J\x9b31m\u202ey\rroot@server # ';
/** Where a text has a form. */
const FORMED = ['some', '10%', 'http://mirror.example/x', ONE];

// biome-ignore lint/suspicious/noExplicitAny: a JSON schema
type Schema = any;
const openapi: Schema = JSON.parse(readFileSync(new URL('../../docs/openapi.json', import.meta.url), 'utf8'));

/** What the file does not say of a schema: a rule gives what it gives to hosts that it enrols. */
const MORE: Readonly<Record<string, object>> = {
  DiscoveryRule: { action: 'enrol', match: { vendor: EVIL, subnet: '10.0.0.0/16' } },
};

/** Something that fits a schema, evil wherever it may be. @param turn which of several choices: it counts on */
function sample(schema: Schema, turn: number, name = ''): unknown {
  if (schema.$ref) {
    const name = schema.$ref.split('/').at(-1);
    const made = sample(openapi.components.schemas[name], turn);
    return MORE[name] ? { ...(made as object), ...MORE[name] } : made;
  }
  if (schema.allOf) return Object.assign({}, ...schema.allOf.map((part: Schema) => sample(part, turn, name)));
  const choices = schema.anyOf ?? schema.oneOf;
  if (choices) return sample(choices[turn % choices.length], turn, name);
  if (schema.const !== undefined) return schema.const;
  if (schema.enum) return schema.enum[turn % schema.enum.length];
  const types = [schema.type].flat();
  // A list must end; and what may be null is so every other time.
  if (types.includes('null') && (name === 'next' || turn % 2 === 1)) return null;
  switch (types[0]) {
    case 'array':
      return [sample(schema.items ?? {}, turn)];
    case 'object': {
      const named = Object.entries(schema.properties ?? {}).map(([key, value]) => [
        key,
        sample(value, turn, key),
      ]);
      const free = schema.additionalProperties;
      if (free) named.push([EVIL_NAME, typeof free === 'object' ? sample(free, turn) : EVIL]);
      return Object.fromEntries(named);
    }
    case 'integer':
    case 'number':
      return Math.max(
        schema.minimum ?? 1,
        Math.min(schema.maximum ?? NOW, /at$|seen$/i.test(name) ? NOW : 1),
      );
    case 'boolean':
      return turn % 2 === 0;
    default:
      if (schema.pattern) return FORMED.find((text) => new RegExp(schema.pattern).test(text));
      return EVIL.slice(0, schema.maxLength);
  }
}

const named = (name: string, turn: number) => sample({ $ref: `#/components/schemas/${name}` }, turn);
const sse = (...events: readonly (readonly [string, unknown])[]) =>
  events
    .map(([event, data], at) => `id: ${at + 1}\nevent: ${event}\ndata: ${JSON.stringify(data)}\n\n`)
    .join('');

/** What streams, by the end of its address. */
const STREAMS: Readonly<Record<string, (turn: number) => string>> = {
  '/events': (turn) =>
    sse(
      ['event', { ...(named('Event', turn) as object), id: 7 }],
      ['gap', { after: 7, next: 9, reason: EVIL }],
    ),
  '/log': (turn) =>
    sse(
      ['queued', { buildsBefore: 1 }],
      ['entry', { phase: EVIL, message: EVIL }],
      ['entry', { phase: EVIL, message: EVIL, note: true }],
      ['end', named('Build', turn)],
    ),
  '/verify': (turn) =>
    sse(
      ['progress', { chunks: 1, bytesDone: 1, bytesTotal: 2 }],
      turn === 1 ? ['refused', { detail: EVIL }] : ['end', named('StoreCheck', turn)],
    ),
};

let turn = 0;
let isRefusing = false;
let url: string;
const folder = mkdtempSync(join(tmpdir(), 'warmboot-answers-'));
const server = createServer((request, response) => {
  request.resume();
  const path = (request.url ?? '').split('?')[0] ?? '';
  const json = (status: number, value: unknown, type = 'application/json') => {
    response.writeHead(status, { 'content-type': type, etag: '"1"' });
    response.end(JSON.stringify(value));
  };
  if (path === '/healthz') return json(200, { status: 'ok', instance: 'x' });
  if (isRefusing)
    return json(409, { type: EVIL, title: EVIL, status: 409, detail: EVIL }, 'application/problem+json');
  if (request.headers.accept?.includes('text/event-stream')) return stream(response, path);
  const operation = operationAt(request.method ?? '', path);
  const [status = '204', answer] =
    Object.entries<Schema>(operation?.responses ?? {})
      .filter(([code]) => code.startsWith('2'))
      .at(request.url?.includes('dryRun') ? 0 : -1) ?? [];
  const schema = answer?.content?.['application/json']?.schema;
  if (schema) return json(Number(status), sample(schema, turn));
  response.writeHead(Number(status)).end();
});

function stream(response: ServerResponse, path: string): void {
  const [, made] = Object.entries(STREAMS).find(([end]) => path.endsWith(end)) ?? [];
  response.writeHead(200, { 'content-type': 'text/event-stream' });
  response.end(made?.(turn));
}

function operationAt(method: string, path: string): Schema {
  const fits = Object.entries<Schema>(openapi.paths).filter(([template, methods]) => {
    const whole = template.replaceAll('.', '\\.').replaceAll('{path}', '.+');
    const pattern = whole.replaceAll(/\{[^}]+\}/g, '[^/]+');
    return new RegExp(`^${pattern}$`).test(path) && methods[method.toLowerCase()];
  });
  return fits[0]?.[1][method.toLowerCase()];
}

beforeAll(async () => {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  writeFileSync(join(folder, 'Dockerfile'), 'FROM scratch\n');
  writeFileSync(join(folder, 'rules.json'), JSON.stringify({ rules: [] }));
});
afterAll(() => {
  server.closeAllConnections();
  server.close();
  rmSync(folder, { recursive: true });
});

const FOLLOWS = 500;
/** Each command and way to show something. Those that go on for ever are interrupted. */
const COMMANDS: readonly string[] = [
  'status',
  'build web',
  'build web --context FOLDER',
  'images',
  'image export one FOLDER/out',
  'image rm one',
  'image verify',
  'image push one --to URL --to-token x',
  'images rm one',
  'images verify',
  'enrol MAC',
  'approve MAC',
  'ignore MAC',
  'discovery',
  'discovery rule new --enrol',
  'discovery drop some',
  'discovery set --otherwise ignore',
  'discovery load FOLDER/rules.json',
  'hosts',
  'hosts --label a=b',
  'hosts --watch',
  'host MAC',
  'host MAC --watch',
  'label MAC a=b',
  'label a=b c-',
  'set MAC --append quiet',
  'file list MAC',
  'file put MAC etc/motd FOLDER/rules.json',
  'file rm MAC etc/motd',
  'file get MAC etc/motd FOLDER/file',
  'profile list',
  'profile show some',
  'profile set some --append quiet',
  'profile rm some',
  'assign MAC one',
  'assign a=b one',
  'assign MAC one --wait',
  'rollout start one --selector a=b',
  'rollout start one --selector a=b --dry-run',
  'rollout list',
  'rollout show 1',
  'rollout pause 1',
  'rollout resume 1',
  'rollout abort 1',
  'rollout rollback 1',
  'retry MAC',
  'reinstall MAC',
  'rollback MAC',
  'hold MAC',
  'resume MAC',
  'retire MAC',
  'release MAC',
  'remove MAC',
  'events',
  'events --follow',
  'events --host MAC',
  'disk two-slots --slot a=one -o FOLDER/disk',
  'token create some --role viewer',
  'token list',
  'token revoke some',
  'key list',
  'key rotate',
  'key drop x',
  'webhook list',
  'webhook add http://hook.example/',
  'webhook show 1',
  'webhook enable 1',
  'webhook disable 1',
  'webhook rm 1',
  'webhook test 1',
  'backup FOLDER/backup',
  `${COMPLETE} assign MAC `,
  `${COMPLETE} host `,
  `${COMPLETE} file rm MAC `,
];

/** They speak to no server, or become one. */
const OTHERS = [
  'serve',
  'doctor',
  'restore',
  'completion bash',
  'completion zsh',
  'completion fish',
  'image import',
];

const wordsOf = (command: string) =>
  command
    .split(' ')
    .map((word) => word.replace('FOLDER', folder).replace(/^MAC$/, MAC).replace(/^URL$/, url));

const GOES_ON = /--(watch|follow|wait)/;

async function said(command: string, more: readonly string[] = [], columns?: number) {
  const argv = command.startsWith(COMPLETE)
    ? [COMPLETE, '--server', url, ...wordsOf(command).slice(1)]
    : [...wordsOf(command), ...more, '--server', url];
  const signal = GOES_ON.test(command) ? { signal: AbortSignal.timeout(FOLLOWS) } : {};
  return run(argv, { env: { WARMBOOT_TOKEN: 'x' }, ...signal, ...(columns && { columns }) });
}

/** Tabs stand between a word that a shell is offered and what it is. */
const OBEYED = /[^\P{Cc}\n\t]|\p{Bidi_Control}/u;

/** A build that failed says so in lines: those of the step that failed. */
const IN_LINES = /^build /;

async function isHarmless(command: string): Promise<void> {
  const { code, stdout, stderr } = await said(command);
  expect([code, stderr]).toEqual([
    expect.toBeOneOf([0, 1, 130]),
    expect.not.stringContaining('should not happen'),
  ]);
  // A form that is not known would show nothing of what is looked for.
  expect(stderr).not.toMatch(/does not know|Usage:|error: /);
  expect(stdout + stderr).not.toMatch(OBEYED);
  if (!IN_LINES.test(command))
    expect(`${stdout}\n${stderr}`.split('\n').filter((line) => line.startsWith('root@'))).toEqual([]);
}

test.each(COMMANDS)('%s', async (command) => {
  for (turn of [0, 1, 2, 3]) {
    await isHarmless(command);
    const { stdout } = await said(command, ['--json']);
    expect(stdout).not.toMatch(OBEYED);
    // What is watched is drawn over what was there.
    if (!GOES_ON.test(command)) expect((await said(command, [], 60)).stdout).not.toMatch(OBEYED);
  }
});

test.each(COMMANDS)('%s, refused', async (command) => {
  isRefusing = true;
  try {
    await isHarmless(command);
  } finally {
    isRefusing = false;
  }
});

test('these are all the commands there are', async () => {
  const below = async (...words: string[]): Promise<string[]> => {
    const { stdout } = await run([COMPLETE, ...words, '']);
    return stdout.split('\n').flatMap((line) => line.split('\t')[0]?.replace(/^(help|:files)$/, '') || []);
  };
  const all: string[] = [];
  for (const command of await below()) {
    const inside = await below(command);
    all.push(command, ...inside.map((each) => `${command} ${each}`));
  }
  expect(all).toContain('hosts');
  expect(
    all.filter((each) => ![...COMMANDS, ...OTHERS].some((known) => `${known} `.startsWith(`${each} `))),
  ).toEqual([]);
});
