import { readdirSync, readFileSync, statSync } from 'node:fs';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterEach, beforeAll, beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import { makeHelper } from '../fixtures/helper.ts';
import { FakeHost, SHELLS } from './shell.ts';

/** Somebody on the way, or a cache gone mad, who goes on sending: a host's memory and disk get no more of it than was to be expected. */

const MORE = Buffer.alloc(64 * 1024, 'x');

let helper: string;
beforeAll(async () => {
  helper = await makeHelper('all');
});

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

const bytesIn = (folder: string) =>
  readdirSync(folder)
    .map((name) => statSync(join(folder, name)))
    .reduce((sum, found) => sum + (found.isFile() ? found.size : 0), 0);

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
    const exact = Buffer.concat([MORE, Buffer.from('y')]);
    const url = await served((response) => response.end(exact));
    await run(`download /boot/x "$T/file" '' ${exact.length}`, { SERVER: url });
    expect(readFileSync(host.path('file')).equals(exact)).toBe(true);
  });

  test('where no length is known there is no bound', async () => {
    const url = await served((response) => response.end(MORE));
    await run(`download /boot/x "$T/file" '' ''`, { SERVER: url });
    expect(readFileSync(host.path('file')).equals(MORE)).toBe(true);
  });

  const whole = `M_IMAGE_DIGEST=sha256:${'ab'.repeat(32)} M_SLOT=b; M_STAGE_INDEX=/boot/images/$M_IMAGE_DIGEST/index.json
    M_STAGE_FRAMES=/boot/images/$M_IMAGE_DIGEST/frames.json MOST_TEXT_BYTES=100000`;
  test.each([
    ['the index', 'download_index'],
    ['the index, beside one that is known', 'known_index() { echo "$T/known"; }; download_index'],
    ['the frames', 'download_frames'],
    [
      'the frames, beside the index',
      'cp "$T/known" "$WB_RUN/work/index.json"; download_frames; rm "$WB_RUN/work/index.json"',
    ],
    ['a kernel', `put_boot_file "$WB_RUN/work/vmlinuz" vmlinuz /k '' 100000`],
  ])('%s: given up, with the reason, and the room is free again', async (_, script) => {
    host.write('known', '{"version":1}');
    const url = await served(withoutEnd);
    const said = await run(`${whole}; known_index() { :; }; (${script}); cat "$WB_RUN/work/reason"`, {
      SERVER: url,
      HELPER: helper,
    });
    expect(said).toMatch(/ is longer than 100000 bytes$/);
    expect(bytesIn(host.path('run/work'))).toBeLessThan(10_000);
  });

  test('the index of another slot, which is only a help', async () => {
    const url = await served(withoutEnd);
    const script = `${whole}; slot_record() { echo "sha256:${'cd'.repeat(32)}"; }; index_of_slot a || echo without`;
    expect(await run(script, { SERVER: url, HELPER: helper })).toBe('without');
    expect(bytesIn(host.path('run/work'))).toBeLessThan(10_000);
  });
});
