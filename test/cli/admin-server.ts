import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { onTestFinished } from 'vitest';

/** A request as the admin plane got it. */
interface Asked {
  readonly method: string;
  /** With its query, as it was sent. */
  readonly path: string;
  readonly headers: IncomingMessage['headers'];
  readonly body: unknown;
}

export type Route = (asked: Asked, response: ServerResponse) => unknown;

export interface AdminServer {
  readonly url: string;
  readonly asked: Asked[];
  /** Routes by `METHOD /path` without query; may be changed while it runs. */
  readonly routes: Record<string, Route>;
  close(): Promise<void>;
}

export const INSTANCE = 'instance-of-the-test';

/**
 * A small admin plane for one test: what a route returns is sent as JSON; undefined, and the route has answered
 * itself. A path without a route is a 404 problem.
 */
export async function adminServer(routes: Record<string, Route> = {}): Promise<AdminServer> {
  const asked: Asked[] = [];
  const all: Record<string, Route> = {
    'GET /healthz': () => ({ status: 'ok', instance: INSTANCE }),
    ...routes,
  };
  const server = createServer(async (request, response) => {
    const text = await textOf(request);
    const one = {
      method: request.method ?? '',
      path: request.url ?? '',
      headers: request.headers,
      body: text === '' ? undefined : (JSON.parse(text) as unknown),
    };
    asked.push(one);
    const route = all[`${one.method} ${one.path.split('?')[0]}`];
    if (!route) return problem(response, 404, `There is nothing at ${one.path}.`);
    const answer = await route(one, response);
    if (answer === undefined) return;
    response.setHeader('content-type', 'application/json');
    response.end(JSON.stringify(answer));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const close = (): Promise<void> =>
    new Promise((resolve) => {
      server.close(() => resolve());
      server.closeAllConnections();
    });
  onTestFinished(close);
  const { port } = server.address() as AddressInfo;
  return { url: `http://127.0.0.1:${port}`, asked, routes: all, close };
}

export function problem(response: ServerResponse, status: number, detail: string): undefined {
  response.writeHead(status, { 'content-type': 'application/problem+json' });
  response.end(JSON.stringify({ type: 'about:blank', title: 'Refused', status, detail }));
  return undefined;
}

/** Answers with a stream: each text is sent as it is. `last` is what becomes of it. */
export function stream(
  response: ServerResponse,
  texts: readonly string[],
  last: 'end' | 'break' | 'stay',
): undefined {
  response.writeHead(200, { 'content-type': 'text/event-stream; charset=utf-8' });
  for (const text of texts) response.write(text);
  if (last === 'end') response.end();
  // Later, so that what was written is on its way.
  if (last === 'break') setTimeout(() => response.destroy(), 20);
  return undefined;
}

export function sseText(event: string, data: unknown, id?: number): string {
  return `event: ${event}\n${id === undefined ? '' : `id: ${id}\n`}data: ${JSON.stringify(data)}\n\n`;
}

async function textOf(request: IncomingMessage): Promise<string> {
  let text = '';
  for await (const piece of request.setEncoding('utf8')) text += piece;
  return text;
}
