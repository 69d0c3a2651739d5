import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { refuseUnread } from './unreadable.ts';

/**
 * `Expect: 100-continue` (RFC 9110, 10.1.1): a client asks before it sends a body. It is invited when somebody begins to read
 * it, and not before: who is refused by its headers, for a wrong token, say, has sent nothing in vain. Node alone would invite each.
 */
export function inviteWhenRead(server: Server): void {
  server.on('checkContinue', (request: IncomingMessage, response: ServerResponse) => {
    const { shouldKeepAlive } = response;
    const read = request._read;
    // Without an invitation nobody knows whether the body comes or the next request does.
    response.shouldKeepAlive = false;
    request._read = (size) => {
      request._read = read;
      if (!response.headersSent) {
        response.shouldKeepAlive = shouldKeepAlive;
        response.writeContinue();
      }
      read.call(request, size);
    };
    server.emit('request', request, response);
  });
  server.on('checkExpectation', ({ headers }: IncomingMessage, response: ServerResponse) => {
    const expected = headers.expect?.slice(0, 64);
    refuseUnread(
      response,
      417,
      `This server cannot do what the header Expect asks for (${expected}). Leave it out, or send "100-continue".`,
    );
  });
}
