import { readFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { FakeHost, SHELLS } from './shell.ts';

let host: FakeHost;
beforeEach(() => {
  host = new FakeHost();
});
afterEach(() => host.remove());

const DATE = 'Sun, 31 Dec 2023 23:59:30 GMT';

describe.each(SHELLS)('in %s', (...shell) => {
  const run = (script: string) => host.run(shell, script).out;

  /** How long a host waits, but for what chance adds; empty: it was not told to. */
  function toldTo(...lines: string[]): string {
    host.write('run/headers', `${lines.join('\r\n')}\r\n\r\n`);
    return run('jitter() { echo 0; }; told_to_wait "$WB_RUN/headers" && echo "$TURN"');
  }

  test.each([
    ['a number of seconds', '7', '7'],
    ['never less than one', '0', '1'],
    ['never longer than five minutes', '86400', '300'],
    ['a date, by the clock of the server', 'Mon, 01 Jan 2024 00:00:10 GMT', '40'],
    ['over the end of a February', 'Sun, 31 Dec 2023 23:59:59 GMT', '29'],
    ['a date that is over', 'Sun, 31 Dec 2023 23:00:00 GMT', '1'],
    ['not what is neither', 'soon', ''],
    ['not a date of another form', '2024-01-01T00:00:10Z', ''],
    ['not below zero', '-5', ''],
  ])('%s: Retry-After %s', (_, after, seconds) => {
    for (const status of ['503 Service Unavailable', '429 Too Many Requests'])
      expect(toldTo(`HTTP/1.1 ${status}`, `Date: ${DATE}`, `Retry-After: ${after}`)).toBe(seconds);
  });

  test.each([
    ['write', 'wait', 'write'],
    // By these the server knows that an installer's token is not on its disk yet.
    ['files', 'files', 'files'],
    ['partition', 'partition', 'partition'],
  ])('the phase of who waits in %s: %s', (phase, waiting, after) => {
    const script = `TURN=1; phase ${phase}; wait_turn; phase_now; wait_turn; turn_came; phase_now`;
    expect(run(script)).toBe(`${waiting}\n${after}`);
    expect(readFileSync(host.path('run/log'), 'utf8')).toContain('waits for its turn: the server is busy');
  });

  test('a leap day counts', () => {
    const [before, after] = ['Wed, 28 Feb 2024 23:59:00 GMT', 'Fri, 01 Mar 2024 00:00:00 GMT'];
    expect(toldTo('HTTP/1.1 503 x', `date: ${before}`, `retry-after: ${after}`)).toBe('300');
    expect(
      run('MOST_WAIT_SECONDS=999999; jitter() { echo 0; }; told_to_wait "$WB_RUN/headers"; echo "$TURN"'),
    ).toBe(String(86_400 + 60));
  });

  test('only the last answer counts, and only those that say "not now"', () => {
    expect(toldTo('HTTP/1.1 503 x', 'Retry-After: 9', '', 'HTTP/1.1 206 Partial Content')).toBe('');
    expect(toldTo('HTTP/1.1 404 Not Found', 'Retry-After: 9')).toBe('');
    expect(toldTo('HTTP/1.1 503 Service Unavailable')).toBe('');
    expect(toldTo('HTTP/1.1 503 x', 'Retry-After: Mon, 01 Jan 2024 00:00:10 GMT')).toBe('');
    expect(run('told_to_wait "$WB_RUN/none" || echo no')).toBe('no');
  });

  test('a server that wants no reports for a while gets none', () => {
    host.write('status', '429');
    const script = `told_to_wait() { TURN=30; }; report progress phase=write; report progress phase=write
      echo "100.50 1" > "$WB_PROC/uptime"; report progress phase=write; echo "130.00 1" > "$WB_PROC/uptime"; report progress phase=write
      grep -c kind=progress "$T/requests"`;
    expect(run(script)).toBe('2');
  });

  test.each([
    ['', '', ''],
    ['', '20000000', '20000000'],
    ['20M', '', '20971520'],
    ['20M', '1000000', '1000000'],
    ['500k', '1000000', '512000'],
    ['800', '1000000', '800'],
    ['1.5m', '', '1572864'],
  ])('of the local rate %s and the manifest’s %s the lower one counts', (local, told, rate) => {
    expect(run(`RATE_LIMIT='${local}' M_RATE='${told}'; staging_rate`)).toBe(rate);
  });

  test('a mirror is asked for paths of the server until it fails, and never gets the token', () => {
    const script = `M_MIRROR=http://10.1.0.1:8080/; mirror_of /boot/x; mirror_of http://elsewhere/boot/x; fetched /boot/x "$WB_RUN/headers" 9 -r 0-
      mirror_failed /boot/x 'no route' && echo failed; mirror_of /boot/x; mirror_failed /boot/x again || echo not the mirror; fetched /boot/x "$WB_RUN/headers" 9`;
    host.write('bin/curl', '#!/bin/sh\necho "curl $*" >> "$T/calls"\n', 0o755);
    const out = run(`use_token secret; ${script}; cat "$T/calls"`).split('\n');
    expect(out.slice(0, 3)).toEqual(['http://10.1.0.1:8080/boot/x', 'failed', 'not the mirror']);
    expect(out[3]).toMatch(/ -K \S.*curl-others\.conf .* -r 0- http:\/\/10\.1\.0\.1:8080\/boot\/x$/);
    expect(out[4]).toMatch(/ -K \S.*curl\.conf .* http:\/\/10\.0\.0\.1:8080\/boot\/x$/);
  });

  test('a mirror that sends more than there is room for is left for the server', () => {
    const script = `M_MIRROR=http://10.1.0.1:8080; mkdir -p "$WB_RUN/work"
      fetched() {
        if [ -z "$(mirror_of "$1")" ]; then echo whole > "$5"; return; fi
        echo 'curl: (23) Failure writing output to destination' > "$WB_RUN/work/command.err"
        return 23
      }
      download /boot/x "$T/file" '' 9; cat "$T/file"`;
    expect(run(script)).toBe('whole');
  });
});
