import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { PATIENCE } from '../../server/core/patience.ts';
import { AGENT, FakeHost, INSTALLER, SHELLS } from './shell.ts';

/** What the installer says, and to whom, before it gives the machine back to its firmware. */
let host: FakeHost;
const DIGEST = `sha256:${'0a'.repeat(32)}`;
beforeEach(() => {
  host = new FakeHost();
  host.validSlot('a', DIGEST, 'att-1');
  host.write('bin/reboot', '#!/bin/sh\necho "reboot $*" >> "$T/calls"\n', 0o755);
  // Loading works or not as $T/load says; a jump that comes back has not taken place.
  host.write(
    'bin/kexec',
    `#!/bin/sh
    echo "kexec $*" >> "$T/calls"
    case " $* " in
      *' -l '*) [ ! -e "$T/load" ] || { cat "$T/load" >&2; exit 1; } ;;
      *' -e '*) echo 'kexec failed: Operation not permitted' >&2; exit 1 ;;
    esac\n`,
    0o755,
  );
  host.write(
    'bin/curl',
    `#!/bin/sh\necho told >> "$T/calls"; printf '%s\\n' "$@" > "$T/sent"; cat "$T/run/log.tail" > "$T/tail"; printf 200\n`,
    0o755,
  );
});
afterEach(() => host.remove());

const read = (name: string) => readFileSync(host.path(name), 'utf8').trim();
const fields = () =>
  Object.fromEntries(
    [...read('sent').matchAll(/^(kind|attempt|slot|digest|phase|reason)=(.*)$/gm)].map(([, k, v]) => [k, v]),
  );

describe.each(SHELLS)('in %s', (...shell) => {
  const jump = (how = '', action = 'install', attempt = 'att-1') =>
    host.run(
      shell,
      `reboot() { "$T/bin/reboot" "$@"; }
      M_ACTION=${action} ATTEMPT=${attempt}
      jump a 'root=x' ${how}`,
      [join(INSTALLER, 'boot-disk.sh')],
    );
  /** In which order: what was tried, whether the server was told, the reboot. */
  const order = () =>
    read('calls')
      .split('\n')
      .filter((line) => !/^(umount|kexec -u)/.test(line))
      .map((line) => line.replace(/^kexec.* -l .*/, 'load'));

  test('kexec takes no kernel: an install says so, with the log, and stays installed', () => {
    host.write('load', 'kexec_load failed: Operation not permitted\n');
    jump();
    expect(order()).toEqual(['load', 'load', 'told', 'reboot -nf']);
    expect(fields()).toEqual({
      kind: 'installed',
      attempt: 'att-1',
      slot: 'a',
      digest: DIGEST,
      phase: 'jump',
      reason:
        'kexec does not load slot a: kexec_load failed: Operation not permitted; the machine goes through its firmware',
    });
    expect(read('tail')).toContain('kexec_load failed');
  });

  test('kexec jumps nowhere: the same', () => {
    jump();
    expect(order()).toEqual(['load', 'kexec -e', 'told', 'reboot -nf']);
    expect(fields()).toMatchObject({
      kind: 'installed',
      slot: 'a',
      digest: DIGEST,
      reason:
        'kexec does not leave this kernel: kexec failed: Operation not permitted; the machine goes through its firmware',
    });
  });

  test('no order to install: it is told, and belongs to no attempt', () => {
    host.write('load', 'no\n');
    jump('', 'none', "''");
    expect(order()).toEqual(['load', 'load', 'told', 'reboot -nf']);
    expect(fields()).toMatchObject({ kind: 'failed', attempt: '', phase: 'jump' });
  });

  test('a server that is away does not keep the machine here', () => {
    host.write('load', 'no\n');
    host.write('bin/curl', '#!/bin/sh\necho told >> "$T/calls"; exit 7\n', 0o755);
    jump();
    expect(order()).toEqual(['load', 'load', 'told', 'reboot -nf']);
  });

  test('a disk that hangs is not waited for: kexec would flush it too', () => {
    host.write('run/hangs', '');
    jump();
    expect(
      read('calls')
        .match(/kexec .*/g)
        ?.filter((line) => !line.includes('-u')),
    ).toEqual([
      expect.stringMatching(/^kexec --no-sync -a -l /),
      expect.stringMatching(/^kexec --no-sync -e/),
    ]);
  });

  test('an order to go through the firmware is no failure', () => {
    jump('reboot');
    expect(order()).toEqual(['reboot -nf']);
  });
});

test('a system that does not stop for the jump goes through its firmware before the server gives it up', () => {
  const unit = readFileSync(join(AGENT, '../systemd/system/kexec.target.d/warmboot.conf'), 'utf8');
  // What an older systemd does not know it passes over.
  expect(unit).toMatch(/^JobTimeoutAction=reboot-force\nJobTimeoutAction=kexec-force$/m);
  const limitMs = Number(/^JobTimeoutSec=(\d+)min$/m.exec(unit)?.[1]) * 60_000;
  const postMs = 20 * 60_000;
  expect(limitMs + postMs).toBeLessThan(PATIENCE.jumpMs);
});
