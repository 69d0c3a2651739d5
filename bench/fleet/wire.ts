import { connect } from 'node:net';

/** One HTTP request on a connection of its own, as curl on a host makes it: what a host costs the server, and little of the client's own. */

export type Ask = {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  readonly path: string;
  readonly token?: string | null;
  readonly headers?: Readonly<Record<string, string>>;
  /** Sent as JSON. */
  readonly body?: unknown;
  /** Milliseconds until it is given up; left out: 30 s. */
  readonly patienceMs?: number;
};

export type Answer = {
  readonly status: number;
  readonly headers: ReadonlyMap<string, string>;
  readonly body: Buffer;
  /** From the first byte sent to the last one received. */
  readonly ms: number;
};

/** A server's address on loopback. */
export type At = { readonly host: string; readonly port: number };

const END_OF_HEAD = Buffer.from('\r\n\r\n');

/**
 * @param from the client's own address on loopback: one address has some 28,000 ports
 * @throws Error when the connection is refused, cut, or silent for too long
 */
export function ask(at: At, wish: Ask, from = '127.0.0.1'): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const began = performance.now();
    const socket = connect({ host: at.host, port: at.port, localAddress: from, noDelay: true });
    const parts: Buffer[] = [];
    let head: { status: number; headers: Map<string, string>; start: number; end: number } | null = null;
    let size = 0;
    const giveUp = (error: Error) => {
      clearTimeout(timer);
      socket.destroy();
      reject(error);
    };
    const timer = setTimeout(() => giveUp(new Error('no answer in time')), wish.patienceMs ?? 30_000);
    const finish = () => {
      if (!head) return giveUp(new Error('the connection was cut'));
      clearTimeout(timer);
      socket.destroy();
      const body = Buffer.concat(parts).subarray(head.start, Math.min(head.end, size));
      if (Number.isFinite(head.end) && size < head.end) return reject(new Error('the answer was cut'));
      resolve({ status: head.status, headers: head.headers, body, ms: performance.now() - began });
    };
    socket.on('data', (part) => {
      parts.push(part);
      size += part.length;
      head ??= parseHead(parts.length === 1 ? part : Buffer.concat(parts));
      if (head && size >= head.end) finish();
    });
    socket.on('error', giveUp);
    socket.on('end', finish);
    socket.write(requestText(at, wish));
  });
}

function requestText({ host, port }: At, { method, path, token, headers = {}, body }: Ask): string {
  const content = body === undefined ? '' : JSON.stringify(body);
  const lines = [`${method} ${path} HTTP/1.1`, `host: ${host}:${port}`, 'user-agent: fleet'];
  if (token) lines.push(`authorization: Bearer ${token}`);
  for (const [name, value] of Object.entries(headers)) lines.push(`${name}: ${value}`);
  if (body !== undefined)
    lines.push('content-type: application/json', `content-length: ${Buffer.byteLength(content)}`);
  return `${lines.join('\r\n')}\r\n\r\n${content}`;
}

/** Bodies come with a length, or end with the connection: the server streams nothing that hosts ask for. */
function parseHead(bytes: Buffer) {
  const split = bytes.indexOf(END_OF_HEAD);
  if (split === -1) return null;
  const [first = '', ...lines] = bytes.subarray(0, split).toString('latin1').split('\r\n');
  const headers = new Map(
    lines.map((line) => {
      const colon = line.indexOf(':');
      return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()] as const;
    }),
  );
  const status = Number(first.split(' ')[1]);
  const start = split + END_OF_HEAD.length;
  const length = headers.get('content-length');
  const end =
    status === 304 || status === 204 ? start : length === undefined ? Infinity : start + Number(length);
  return { status, headers, start, end };
}
