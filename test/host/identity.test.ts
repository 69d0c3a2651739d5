import { existsSync, readFileSync, rmSync, statSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { FakeHost, SHELLS } from './shell.ts';

/** What the agent keeps of a system that proved itself, so that every other slot gets it. */

const ID = '0123456789abcdef0123456789abcdef';
const KEY = '-----BEGIN OPENSSH PRIVATE KEY-----\nabc\n-----END OPENSSH PRIVATE KEY-----\n';
let host: FakeHost;
beforeEach(() => {
  host = new FakeHost();
  host.write('root/etc/machine-id', `${ID}\n`);
  host.write('root/etc/hostname', '');
});
afterEach(() => host.remove());

const read = (path: string) => readFileSync(host.path(path), 'utf8');
const kept = (name: string) =>
  existsSync(host.path(`run/state/${name}`)) ? read(`run/state/${name}`) : null;

describe.each(SHELLS)('in %s', (...shell) => {
  const keep = (what = 'keep_identity') => host.run(shell, `umask 077; WB_ROOT=$T/root; ${what}`);

  test('machine-id, host keys and hostname, once', () => {
    host.write('root/etc/hostname', 'web-1\n');
    host.write('root/etc/ssh/ssh_host_rsa_key', KEY, 0o640);
    host.write('root/etc/ssh/ssh_host_rsa_key.pub', 'ssh-rsa AAAA\n');
    keep();
    expect([kept('machine-id'), kept('hostname')]).toEqual([`${ID}\n`, 'web-1\n']);
    expect([kept('ssh/ssh_host_rsa_key'), kept('ssh/ssh_host_rsa_key.pub')]).toEqual([KEY, 'ssh-rsa AAAA\n']);
    expect(statSync(host.path('run/state/ssh/ssh_host_rsa_key')).mode & 0o777).toBe(0o600);
    // Another identity in the system, because this one was not given to it: what is kept stays.
    host.write('root/etc/machine-id', `${'f'.repeat(32)}\n`);
    host.write('root/etc/ssh/ssh_host_rsa_key', KEY.replace('abc', 'new'));
    host.write('root/etc/hostname', 'image\n');
    rmSync(host.path('root/var'), { recursive: true });
    keep();
    expect([kept('machine-id'), kept('hostname'), kept('ssh/ssh_host_rsa_key')]).toEqual([
      `${ID}\n`,
      'web-1\n',
      KEY,
    ]);
  });

  test('a key of another kind comes to those that are kept', () => {
    host.write('run/state/ssh/ssh_host_rsa_key', KEY);
    host.write('root/etc/ssh/ssh_host_ed25519_key', KEY);
    host.write('root/etc/ssh/ssh_host_ed25519_key.pub', 'ssh-ed25519 AAAA\n');
    keep();
    expect(kept('ssh/ssh_host_ed25519_key')).toBe(KEY);
  });

  test('nothing that is no identity: half keys, an id to be made, names of no host', () => {
    host.write('root/etc/machine-id', 'uninitialized\n');
    host.write('root/etc/hostname', 'localhost.localdomain\n');
    host.write('root/etc/ssh/ssh_host_a_key', KEY);
    host.write('root/etc/ssh/ssh_host_b_key', '');
    host.write('root/etc/ssh/ssh_host_b_key.pub', 'x');
    host.write('root/etc/ssh/ssh_host_c_key', '\0\0\0\0');
    host.write('root/etc/ssh/ssh_host_c_key.pub', 'x');
    keep();
    expect(
      ['machine-id', 'hostname', 'ssh/ssh_host_a_key', 'ssh/ssh_host_b_key', 'ssh/ssh_host_c_key'].map(kept),
    ).toEqual([null, null, null, null, null]);
  });

  test('a name that somebody gives the host while it runs; not one that comes with its files', () => {
    host.write('run/state/hostname', 'old\n');
    host.write('root/var/lib/warmboot/hostname', 'old\n');
    host.write('root/etc/hostname', 'new\n');
    keep('keep_hostname');
    expect([kept('hostname'), read('root/var/lib/warmboot/hostname')]).toEqual(['new\n', 'new\n']);
    host.write('root/var/lib/warmboot/applied', 'etc/hostname\n');
    host.write('root/etc/hostname', 'of-the-set\n');
    keep('keep_hostname');
    expect(kept('hostname')).toBe('new\n');
  });

  test('a system without ssh or a name has nothing to keep but its id', () => {
    rmSync(host.path('root/etc/hostname'));
    expect(keep().out).toBe('');
    expect([kept('machine-id'), kept('hostname')]).toEqual([`${ID}\n`, null]);
  });
});
