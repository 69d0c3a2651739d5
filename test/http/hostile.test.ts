import { existsSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { HOSTILE } from '../fixtures/hostile-texts.ts';
import { saidInventory } from '../fixtures/inventories.ts';
import { Machine } from '../fixtures/machine.ts';
import { type Answer, runningServer, type TestServer } from '../fixtures/running-server.ts';

let server: TestServer;
beforeAll(async () => {
  server = await runningServer();
});
afterAll(() => server.close());

const TEXTS = [
  ...HOSTILE,
  "'; DROP TABLE hosts; --",
  "' OR '1'='1",
  'x\r\nx-injected: yes\r\n\r\n<html>',
  '{{7*7}} ${7*7} <%= 7*7 %> #{7*7} {% debug %}',
  '%s%s%n',
  'null\u0000byte',
  '\ud800 alone',
  '../../../../etc/passwd',
  'file:///dev/zero',
  '\u202eright to left',
  '<script>alert(1)</script>',
  '__proto__',
  'x'.repeat(20_000),
];

/** Whatever was sent: an answer that was meant, and nothing of the server's inside. */
function check(what: string, { status, headers, text }: Answer): void {
  expect([what, status, text.slice(0, 200)]).toEqual([
    what,
    expect.toSatisfy((code) => code < 500 || code === 503),
    expect.anything(),
  ]);
  expect(headers['x-injected'], what).toBeUndefined();
  expect(text, what).not.toMatch(/SQLITE|SqliteError|\.ts:\d|node_modules|\bat .+\(node:/);
  if (status >= 400) expect([what, headers['content-type']]).toEqual([what, 'application/problem+json']);
}

/** A sample of Prometheus' text format whose labels hold words, patterns of routes and numbers, with nothing to escape. */
const SAMPLE = /^[a-z]\w*(?:\{(?:[a-z]\w*="[\w.:+/-]*",?)*\})? (?:-?[\d.e+-]+|NaN|\+Inf)$/;

afterAll(async () => {
  const { text: metrics } = await server.admin('/metrics');
  const samples = metrics.split('\n').filter((line) => line !== '' && !line.startsWith('# '));
  expect(samples.length).toBeGreaterThan(100);
  for (const sample of samples) expect(sample).toMatch(SAMPLE);
  expect(existsSync('/tmp/x')).toBe(false);
  expect(({} as Record<string, unknown>).polluted).toBeUndefined();
  expect((await server.admin('/api/v1/hosts')).status).toBe(200);
  expect((await server.admin('/api/v1/events?limit=1000')).status).toBe(200);
  const db = new Database(join(server.dataDir, 'warmboot.db'), { readonly: true });
  expect(db.pragma('integrity_check', { simple: true })).toBe('ok');
  db.close();
});

// biome-ignore lint/suspicious/noExplicitAny: a JSON schema
type Schema = any;
type Operation = { readonly parameters?: Schema[]; readonly requestBody?: Schema };

/** Something that a schema takes. */
function sample(schema: Schema, all: Schema): unknown {
  if (schema.$ref) return sample(all.components.schemas[schema.$ref.split('/').at(-1)], all);
  const [choice] = schema.anyOf ?? schema.oneOf ?? schema.allOf ?? [];
  if (choice) return sample(choice, all);
  if (schema.const !== undefined) return schema.const;
  if (schema.enum) return schema.enum[0];
  const type = Array.isArray(schema.type) ? schema.type[0] : schema.type;
  if (type === 'array') return [sample(schema.items ?? {}, all)];
  if (type === 'object') {
    const named = Object.entries(schema.properties ?? {}).map(([key, value]) => [key, sample(value, all)]);
    const free =
      typeof schema.additionalProperties === 'object'
        ? [['key', sample(schema.additionalProperties, all)]]
        : [];
    return Object.fromEntries([...named, ...free]);
  }
  if (type === 'integer' || type === 'number') return schema.minimum ?? 1;
  if (type === 'boolean') return false;
  return schema.example ?? 'text';
}

/** The value with each of its texts (and each name that is free) replaced in turn. */
function* replaced(value: unknown, text: string): Generator<unknown> {
  if (typeof value === 'string') yield text;
  else if (Array.isArray(value))
    for (const [at, item] of value.entries())
      for (const other of replaced(item, text)) yield value.with(at, other);
  else if (typeof value === 'object' && value !== null)
    for (const [key, item] of Object.entries(value)) {
      for (const other of replaced(item, text)) yield { ...value, [key]: other };
      if (key === 'key') yield { [text]: item };
    }
}

describe('in every text of every JSON body of the admin plane', () => {
  test('it is taken as text, or refused', async () => {
    const all = (await server.admin('/api/v1/openapi.json')).json;
    let sent = 0;
    for (const [path, methods] of Object.entries<Record<string, Operation>>(all.paths))
      for (const [method, { requestBody }] of Object.entries(methods)) {
        const schema = requestBody?.content?.['application/json']?.schema;
        if (!schema) continue;
        const valid = sample(schema, all);
        const address = path.replaceAll(/\{mac\}/g, '52:54:00:cc:00:01').replaceAll(/\{\w+\}/g, 'x');
        for (const text of TEXTS)
          for (const body of replaced(valid, text)) {
            const how = { method: method.toUpperCase(), body: body as object };
            check(`${method} ${path} ${JSON.stringify(text).slice(0, 60)}`, await server.admin(address, how));
            sent += 1;
          }
      }
    expect(sent).toBeGreaterThan(500);
  });
});

describe('in every part of an address, and every query', () => {
  test('it finds nothing, and breaks nothing', async () => {
    const all = (await server.admin('/api/v1/openapi.json')).json;
    const texts = TEXTS.filter((text) => text.length < 1000 && text !== '' && !text.includes('\ud800'));
    for (const [path, methods] of Object.entries<Record<string, Operation>>(all.paths))
      for (const [method, { parameters = [] }] of Object.entries(methods)) {
        const queries = parameters.filter((parameter) => parameter.in === 'query');
        for (const text of texts) {
          const what = `${method} ${path} ${JSON.stringify(text)}`;
          const address = path.replaceAll(/\{\w+\}/g, encodeURIComponent(text));
          const how = {
            method: method.toUpperCase(),
            ...(!['get', 'delete'].includes(method) && { body: {} }),
          };
          if (address !== path) check(what, await server.admin(address, how));
          for (const { name } of queries)
            check(
              `${what} ?${name}`,
              await server.admin(
                `${path.replaceAll(/\{\w+\}/g, 'x')}?${name}=${encodeURIComponent(text)}`,
                how,
              ),
            );
        }
      }
  });
});

describe('in what machines say', () => {
  test('it is taken as text, or refused', async () => {
    const host = await new Machine(server).enrol();
    await host.claim();
    const said: readonly [string, object][] = [
      ['claims', { attempt: host.attempt, token: 'x'.repeat(32) }],
      ['inventory', saidInventory()],
      [
        'reports',
        {
          attempt: 'a',
          bootId: 'b',
          seq: 1,
          kind: 'failed',
          slot: 'a',
          digest: server.one.digest,
          phase: 'write',
          reason: 'why',
          log: 'lines',
          disk: 'd',
          default: 'a',
          slots: { key: { state: 'valid', digest: 'x' } },
        },
      ],
    ];
    for (const text of TEXTS)
      for (const [path, valid] of said)
        for (const body of replaced(valid, text))
          check(
            `${path} ${JSON.stringify(text).slice(0, 60)}`,
            await host.ask(path, { body: body as object }),
          );
    const texts = TEXTS.filter((text) => text.length < 1000 && !text.includes('\ud800')).map(
      encodeURIComponent,
    );
    for (const text of texts)
      for (const path of [
        `/boot/script?mac=${text}`,
        `/boot/nbp/${text}`,
        `/boot/hosts/${text}/manifest`,
        `/boot/images/${text}/data`,
        `/boot/disks/${text}.img?a=${text}`,
        `/boot/hosts/${host.mac}/layout?bytes=${text}&sector=512`,
        `/boot/hosts/${host.mac}/manifest?wait=${text}`,
      ])
        check(path, await server.boot(path));
  });

  test('what an operator wrote stays text in scripts and manifests', async () => {
    const append = TEXTS.filter((text) => text.length < 1000);
    const host = await new Machine(server).enrol();
    for (const text of append) {
      const { status } = await server.admin(`/api/v1/hosts/${host.mac}`, {
        method: 'PATCH',
        body: { append: text },
      });
      if (status !== 200) continue;
      for (const accept of ['text/plain', 'application/json'])
        expect((await host.ask('manifest', { headers: { accept } })).text).not.toMatch(/[$`]\(|x-injected/);
      expect((await server.boot(`/boot/script?mac=${host.mac}`)).text).not.toMatch(/x-injected|touch \/tmp/);
    }
  });
});

describe('a spoofed MAC', () => {
  test('in header, query and body is worth nothing: the address says who is meant, the token who asks', async () => {
    const [victim, thief] = [
      await (await new Machine(server).enrol()).installed(),
      await (await new Machine(server).enrol()).installed(),
    ];
    const headers = {
      authorization: `Bearer ${thief.token}`,
      'x-forwarded-for': '10.0.0.9',
      'x-mac': victim.mac,
      host: 'victim.example',
    };
    for (const path of ['manifest', `manifest?mac=${thief.mac}`, `manifest?host=${thief.mac}`])
      expect((await victim.ask(path, { headers })).status).toBe(401);
    const report = { ...thief.next({ kind: 'inventory' }), mac: thief.mac, host: thief.mac };
    expect((await victim.ask('reports', { headers, body: report })).status).toBeOneOf([400, 401]);
    expect((await thief.ask('manifest')).json.host).toBe(thief.mac);
  });
});

test('two operators assign different images at once, many times: each answer is true, and one order stands', async () => {
  const host = await (await new Machine(server).enrol()).installed();
  for (let i = 0; i < 20; i += 1) {
    const put = (image: string) =>
      server.admin(`/api/v1/hosts/${host.mac}/os`, { method: 'PUT', body: { image, fresh: true } });
    const answers = await Promise.all([put('one'), put('two')]);
    expect(answers.map(({ status }) => status)).toEqual([202, 202]);
    const now = (await server.admin(`/api/v1/hosts/${host.mac}`)).json;
    expect(answers.map(({ json }) => json.attempt)).toContain(now.attempt.id);
    expect(now.image.digest).toBe(now.attempt.digest);
    const open = (await server.admin(`/api/v1/hosts/${host.mac}/attempts`)).json.attempts.filter(
      ({ outcome }: { outcome: string | null }) => outcome === null,
    );
    expect(open).toHaveLength(1);
  }
});
