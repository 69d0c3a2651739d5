import type { HostView, ServerEvent } from './feed.ts';

export interface NewHost {
  readonly macs: readonly string[];
  readonly image?: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly layout?: string;
  /** Which disk the installer takes. */
  readonly disk?: string;
}
export interface Assigned {
  readonly attempt: string | null;
  readonly digest: string;
}

/** An answer of the server that is not a success; `status` and its problem document's sentence. */
export class ApiError extends Error {
  readonly status: number;
  constructor(status: number, what: string, said: string) {
    super(`${what} was answered by ${status}: ${said}`);
    this.status = status;
  }
}

/** Where the server is now and how to prove who we are; both change when it is started again. */
export interface Access {
  readonly adminUrl: string;
  readonly token: string;
}

/** The admin plane as anybody's program would use it. */
export class Api {
  readonly #access: Access;

  constructor(access: Access) {
    this.#access = access;
  }

  async #call<T>(method: string, path: string, body?: unknown): Promise<T> {
    // What is text already is sent as it is.
    const isText = typeof body === 'string';
    const type = isText ? 'application/octet-stream' : 'application/json';
    const response = await fetch(`${this.#access.adminUrl}${path}`, {
      method,
      headers: {
        authorization: `Bearer ${this.#access.token}`,
        ...(body === undefined ? {} : { 'content-type': type }),
      },
      ...(body === undefined ? {} : { body: isText ? body : JSON.stringify(body) }),
      signal: AbortSignal.timeout(30_000),
    });
    const text = await response.text();
    if (!response.ok) throw new ApiError(response.status, `${method} ${path}`, text.slice(0, 500));
    return (text === '' ? undefined : JSON.parse(text)) as T;
  }

  addHost(host: NewHost): Promise<HostView> {
    return this.#call('POST', '/api/v1/hosts', host);
  }
  host(mac: string): Promise<HostView> {
    return this.#call('GET', `/api/v1/hosts/${mac}`);
  }
  removeHost(mac: string): Promise<void> {
    return this.#call('DELETE', `/api/v1/hosts/${mac}`);
  }
  assign(mac: string, image: string): Promise<Assigned> {
    return this.#call('PUT', `/api/v1/hosts/${mac}/os`, { image });
  }
  /** Settings such as `append` or `trialSeconds`. */
  change(mac: string, settings: Readonly<Record<string, unknown>>): Promise<HostView> {
    return this.#call('PATCH', `/api/v1/hosts/${mac}`, settings);
  }
  retry(mac: string): Promise<Assigned> {
    return this.#call('POST', `/api/v1/hosts/${mac}/retry`);
  }
  /** Back to the image that it ran before. */
  rollback(mac: string): Promise<Assigned> {
    return this.#call('POST', `/api/v1/hosts/${mac}/rollback`);
  }
  /** What it would be told now. */
  next(mac: string): Promise<{ readonly action: string; readonly reason: string }> {
    return this.#call('GET', `/api/v1/hosts/${mac}/next`);
  }
  hold(mac: string): Promise<HostView> {
    return this.#call('POST', `/api/v1/hosts/${mac}/hold`, {});
  }
  resume(mac: string): Promise<HostView> {
    return this.#call('POST', `/api/v1/hosts/${mac}/resume`);
  }
  reinstall(mac: string, wipe = false): Promise<void> {
    return this.#call('POST', `/api/v1/hosts/${mac}/reinstall`, { wipe });
  }
  /** @param mode `0644` unless given */
  putFile(mac: string, path: string, content: string, mode = '0644'): Promise<void> {
    return this.#call('PUT', `/api/v1/hosts/${mac}/files/${path}?mode=${mode}`, content);
  }
  files(mac: string): Promise<{ readonly set: { readonly sha256: string } | null }> {
    return this.#call('GET', `/api/v1/hosts/${mac}/files`);
  }
  events(after: number): Promise<{ readonly events: readonly ServerEvent[]; readonly next: number }> {
    return this.#call('GET', `/api/v1/events?after=${after}`);
  }
}
