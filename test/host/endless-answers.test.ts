import { readFileSync, statfsSync } from 'node:fs';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import { FakeHost, SHELLS } from './shell.ts';

/** Somebody on the way, or a cache gone mad, who goes on sending: a host's memory and disk get no more of it than was to be expected. */

const MORE = Buffer.alloc(64 * 1024, 'x');

let host: FakeHost;
beforeEach(() => {
  host = new FakeHost();
  host.write('run/work/none', '');
});
afterEach(() => host.remove());

function withoutEnd(response: ServerResponse): void {
  response.writeHead(200);
  const send = () => {
    while (!response.destroyed && response.write(MORE));
  };
  response.on('drain', send);
  send();
}

async function served(answer: (response: ServerResponse) => void): Promise<string> {
  const server = createServer((_, response) => answer(response));
  server.listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

describe.each(SHELLS)('in %s', (...shell) => {
  /** With pauses that are over at once, and a tail that says what became of it. */
  const run = (script: string, env: Record<string, string>) =>
    host.runForReal(shell, `sleep() { :; }; jitter() { echo 0; }; ${script}`, env);

  test('an answer to a question is none, and the next question is answered', async () => {
    let asked = 0;
    const url = await served((response) => {
      asked += 1;
      if (asked === 1) withoutEnd(response);
      else response.end('short');
    });
    const ask = `request 100 "$T/answer" "$SERVER/boot/x"; echo "$? $HTTP_STATUS $(wc -c < "$T/answer")"`;
    const said = await run(`${ask}; ${ask}`, { SERVER: url });
    expect(said.replaceAll(/ +/g, ' ').split('\n')).toEqual(['1 000 2097152', '0 200 5']);
  });

  test('a mirror is left for the server', async () => {
    const mirror = await served(withoutEnd);
    const url = await served((response) => response.end('whole'));
    const said = await run(
      `M_MIRROR=${mirror}; download /boot/x "$T/file" '' 100000; cat "$WB_CONSOLE" "$T/file"`,
      {
        SERVER: url,
      },
    );
    expect(said).toMatch(/the mirror \S+ fails, the server is asked: it is longer than 100000 bytes\n/);
    expect(said).toMatch(/whole$/);
  });

  test('a server is given up, with the reason, and nothing of it stays', async () => {
    const url = await served(withoutEnd);
    const said = await run(
      `(download /boot/x "$T/file" '' 100000); cat "$WB_RUN/work/reason"; ls "$T/file" 2> /dev/null || echo none`,
      { SERVER: url },
    );
    expect(said).toMatch(/\/boot\/x: it is longer than 100000 bytes\nnone$/);
  });

  test('a folder that is not there is not taken for it', async () => {
    const url = await served((response) => response.end(MORE));
    const said = await run(`(download /boot/x "$T/none/file" '' 100000); cat "$WB_RUN/work/reason"`, {
      SERVER: url,
    });
    expect(said).toMatch(/writing file: curl: \(23\)/);
  });

  test('what is exactly as long as it may be is taken', async () => {
    const url = await served((response) => response.end(MORE));
    await run(`download /boot/x "$T/file" '' ${MORE.length}`, { SERVER: url });
    expect(readFileSync(host.path('file')).equals(MORE)).toBe(true);
  });

  test('half of the room may be taken by what has no length of its own', async () => {
    const { bavail, bsize } = statfsSync(host.path('run'));
    const half = Number(await run('half_of_room "$WB_RUN"', {}));
    expect(Math.abs(half / ((bavail * bsize) / 2) - 1)).toBeLessThan(0.05);
  });
});
