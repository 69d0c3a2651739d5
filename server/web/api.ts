import type { HttpBindings } from '@hono/node-server';
import { problemSchema } from '../contract/route.ts';
import { SESSION_COOKIE } from './session-cookie.ts';

/** A refusal of the API, as it is shown. `detail` is one sentence: what, why, what to do. */
export type Problem = { readonly ok: false; readonly status: number; readonly detail: string };

/** What the API answers. `status` tells apart what one route may answer: 200 already so, 202 begun. */
export type Told<T> =
  | { readonly ok: true; readonly status: number; readonly value: T; readonly etag: string | null }
  | Problem;

/** What a page needs of a wire schema. */
type Schema<T> = { parse(value: unknown): T };

/** Values of a query: undefined and '' are left out, lists are repeated. */
export type Query = Readonly<
  Record<string, string | number | boolean | undefined | readonly (string | number)[]>
>;

export type Change = {
  readonly body?: unknown;
  /** Only while the thing has this revision. */
  readonly revision?: string | null | undefined;
  /** Only if there is none yet. */
  readonly isNew?: boolean | undefined;
  /** Carried out once, however often it comes under this key; of a POST. */
  readonly once?: string | null | undefined;
};

/**
 * The API, asked as the browser would ask it: with its session and nothing else of it. Addresses are whole (`/api/v1/…`) and made
 * with `at`, so that what is put into them stays one part of the path.
 */
export type Api = {
  get<T>(path: string, schema: Schema<T>, query?: Query): Promise<Told<T>>;
  post<T>(path: string, schema: Schema<T>, change?: Change): Promise<Told<T>>;
  put<T>(path: string, schema: Schema<T>, change: Change): Promise<Told<T>>;
  /** Changes single fields, and of the objects in it; null takes one away (RFC 7396). */
  patch<T>(path: string, schema: Schema<T>, change: Change): Promise<Told<T>>;
  delete(path: string, change?: Change): Promise<Told<null>>;
  /** The answer as it is, for one that sets a cookie. */
  raw(method: string, path: string, change?: Change): Promise<Response>;
};

/** Answers a request of the API in this process, as one of the same connection. */
export type Ask = (request: Request, env: HttpBindings) => Response | Promise<Response>;

const JSON_TYPE = 'application/json';

/** @param session what the browser's cookie says; null: nobody is logged in */
export function apiOf(ask: Ask, env: HttpBindings, session: string | null): Api {
  async function raw(
    method: string,
    path: string,
    { body, revision, isNew, once }: Change = {},
  ): Promise<Response> {
    const headers = new Headers({ accept: JSON_TYPE });
    if (session !== null) headers.set('cookie', `${SESSION_COOKIE}=${session}`);
    // Whoever comes so far was looked at: a change carries the token of a form that this server made.
    if (method !== 'GET') headers.set('sec-fetch-site', 'same-origin');
    if (body !== undefined)
      headers.set('content-type', method === 'PATCH' ? 'application/merge-patch+json' : JSON_TYPE);
    if (revision) headers.set('if-match', `"${revision}"`);
    if (isNew) headers.set('if-none-match', '*');
    if (once) headers.set('idempotency-key', `"${once}"`);
    const request = new Request(new URL(path, 'http://localhost'), {
      method,
      headers,
      ...(body !== undefined && { body: JSON.stringify(body) }),
    });
    return ask(request, env);
  }

  async function told<T>(method: string, path: string, schema: Schema<T>, change?: Change): Promise<Told<T>> {
    const answer = await raw(method, path, change);
    if (!answer.ok) return refusalOf(answer);
    const value = answer.status === 204 ? null : await answer.json();
    return { ok: true, status: answer.status, value: schema.parse(value), etag: answer.headers.get('etag') };
  }

  return {
    get: (path, schema, query = {}) => told('GET', path + queryText(query), schema),
    post: (path, schema, change) => told('POST', path, schema, change),
    put: (path, schema, change) => told('PUT', path, schema, change),
    patch: (path, schema, change) => told('PATCH', path, schema, change),
    delete: (path, change) => told('DELETE', path, NOTHING, change),
    raw,
  };
}

const NOTHING: Schema<null> = { parse: () => null };

export async function refusalOf(answer: Response): Promise<Problem> {
  const said = problemSchema.safeParse(await answer.json().catch(() => null));
  const detail = said.success ? said.data.detail : 'The server refused and did not say why. Look at its log.';
  return { ok: false, status: answer.status, detail };
}

/** An address with values in it: at`/api/v1/hosts/${mac}/next`. */
export function at(strings: TemplateStringsArray, ...values: readonly string[]): string {
  // A colon may stand in a path as it is, and MACs have many.
  const encoded = values.map((value) => encodeURIComponent(value).replaceAll('%3A', ':'));
  return String.raw({ raw: strings }, ...encoded);
}

/** `?state=active&state=hold`, or nothing. */
export function queryText(query: Query): string {
  const pairs = new URLSearchParams();
  for (const [name, value] of Object.entries(query))
    for (const each of Array.isArray(value) ? value : [value])
      if (each !== undefined && each !== '') pairs.append(name, String(each));
  const text = pairs.toString();
  return text === '' ? '' : `?${text}`;
}
