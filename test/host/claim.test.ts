import { existsSync, readFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { FakeHost, INSTALL, SHELLS } from './shell.ts';

let host: FakeHost;
beforeEach(() => {
  host = new FakeHost();
  // What this host's disk had.
  host.write('run/token', 'the-token-of-the-disk');
});
afterEach(() => host.remove());

const kept = () => existsSync(host.path('run/token')) && readFileSync(host.path('run/token'), 'utf8');

describe.each(SHELLS)('in %s', (...shell) => {
  const claim = (status: string, own = 'mine') => {
    host.write('status', status);
    const script = `M_ATTEMPT=att-1 M_HOST=mine TOKEN_OF=${own}; claim && echo claimed; cat "$WB_RUN/curl.conf"`;
    return host.run(shell, script, INSTALL).out;
  };

  test('a host that has a token keeps it', () => {
    expect(claim('201')).toContain('claimed\nheader = "Authorization: Bearer the-token-of-the-disk"');
    expect(kept()).toBe('the-token-of-the-disk');
  });

  test('that of another host is not this one’s; the one that is made then stays while the server is away', () => {
    const script = `M_ATTEMPT=att-1 M_HOST=mine TOKEN_OF=other
      claim; cp "$WB_RUN/token" "$T/first"; claim; cmp "$WB_RUN/token" "$T/first" && cat "$T/first"`;
    host.write('status', '503');
    expect(host.run(shell, script, INSTALL).out).toMatch(/^[0-9a-f]{64}$/);
  });

  test('a claim whose answer is lost may have been taken: its token is used from then on', () => {
    expect(claim('000', 'other')).toMatch(/Bearer [0-9a-f]{64}/);
    expect(claim('503', 'mine')).not.toContain('Bearer the-token');
  });

  test('a refused token is tried no more: the next claim brings one that was made anew', () => {
    expect(claim('409')).not.toContain('claimed');
    expect(kept()).toBe(false);
    expect(readFileSync(host.path('run/tokens.refused'), 'utf8')).toBe('the-token-of-the-disk\n');
    expect(claim('201')).toMatch(/claimed\nheader = "Authorization: Bearer [0-9a-f]{64}"/);
  });

  test.each(['000', '500', '503', '429', '404'])('status %s says nothing about the token', (status) => {
    expect(claim(status)).not.toContain('claimed\n');
    expect(kept()).toBe('the-token-of-the-disk');
  });
});
