import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { AGENT, FakeHost, SHELLS } from './shell.ts';

/** A trial begins before its system has a network: what it costs until it can be confirmed. */

let host: FakeHost;
beforeEach(() => {
  host = new FakeHost();
  host.write('run/boot/grub/grubenv', 'default=a\n');
});
afterEach(() => host.remove());

const PARTS = ['data.sh', 'trial.sh', 'poll.sh'].map((name) => join(AGENT, name));
const SELF = `SLOT=b DISK=sda GOOD='' IN_TRIAL=yes LOOKS=0 ETAG=''
  healthy() { echo healthy >> "$T/seen"; }
  somebody_answers() { echo asked >> "$T/seen"; return 1; }
  sleep() { echo "$1" >> "$T/slept"; [ "$(wc -l < "$T/slept")" -ne 5 ] || cp "$T/route" "$WB_PROC/net/route" 2> /dev/null; }
`;
const lines = (name: string) =>
  existsSync(host.path(name)) ? readFileSync(host.path(name), 'utf8').trim().split('\n') : [];

const HEADER = 'Iface\tDestination\tGateway\n';
const ROUTE = `${HEADER}eth0\t00000000\t010200C0\n`;
const LOCAL_IPV6 = `fe800000000000000000000000000000 40 ${'0'.repeat(32)} 00 ${'0'.repeat(32)} 00000100 1 0 1 eth0
${'0'.repeat(32)} 00 ${'0'.repeat(32)} 00 ${'0'.repeat(32)} ffffffff 1 0 00200200 lo\n`;

describe.each(SHELLS)('in %s', (...shell) => {
  const run = (script: string) => host.run(shell, SELF + script, PARTS);

  test('nobody is asked, and no hook is run, before there is a route; then at once', () => {
    host.write('proc/net/route', HEADER);
    host.write('proc/net/ipv6_route', LOCAL_IPV6);
    host.write('route', ROUTE);
    run('look');
    expect(lines('slept')).toEqual(['0.25', '0.25', '0.25', '0.25', '0.25', '1']);
    expect(lines('seen')).toEqual(['healthy', 'asked']);
  });

  test('a host that gets none is judged all the same: after ten seconds, and not waited for again', () => {
    host.write('proc/net/route', HEADER);
    run('look; look');
    expect(lines('slept').filter((seconds) => seconds === '0.25')).toHaveLength(40);
    expect(lines('seen')).toEqual(['healthy', 'asked', 'healthy', 'asked']);
  });

  test('by IPv6 alone is a network, too', () => {
    const everywhere = `${'0'.repeat(32)} 00 ${'0'.repeat(32)} 00 fe80${'0'.repeat(27)}1 400 1 0 3 eth0\n`;
    host.write('proc/net/ipv6_route', LOCAL_IPV6 + everywhere);
    run('look');
    expect(lines('slept')).toEqual(['1']);
  });

  test('what lacks something longer is tried less often', () => {
    host.write('proc/net/route', ROUTE);
    host.write('proc/uptime', '200.00 3.00\n');
    run('look');
    expect(lines('slept')).toEqual(['3']);
  });
});
