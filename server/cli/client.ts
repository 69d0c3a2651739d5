import { randomUUID } from 'node:crypto';
import { problemSchema } from '../contract/route.ts';
import { CliError, codeOf, InterruptedError, message, UnreachableError } from './cli-error.ts';
import { type SseEvent, sseEvents } from './sse.ts';
import { clean } from './text.ts';

/** Within this time an answer is there, or the server is away. */
const ANSWER_MS = 60_000;
/** For the last request of a command that was stopped: its user waits for the prompt. */
const TAKE_BACK_MS = 5_000;
const STREAM = 'text/event-stream';
const BYTES = 'application/octet-stream';

/** What a command needs of a wire schema. */
export interface Schema<T> {
  safeParse(value: unknown): { success: true; data: T } | { success: false; error: Error };
}

/** An answer: as the server sent it, for `--json`, and as the contract knows it. */
export interface Answer<T> {
  readonly raw: unknown;
  readonly data: T;
}

export interface ClientOptions {
  /** `http://HOST:PORT`, without a slash at its end. */
  readonly url: string;
  readonly token: string | null;
  /** Shown after a 401: where the token came from, or where one was looked for. */
  readonly tokenSource: string;
  readonly signal: AbortSignal;
  /** How the server is asked; left out: as Node does. */
  readonly fetch?: typeof fetch;
}

/** A refusal by the server; its `detail` is the message. */
export class RefusedError extends CliError {
  readonly status: number;
  constructor(status: number, detail: string) {
    super(detail);
    this.status = status;
  }
}

/** The connection was there and broke off: whether the request was carried out is not known. */
class BrokenError extends UnreachableError {}

/** A change that is made only while the thing has this revision; left out: whatever it has. */
export interface Conditional {
  readonly revision?: number | undefined;
}
export interface SendOptions extends Conditional {
  readonly patienceMs?: number;
}

/** How long a request may take: `until` says it, else a stream's time is its own and any other has `patienceMs`. */
interface FetchOptions {
  readonly content?: AsyncIterable<Uint8Array>;
  readonly patienceMs?: number;
  readonly until?: AbortSignal | null;
}

/** What is posted to get something large, and how long the server may take to begin. */
export interface DownloadOrder {
  readonly body?: unknown;
  readonly patienceMs?: number;
}

/** Speaks to the admin plane. Every failure is a CliError that can be shown as it is. */
export class Client {
  readonly #options: ClientOptions;
  constructor(options: ClientOptions) {
    this.#options = options;
  }

  get<T>(path: string, schema: Schema<T>): Promise<Answer<T>> {
    return this.send('GET', path, schema);
  }

  async send<T>(
    method: string,
    path: string,
    schema: Schema<T>,
    body?: unknown,
    { patienceMs = ANSWER_MS, revision }: SendOptions = {},
  ): Promise<Answer<T>> {
    const headers = { accept: 'application/json', ...ifMatch(revision) };
    const once = async (asked: Readonly<Record<string, string>>): Promise<Answer<T>> => {
      const response = await this.#fetch(method, path, asked, body, { patienceMs });
      const raw = parse(await this.#text(response));
      return { raw, data: this.#read(path, raw, response, schema) };
    };
    if (method !== 'POST') return once(headers);
    // The server carries it out once, however often it comes under this key.
    const keyed = { ...headers, 'idempotency-key': `"${randomUUID()}"` };
    try {
      return await once(keyed);
    } catch (error) {
      if (!(error instanceof BrokenError)) throw error;
      return await once(keyed);
    }
  }

  /** Changes single fields of a thing, and of the objects in it; null takes one away (RFC 7396). */
  async patch<T>(
    path: string,
    schema: Schema<T>,
    changes: unknown,
    { revision }: Conditional = {},
  ): Promise<Answer<T>> {
    const headers = {
      accept: 'application/json',
      'content-type': 'application/merge-patch+json',
      ...ifMatch(revision),
    };
    const response = await this.#fetch('PATCH', path, headers, changes);
    const raw = parse(await this.#text(response));
    return { raw, data: this.#read(path, raw, response, schema) };
  }

  /**
   * Reads a thing, and puts what `change` makes of it in its place, unless another has changed it meanwhile.
   * @throws RefusedError 412 in that case
   */
  async edit<T>(path: string, schema: Schema<T>, change: (now: T) => T): Promise<Answer<T>> {
    const headers = { accept: 'application/json' };
    const found = await this.#fetch('GET', path, headers);
    const before = this.#read(path, parse(await this.#text(found)), found, schema);
    const edition = { ...headers, 'if-match': found.headers.get('etag') ?? '' };
    const stored = await this.#fetch('PUT', path, edition, change(before));
    const raw = parse(await this.#text(stored));
    return { raw, data: this.#read(path, raw, stored, schema) };
  }

  #read<T>(path: string, raw: unknown, response: Response, schema: Schema<T>): T {
    if (raw === undefined) throw this.#foreign(response);
    const read = schema.safeParse(raw);
    if (read.success) return read.data;
    throw new CliError(
      `the server at ${this.#options.url} answers ${path} in a form that this program does not know. Is one of them older? Compare their versions.`,
    );
  }

  /**
   * Sends a body of known length as it is read.
   * @param content what it throws is thrown here
   */
  async upload<T>(
    path: string,
    { content, bytes, type }: { content: AsyncIterable<Uint8Array>; bytes: number; type: string },
    schema: Schema<T>,
  ): Promise<T> {
    let failure: { error: unknown } | null = null;
    async function* watched() {
      try {
        yield* content;
      } catch (error) {
        failure = { error };
        throw error;
      }
    }
    const headers = { accept: 'application/json', 'content-type': type, 'content-length': String(bytes) };
    try {
      const response = await this.#fetch('PUT', path, headers, undefined, { content: watched() });
      return this.#read(path, parse(await this.#text(response)), response, schema);
    } catch (error) {
      throw failure === null ? error : (failure as { error: unknown }).error;
    }
  }

  /** Sends bytes as they are. */
  async put<T>(
    path: string,
    bytes: Uint8Array<ArrayBuffer>,
    schema: Schema<T>,
    { revision }: Conditional = {},
  ): Promise<Answer<T>> {
    const headers = { accept: 'application/json', ...ifMatch(revision) };
    const response = await this.#fetch('PUT', path, headers, bytes);
    const raw = parse(await this.#text(response));
    return { raw, data: this.#read(path, raw, response, schema) };
  }

  /** Asks for bytes; the caller reads the body. */
  fetchBytes(path: string, headers: Readonly<Record<string, string>>): Promise<Response> {
    return this.#fetch('GET', path, { ...headers, accept: BYTES });
  }

  /** Asks for JSON lines, which take as long as they take; the caller reads the body. */
  fetchLines(path: string): Promise<Response> {
    return this.#fetch('GET', path, { accept: 'application/x-ndjson' }, undefined, {
      until: this.#options.signal,
    });
  }

  /** What to throw when reading such a body fails: the server was there, and has its reasons. */
  broken(error: unknown): CliError {
    if (error instanceof CliError) return error;
    if (this.#options.signal.aborted) return new InterruptedError();
    return new UnreachableError(
      `the server at ${this.#options.url} broke off in the middle of its answer (${whyUnreachable(error)}). Its log says why; \`warmboot image verify\` checks the store.`,
    );
  }

  async delete(path: string, { revision }: Conditional = {}): Promise<void> {
    await this.#text(await this.#fetch('DELETE', path, { accept: 'application/json', ...ifMatch(revision) }));
  }

  /**
   * Takes back what this command began at the server, when it fails or Ctrl-C has ended everything else: for that it has a
   * short time of its own. The server lets go of it by itself, later, when this fails too.
   */
  async takeBack(path: string): Promise<void> {
    const until = AbortSignal.timeout(TAKE_BACK_MS);
    await this.#fetch('DELETE', path, { accept: 'application/json' }, undefined, { until }).catch(() => {});
  }

  /** The events of a stream until the server ends it. A stream that breaks throws UnreachableError. */
  async *events(
    path: string,
    headers: Readonly<Record<string, string>> = {},
    method: 'GET' | 'POST' = 'GET',
    until: AbortSignal | null = null,
  ): AsyncGenerator<SseEvent> {
    const response = await this.#fetch(method, path, { ...headers, accept: STREAM }, undefined, { until });
    if (!response.headers.get('content-type')?.startsWith(STREAM) || response.body === null)
      throw this.#foreign(response);
    try {
      yield* sseEvents(response.body);
    } catch (error) {
      throw this.#broken(error);
    }
  }

  /**
   * A large body, as it comes. Only the wait for its beginning has a time-out.
   * @returns its length as the server says it, and its parts; these throw UnreachableError when the connection breaks
   */
  async download(
    path: string,
    { body, patienceMs = ANSWER_MS }: DownloadOrder = {},
  ): Promise<{ bytes: number; parts: AsyncIterable<Uint8Array> }> {
    const late = new AbortController();
    const timer = setTimeout(() => late.abort(new DOMException('no answer', 'TimeoutError')), patienceMs);
    const until = AbortSignal.any([this.#options.signal, late.signal]);
    const method = body === undefined ? 'GET' : 'POST';
    const response = await this.#fetch(method, path, { accept: '*/*' }, body, { until }).finally(() =>
      clearTimeout(timer),
    );
    const length = response.headers.get('content-length') ?? '';
    if (response.body === null || !/^\d+$/.test(length)) throw this.#foreign(response);
    return { bytes: Number(length), parts: this.#parts(response.body) };
  }

  async *#parts(body: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    try {
      yield* body;
    } catch (error) {
      throw this.broken(error);
    }
  }

  async #fetch(
    method: string,
    path: string,
    asked: Readonly<Record<string, string>>,
    body?: unknown,
    { content, patienceMs = ANSWER_MS, until = null }: FetchOptions = {},
  ): Promise<Response> {
    const { url, token, signal, fetch = globalThis.fetch } = this.#options;
    const headers = new Headers(asked);
    if (token !== null) headers.set('authorization', `Bearer ${token}`);
    const isBytes = body instanceof Uint8Array;
    if (body !== undefined && !headers.has('content-type'))
      headers.set('content-type', isBytes ? BYTES : 'application/json');
    // A stream lasts as long as it lasts, in either direction.
    const isStream = asked.accept === STREAM || asked.accept === BYTES || content !== undefined;
    const limit = until ?? (isStream ? signal : AbortSignal.any([signal, AbortSignal.timeout(patienceMs)]));
    let response: Response;
    try {
      response = await fetch(url + path, {
        method,
        headers,
        signal: limit,
        redirect: 'manual',
        ...(body === undefined
          ? {}
          : { body: isBytes ? (body as Uint8Array<ArrayBuffer>) : JSON.stringify(body) }),
        ...(content === undefined ? {} : ({ body: content, duplex: 'half' } as unknown as RequestInit)),
      });
    } catch (error) {
      throw this.#broken(error);
    }
    if (!response.ok) throw await this.#refusal(response);
    return response;
  }

  async #text(response: Response): Promise<string> {
    try {
      return await response.text();
    } catch (error) {
      throw this.#broken(error);
    }
  }

  async #refusal(response: Response): Promise<CliError> {
    const problem = problemSchema.safeParse(parse(await this.#text(response)));
    if (!problem.success) return this.#foreign(response);
    const detail = clean(problem.data.detail || problem.data.title);
    return new RefusedError(
      response.status,
      response.status === 401 ? `${detail} ${this.#options.tokenSource}` : detail,
    );
  }

  #foreign(response: Response): CliError {
    const type = clean(response.headers.get('content-type') ?? 'no content type');
    return new CliError(
      `${this.#options.url} does not answer like a Warmboot server (HTTP ${response.status}, ${type}). Is it the address of its admin plane?`,
    );
  }

  #broken(error: unknown): CliError {
    if (error instanceof CliError) return error;
    if (this.#options.signal.aborted) return new InterruptedError();
    const why = whyUnreachable(error);
    const kind = why === BROKE_OFF ? BrokenError : UnreachableError;
    return new kind(
      `the server at ${this.#options.url} cannot be reached: ${why}. Is it running, and is this its admin address (--server, WARMBOOT_SERVER)?`,
    );
  }
}

function ifMatch(revision: number | undefined): Record<string, string> {
  return revision === undefined ? {} : { 'if-match': `"${revision}"` };
}

/** One step of an address, so that no name can leave its place in it. */
export function segment(text: string): string {
  if (text === '' || text === '.' || text === '..') throw new CliError(`"${text}" names nothing.`, 2);
  return encodeURIComponent(text);
}

/** The data of a stream's event; null for what this program does not know. */
export function parsed<T>(text: string, schema: Schema<T>): T | null {
  const read = schema.safeParse(parse(text));
  return read.success ? read.data : null;
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

const UNKNOWN_AUTHORITY =
  'its certificate comes from an authority that is not known here; name it with --ca (of a Warmboot server: DATA/keys/tls/ca.pem)';

const BROKE_OFF = 'the connection broke off';
const REASONS: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'nothing listens there',
  ECONNRESET: BROKE_OFF,
  UND_ERR_SOCKET: BROKE_OFF,
  ENOTFOUND: 'its name is not known',
  EAI_AGAIN: 'its name cannot be looked up now',
  EHOSTUNREACH: 'there is no way to it',
  ENETUNREACH: 'there is no way to it',
  ETIMEDOUT: 'it does not answer',
  UND_ERR_CONNECT_TIMEOUT: 'it does not answer',
  UND_ERR_HEADERS_TIMEOUT: 'it does not answer',
  UND_ERR_BODY_TIMEOUT: 'it fell silent',
  DEPTH_ZERO_SELF_SIGNED_CERT: UNKNOWN_AUTHORITY,
  SELF_SIGNED_CERT_IN_CHAIN: UNKNOWN_AUTHORITY,
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: UNKNOWN_AUTHORITY,
  UNABLE_TO_GET_ISSUER_CERT: UNKNOWN_AUTHORITY,
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: UNKNOWN_AUTHORITY,
  CERT_SIGNATURE_FAILURE: UNKNOWN_AUTHORITY,
  CERT_HAS_EXPIRED: 'its certificate has ended',
  CERT_NOT_YET_VALID: 'its certificate is not yet valid: is the clock of this machine right',
  ERR_TLS_CERT_ALTNAME_INVALID: 'its certificate is for another name',
  EPROTO: 'it does not speak TLS: an address of plain HTTP begins with http://',
  ERR_SSL_WRONG_VERSION_NUMBER: 'it does not speak TLS: an address of plain HTTP begins with http://',
};

/** fetch says "fetch failed"; the causes below it, of which there may be one for each address, say why. */
function whyUnreachable(error: unknown): string {
  const causes: unknown[] = [];
  for (let at = error; at instanceof Error && causes.length < 10; at = at.cause) {
    if (at instanceof AggregateError) causes.push(...at.errors);
    causes.push(at);
  }
  for (const cause of causes) {
    if (cause instanceof Error && cause.name === 'TimeoutError') return 'it does not answer';
    const reason = REASONS[codeOf(cause) ?? ''];
    if (reason !== undefined) return reason;
  }
  return clean(message(causes.at(-1)));
}
