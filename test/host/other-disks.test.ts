import { existsSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { FakeHost, INSTALL, INSTALLER, SHELLS } from './shell.ts';

/** Which disks of a host lead to its new one; test/interop/moved-host.test.ts has the real GRUB follow. */
let host: FakeHost;
beforeEach(() => {
  host = new FakeHost();
  for (const name of ['sda', 'sdb']) disk(name);
  host.write('run/layout', 'label-id: now\n');
});
afterEach(() => host.remove());

const PARTS = [...['choose-disk.sh', 'boot-disk.sh'].map((name) => join(INSTALLER, name)), ...INSTALL];
const LABELS = ['warmboot-bios', 'warmboot-boot', 'warmboot-state', 'warmboot-a'];
function disk(
  name: string,
  facts: Readonly<Record<string, string>> = {},
  labels: readonly string[] = LABELS,
): void {
  host.disk(name, facts, labels);
  host.write(`table-${name}`, `label: gpt\nlabel-id: ${name}\n`);
}

describe.each(SHELLS)('in %s', (...shell) => {
  const led = (more = '') => {
    host.run(
      shell,
      `CHOSEN=sdb M_HOST=mine OWN_DISK=sda OWN_HOST=mine
      sfdisk() { cat "$T/table-\${2##*/}"; }
      mount_boot() { :; }
      cmp() { :; }
      put_loader() { echo "$CHOSEN $*" >> "$T/led"; }
      ${more}
      lead_others_here`,
      PARTS,
    );
    return existsSync(host.path('led')) ? readFileSync(host.path('led'), 'utf8') : '';
  };
  const log = () => readFileSync(host.path('run/log'), 'utf8');

  test('the one that it had', () => {
    expect(led()).toBe('sda /dev/sda moved=mine\n');
  });

  test.each([
    ['another host’s', 'OWN_HOST=other'],
    [
      'another way to the new one',
      'for name in sda sdb; do echo naa.1 > "$WB_SYS/class/block/$name/wwid"; done',
    ],
    ['a copy of the new one, which is the same to GRUB', 'cp "$T/table-sdb" "$T/table-sda"'],
  ])('not %s', (_, given) => {
    expect(led(given)).toBe('');
  });

  test('of what was begun, what the server names; and it is asked once more where an installer has started anew', () => {
    const begun = 'OWN_DISK= ; read_state() { return 1; }';
    expect(led(begun)).toBe('');
    host.write('run/layout', 'label-id: now\n# earlier: sda\n');
    expect(led(begun)).toBe('sda /dev/sda moved=mine\n');
    const asked = `rm -f "$WB_RUN/layout" "$T/led"; fetch_layout() { echo "# earlier: sda" > "$WB_RUN/layout"; }; ${begun}`;
    expect(led(asked)).toBe('sda /dev/sda moved=mine\n');
  });

  test('a disk that has nothing of ours is not even read: it might not answer', () => {
    disk('sdc', {}, ['sys', 'home']);
    expect(led('sfdisk() { echo "${2##*/}" >> "$T/read"; cat "$T/table-${2##*/}"; }')).toBe(
      'sda /dev/sda moved=mine\n',
    );
    expect(readFileSync(host.path('read'), 'utf8')).not.toContain('sdc');
  });

  test('one that cannot be led is said, and the install goes on', () => {
    const fails = `OWN_DISK=; read_state() { mkdir -p "$STATE"; echo mine > "$STATE/host"; }
      mount_boot() { [ "$1" != sda ]; }`;
    disk('sdc');
    expect(led(fails)).toBe('sdc /dev/sdc moved=mine\n');
    expect(log()).toContain(
      "disk sda cannot be made to lead to the host's new one, and may be started instead: its boot partition cannot be mounted",
    );
    host.write('sys/class/block/sdc/ro', '1\n');
    expect(led(fails)).toBe('sdc /dev/sdc moved=mine\n');
    expect(log()).toMatch(/disk sdc cannot be made to lead .*: it takes no writes/);
    expect(existsSync(host.path('run/work/reason'))).toBe(false);
  });

  test('one that takes no more writes half-way is not said to lead on: GRUB takes it for the host’s as before', () => {
    expect(led('rm() { case $* in *host-*) return 1 ;; *) command rm "$@" ;; esac; }')).toBe(
      'sda /dev/sda moved=mine\n',
    );
    expect(log()).toMatch(/disk sda cannot be made to lead .*: its boot partition cannot be written/);
    const stays = `rm() { :; }; mkdir -p "$WB_RUN/other/sda/boot/warmboot"; true > "$WB_RUN/other/sda/boot/warmboot/host-mine"`;
    led(stays);
    expect(log().match(/its boot partition cannot be written/g)).toHaveLength(2);
    expect(log()).not.toContain('leads to its new one');
  });

  test('one that an earlier try still has is left alone, and what is mounted there stays', () => {
    host.write('run/other/sda/boot/warmboot/a/valid', '');
    expect(led('mounted_at() { [ "$1" = "$WB_RUN/other/sda/boot" ]; }')).toBe('');
    expect(existsSync(host.path('run/other/sda/boot/warmboot/a/valid'))).toBe(true);
  });

  test('one that hangs is left to itself, and nothing waits for it any more', () => {
    const hangs = `LEAD_SECONDS=0; put_loader() { while [ ! -e "$T/over" ]; do command sleep 0.1; done; }
      sync() { echo synced > "$T/synced"; }
      trap ': > "$T/over"' EXIT`;
    expect(led(`${hangs}; lead_others_here; flush`)).toBe('');
    expect(log()).toContain('disk sda does not answer, and may be started instead of sdb');
    expect(existsSync(host.path('synced'))).toBe(false);
  });

  test('a disk that an earlier try of this very install has begun: the kernel could not tell the two apart', () => {
    const script = (more = '') =>
      host.run(
        shell,
        `CHOSEN=sdb; sfdisk() { cat "$T/table-\${2##*/}"; }; ${more}
        twin`,
        PARTS,
      ).out;
    for (const name of ['sda', 'sdb']) host.write(`sys/class/block/${name}/serial`, `serial of ${name}\n`);
    expect(script()).toBe('');
    host.write('table-sda', 'label: gpt\nlabel-id: NOW\n');
    host.write('table-sdb', 'label: gpt\nlabel-id: now\n');
    expect(script()).toBe('sda');
    const both = (file: string) =>
      `for name in sda sdb; do echo naa.1 > "$WB_SYS/class/block/$name/${file}"; done`;
    expect(script(both('wwid'))).toBe('');
    for (const name of ['sda', 'sdb']) rmSync(host.path(`sys/class/block/${name}/wwid`));
    expect(script()).toBe('sda');
    expect(script(both('serial'))).toBe('');
  });
});
