import { type RequestListener, type Server, type ServerResponse, STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';
import { RequestError } from '@hono/node-server';

/** What is no request at all, or one that no route can be found for, is refused in the same form as everything else (RFC 9457). */

const WHY: Readonly<Record<string, readonly [number, string]>> = {
  HPE_HEADER_OVERFLOW: [431, 'The headers are too long: 16 KiB are taken. Send fewer.'],
  HPE_CHUNK_EXTENSIONS_OVERFLOW: [413, 'The chunk extensions are too long. Send none.'],
  ERR_HTTP_REQUEST_TIMEOUT: [408, 'The request did not come in time. Send it again.'],
};
const MALFORMED = [
  400,
  'This is no HTTP request that can be read. Mend its first line or its headers.',
] as const;

const textOf = (status: number, detail: string) =>
  JSON.stringify({ type: 'about:blank', title: STATUS_CODES[status], status, detail });

/** For `getRequestListener`: a Host header or an address that is malformed. What it gets no answer for it answers never. */
export function refuseMalformed(error: unknown): Response {
  const [status, detail]: readonly [number, string] =
    error instanceof RequestError
      ? [400, 'The Host header or the address of the request is malformed. Mend it.']
      : [500, 'The server failed at this request. Try again.'];
  return new Response(textOf(status, detail), {
    status,
    headers: { 'content-type': 'application/problem+json' },
  });
}

/** In the place of Node's own bare answer. */
export function explainUnreadable(server: Server): void {
  server.on(
    'clientError',
    (error: NodeJS.ErrnoException, socket: Socket & { _httpMessage?: ServerResponse }) => {
      if (!socket.writable || socket._httpMessage?.headersSent) return void socket.destroy();
      const [status, detail] = WHY[error.code ?? ''] ?? MALFORMED;
      const body = textOf(status, detail);
      const head = `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\nconnection: close\r\ncontent-type: application/problem+json`;
      socket.end(`${head}\r\ncontent-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`, () =>
        socket.destroy(),
      );
    },
  );
}

/** A request that was read, and of which the server understands too little to go on: its body is not looked at. */
export function refuseUnread(response: ServerResponse, status: number, detail: string): void {
  const body = textOf(status, detail);
  response.writeHead(status, {
    connection: 'close',
    'content-type': 'application/problem+json',
    'content-length': Buffer.byteLength(body),
  });
  response.end(body);
}

/** A body that is compressed on its way (RFC 9112, 6.1). `chunked` alone is read by Node, and undone. */
export function refuseCoded(answer: RequestListener): RequestListener {
  return (request, response) => {
    const coding = request.headers['transfer-encoding']?.trim().toLowerCase() ?? 'chunked';
    if (coding === 'chunked') return answer(request, response);
    const detail =
      'The body is encoded on its way, and only "chunked" is known. Send no other Transfer-Encoding.';
    return refuseUnread(response, 501, detail);
  };
}
