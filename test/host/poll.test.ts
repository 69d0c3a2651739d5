import { type AddressInfo, createServer } from 'node:net';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { AGENT, FakeHost, SHELLS } from './shell.ts';

let host: FakeHost;
beforeEach(() => {
  host = new FakeHost();
});
afterEach(() => host.remove());

/** As after some looks: the manifest of the last one is known. */
const SELF = `ETAG=e1 LONG_POLL=15 HOLDS=55 AWAY=1 M_POLL=15 HTTP_STATUS=200 ASKED=yes
  at=100
  read_uptime() { UPTIME=$at; }
  act() { echo acted; }
  jitter() { echo "$1"; }
  chance() { CHANCE=$1; }
  : > "$WB_RUN/manifest.new"
`;

describe.each(SHELLS)('in %s', (...shell) => {
  /** @param answer what the next questions come to: their result, after so many seconds; `more` is done by each */
  const run = (script: string, self = '') =>
    host.run(shell, SELF + self + script, [join(AGENT, 'poll.sh')]).out;
  const answers = (result: number, seconds: number, more = ':') =>
    `manifest_fetch() { echo "waits $1"; at=$((at + ${seconds})); ${more}; return ${result}; }\n`;

  test('a change is acted on, and the next question held open at once', () => {
    const changed = answers(0, 3, 'ETAG=e2 M_POLL=60');
    expect(run('ask; echo "$WAIT $LONG_POLL"', changed)).toBe('waits 15\nacted\n0 55');
  });

  test('without an ETag there is nothing to hold: it asks as often as it is told, and not exactly', () => {
    expect(run('ask; echo "$WAIT"', answers(0, 0, "ETAG=''"))).toBe('waits 15\nacted\n18');
    expect(run('ETAG=; ask; echo "$WAIT"', answers(0, 0, "ETAG=''"))).toBe('waits 0\nacted\n18');
  });

  test('held to its end, the next question comes at once; let go before, when it would have come anyway', () => {
    expect(run('ask; echo "$WAIT"', answers(2, 15))).toBe('waits 15\nacted\n1');
    expect(run('ask; echo "$WAIT"', answers(2, 4))).toBe('waits 15\nacted\n11');
  });

  test('what is cut on the way is held for less, and tried for longer again while nothing is cut', () => {
    const cut = answers(1, 30);
    const held = answers(2, 22);
    expect(run(`LONG_POLL=55 M_POLL=60; ask; ${held} ask; ask; echo "$HOLDS $LONG_POLL"`, cut)).toBe(
      'waits 55\nwaits 22\nacted\nwaits 23\nacted\n24 24',
    );
    for (const status of [502, 504, 408])
      expect(run('LONG_POLL=55; ask; echo "$LONG_POLL"', answers(4, 20, `HTTP_STATUS=${status}`))).toContain(
        '\n15',
      );
    // A refusal, or a server that is not there, says nothing of what lies between.
    expect(run('ask; ask; echo "$HOLDS"', answers(1, 0))).toMatch(/\n55$/);
    expect(run('ask; ask; echo "$HOLDS"', answers(1, 15, "ASKED=''"))).toMatch(/\n55$/);
    expect(run('LONG_POLL=55; ask; echo "$HOLDS"', answers(4, 20, 'HTTP_STATUS=503'))).toMatch(/\n55$/);
  });

  test('away: longer and longer up to two minutes, and spread over as long as it waits between two looks', () => {
    const waits = run('for i in 1 2 3 4 5 6 7; do ask > "$T/x"; echo "$WAIT"; done', answers(1, 0)).split(
      '\n',
    );
    expect(waits).toEqual(['17', '19', '23', '32', '64', '120', '120']);
    expect(run('M_POLL=60; ask; echo "$WAIT"', answers(1, 0))).toBe('waits 15\n62');
    const spread = `jitter() { echo $(($(od -An -N2 -tu2 /dev/urandom) % ($1 + 1))); }; M_POLL=60
      for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do AWAY=1; ask > "$T/x"; echo "$WAIT"; done`;
    expect(new Set(run(spread, answers(1, 0)).split('\n')).size).toBeGreaterThan(8);
  });

  test('a server that says when to come back is believed, within bounds', () => {
    host.write('run/headers', 'HTTP/1.1 503 Service Unavailable\r\nRetry-After: 8\r\n\r\n');
    const refused = answers(4, 0, 'HTTP_STATUS=503');
    expect(run('ask; echo "$WAIT"', refused)).toBe('waits 15\n10');
    host.write('run/headers', 'HTTP/1.1 503 Service Unavailable\r\nRetry-After: 999999\r\n\r\n');
    expect(run('ask; echo "$WAIT"', refused)).toBe('waits 15\n375');
    host.write('run/headers', 'HTTP/1.1 503 Service Unavailable\r\n\r\n');
    expect(run('ask; echo "$WAIT"', refused)).toBe('waits 15\n30');
  });

  test('who cuts an answer was there to be asked; who cannot be reached was not', async () => {
    const cuts = createServer((socket) => socket.once('data', () => socket.destroy()));
    await new Promise<void>((resolve) => cuts.listen(0, '127.0.0.1', resolve));
    const SERVER = `http://127.0.0.1:${(cuts.address() as AddressInfo).port}`;
    const ask = 'request 10 "$T/out" "$SERVER/"; echo "$? [$ASKED]"';
    expect(await host.runForReal(shell, ask, { SERVER })).toBe('1 [yes]');
    await new Promise((resolve) => cuts.close(resolve));
    expect(await host.runForReal(shell, ask, { SERVER })).toBe('1 []');
  });
});
