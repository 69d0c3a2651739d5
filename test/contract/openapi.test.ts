import { execFile } from 'node:child_process';
import { copyFileSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { Validator } from '@seriousme/openapi-schema-validator';
import openapiTS, { astToString } from 'openapi-typescript';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { ask, newMac, runningServer, type TestServer } from '../fixtures/running-server.ts';

const ROOT = join(import.meta.dirname, '../..');
const FILE = join(ROOT, 'docs/openapi.json');

let server: TestServer;
// biome-ignore lint/suspicious/noExplicitAny: the document is what is looked at
let openapi: any;
beforeAll(async () => {
  server = await runningServer();
  openapi = (await ask(server.running.adminUrl, '/api/v1/openapi.json')).json;
});
afterAll(() => server.close());

test('docs/openapi.json is what the server says. If not: npm run openapi', async () => {
  await expect(`${JSON.stringify(openapi, null, 1)}\n`).toMatchFileSnapshot(FILE);
});

test('it is an OpenAPI 3.1 document', async () => {
  const validator = new Validator();
  const { valid, errors } = await validator.validate(structuredClone(openapi));
  expect([valid, errors]).toEqual([true, undefined]);
  expect(validator.version).toBe('3.1');
});

test('what has a name is never null by itself: a list of attempts holds attempts', () => {
  const nullable = Object.entries<{ type?: unknown }>(openapi.components.schemas).filter(
    ([, { type }]) => Array.isArray(type) && type.includes('null'),
  );
  expect(nullable.map(([name]) => name)).toEqual([]);
});

test('every route has an operationId of its own, a role, and says what it refuses', () => {
  const routes = Object.entries(openapi.paths).flatMap(([path, methods]) =>
    Object.entries(methods as object).map(([method, route]) => ({
      name: `${method} ${path}`,
      method,
      route,
    })),
  );
  const ids = routes.map(({ route }) => route.operationId);
  expect(new Set(ids).size).toBe(routes.length);
  for (const { name, method, route } of routes) {
    expect(route.operationId, name).toMatch(/^[a-z][A-Za-z0-9]+$/);
    if (route.security?.length === 0) expect(route['x-role'], name).toBeUndefined();
    else expect(route['x-role'], name).toMatch(/^(viewer|operator|admin)$/);
    for (const status of ['401', '403', '429', '500', '503'])
      expect(route.responses[status]?.content, name).toHaveProperty(['application/problem+json']);
    const headers = (route.parameters ?? []).map((parameter: { name: string }) => parameter.name);
    expect(headers.includes('Idempotency-Key'), name).toBe(method === 'post');
  }
});

test('a client that a stock generator made of the file is checked by tsc and works', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'warmboot-client-'));
  try {
    symlinkSync(join(ROOT, 'node_modules'), join(folder, 'node_modules'));
    writeFileSync(join(folder, 'api.d.ts'), astToString(await openapiTS(structuredClone(openapi))));
    copyFileSync(
      join(import.meta.dirname, '../fixtures/stock-client/program.ts.txt'),
      join(folder, 'program.ts'),
    );
    writeFileSync(join(folder, 'package.json'), '{"type":"module"}');
    const node = (...args: string[]) => promisify(execFile)(process.execPath, args, { cwd: folder });
    const flags = [
      '--strict',
      '--noEmit',
      '--skipLibCheck',
      '--module',
      'nodenext',
      '--target',
      'es2022',
      '--types',
      'node',
    ];
    await node(join(ROOT, 'node_modules/typescript/bin/tsc'), ...flags, 'program.ts');
    const macs = [newMac(), newMac(), newMac()];
    const said = await node('program.ts', server.running.adminUrl, server.token, ...macs);
    expect(JSON.parse(said.stdout)).toEqual({
      enrolled: macs,
      pages: [[macs[0], macs[1]], [macs[2]]],
      assigned: { status: 202, digest: server.two.digest },
      outdated: [412, 'Precondition Failed'],
      unknown: [404, 'Not Found'],
    });
  } catch (error) {
    // tsc says what is wrong on its standard output.
    throw new Error(`${(error as { stdout?: string }).stdout ?? ''}\n${String(error)}`);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
