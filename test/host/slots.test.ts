import { createHash } from 'node:crypto';
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { BOOT_RULES } from './boot-rules.ts';
import { FakeHost, SHELLS } from './shell.ts';

let host: FakeHost;
beforeEach(() => {
  host = new FakeHost();
  host.disk(
    'sda',
    {},
    ['bios', 'boot', 'state', ...'abcdefgh'].map((label) => `warmboot-${label}`),
  );
});
afterEach(() => host.remove());

const DIGEST = `sha256:${'cd'.repeat(32)}`;

describe.each(SHELLS)('in %s', (...shell) => {
  test.each(BOOT_RULES)(
    'the installer boots as GRUB would: $when',
    ({ valid, grubenv, boots, after = {} }) => {
      for (const slot of valid) host.validSlot(slot, DIGEST);
      if (grubenv)
        host.write(
          'run/boot/grub/grubenv',
          Object.entries(grubenv)
            .map(([key, value]) => `${key}=${value}\n`)
            .join(''),
        );
      const script = 'if slot_to_boot sda; then echo "$BOOT_SLOT${BOOT_MORE:+ trial}"; else echo nothing; fi';
      expect(host.run(shell, script).out).toBe(boots ?? 'nothing');
      for (const [key, value] of Object.entries(after))
        expect(host.run(shell, `grubenv_get ${key}`).out).toBe(value);
    },
  );

  test.each([
    ['takes no writes', 'exit 1', 'b ro rootflags=norecovery fsck.mode=skip warmboot.disk=read-only'],
    ['has one bad sector', 'case $2 in */grubenv) exit 1 ;; esac', 'b'],
  ])('the installer boots as GRUB would: the disk %s', (_what, fails, boots) => {
    for (const slot of ['a', 'b']) host.validSlot(slot, DIGEST);
    host.write('run/boot/grub/grubenv', 'default=b\nnext=a\ntries_b=3\n');
    host.write('run/boot/grub/spare', '');
    const script = `
      helper=$HELPER
      HELPER=failing
      failing() (case $3 in set | init) ${fails} ;; esac; "$helper" "$@")
      slot_to_boot sda; echo "$BOOT_SLOT\${BOOT_MORE:+ $BOOT_MORE}"
      rm "$BOOT/grub/spare"; slot_to_boot sda; echo "$BOOT_SLOT\${BOOT_MORE:+ $BOOT_MORE}"`;
    // A disk of an earlier release has no spare environment, and its GRUB knows nothing of this.
    expect(host.run(shell, script).out).toBe(`${boots}\nb`);
  });

  test('GRUB starts a system of a disk that takes no writes with the same words', () => {
    host.write('run/boot/grub/spare', '');
    const script = 'HELPER=false; count_boot tries_b=2; echo "$BOOT_MORE"';
    const configuration = readFileSync('images/installer/grub/grub.cfg', 'utf8');
    expect(configuration).toContain(`set read_only="${host.run(shell, script).out}"\n`);
  });

  test('a slot is empty, invalid, valid or modified', () => {
    host.validSlot('a', DIGEST);
    host.validSlot('b', DIGEST);
    host.write('run/boot/warmboot/c/vmlinuz', '');
    host.run(shell, 'slot_mark_modified b');
    expect(host.run(shell, 'for s in a b c d; do slot_state $s; done').out).toBe(
      'valid\nmodified\ninvalid\nempty',
    );
    expect(host.run(shell, 'slot_record b DIGEST; slot_record b ATTEMPT').out).toBe(`${DIGEST}\natt-0`);
  });

  test('a report tells disk, default and all slots', () => {
    host.write('run/state/disk', 'guid\n');
    host.write('run/boot/grub/grubenv', 'default=a\n');
    host.validSlot('a', DIGEST);
    host.write('run/state/files/slot-a', `${'ab'.repeat(32)}\n`);
    expect(host.run(shell, 'slot_fields sda').out.split('\n').slice(0, 9)).toEqual([
      'readOnly=false',
      'disk=guid',
      'default=a',
      'slots.a.state=valid',
      `slots.a.digest=${DIGEST}`,
      `slots.a.files=${'ab'.repeat(32)}`,
      'slots.b.state=empty',
      'slots.b.digest=',
      'slots.b.files=',
    ]);
  });

  test('partitions are found by label on their own disk only', () => {
    host.disk('sdb', {}, ['warmboot-boot', 'warmboot-a']);
    const script =
      'partition_on sdb warmboot-a; partition_on sda warmboot-a; partition_on sdb warmboot-b || echo none; disk_of sdb2';
    expect(host.run(shell, script).out).toBe('sdb2\nsda4\nnone\nsdb');
  });

  test('the root partition is found by its number, not by its name', () => {
    host.write(
      'proc/self/mountinfo',
      '22 1 8:5 / / rw,relatime shared:1 - ext4 /dev/root rw\n23 22 0:5 / /dev rw - devtmpfs dev rw\n',
    );
    host.write('sys/dev/block/8:5/partition', '5\n');
    expect(host.run(shell, 'partition_of_root').out).toBe('8:5');
  });

  test('a grubenv that cannot be read is made anew when something is to be written', () => {
    host.run(shell, 'grubenv_set default=b tries_b=3');
    expect(readFileSync(host.path('run/boot/grub/grubenv'), 'utf8')).toBe('default=b\ntries_b=3\n');
    rmSync(host.path('run/boot/grub/grubenv'));
    host.run(shell, 'SLOT=b; grubenv_set tries_b=3');
    expect(readFileSync(host.path('run/boot/grub/grubenv'), 'utf8')).toBe('default=b\ntries_b=3\n');
  });

  test('a grubenv that can be read keeps its default when it cannot be written', () => {
    host.write('run/boot/grub/grubenv', 'default=b\ntries_a=3\n');
    const script = `
      real=$HELPER
      refusing() { case $3 in set) return 5 ;; esac; "$real" "$@"; }
      HELPER=refusing SLOT=a
      grubenv_set tries_a=2; echo $?`;
    expect(host.run(shell, script).out).toBe('1');
    expect(readFileSync(host.path('run/boot/grub/grubenv'), 'utf8')).toBe('default=b\ntries_a=3\n');
  });

  /** Everything that is written for a stage, with the state of the slot at each step: a power cut may come at any of them. */
  test('staging: invalid first, valid last, boot files in between', () => {
    host.validSlot('b', `sha256:${'00'.repeat(32)}`);
    host.write('run/boot/warmboot/b/vmlinuz', 'old');
    host.write('run/boot/warmboot/b/index.json', 'the old index');
    host.write('run/work/index.json', 'the new index');
    host.write('kernel', 'new kernel');
    host.write('run/boot/grub/grubenv', 'default=a\ntries_a=3\ntries_b=3\n');
    const script = `
      DISK=sda M_SLOT=b M_IMAGE_DIGEST=${DIGEST} M_IMAGE_NAME=os M_ATTEMPT=att-2 M_APPEND='root=x' M_TRIAL='warmboot.trial=9'
      M_KERNEL_URL=/k M_INITRD_URL=/i M_KERNEL_SHA256='' M_INITRD_SHA256='' M_KERNEL_BYTES=10 M_INITRD_BYTES=10
      valid() {
        if [ -e "$BOOT/warmboot/b/valid" ]; then echo "valid, $(grubenv_get tries_b) tries"; else echo invalid; fi
      }
      boot_writable() { :; }
      boot_readonly() { echo "sync, slot $(valid)"; }
      download_index() { echo "index, slot $(valid)"; }
      has_room() { echo "room on $1, slot $(valid)"; }
      flash_slot() { echo "write $* after $FORMER_DIGEST, slot $(valid), $(cat "$BOOT/warmboot/b/index.json")"; }
      download() { echo "download \${2##*/}, slot $(valid), $(cat "$BOOT/warmboot/b/index.json")"; cp "$T/kernel" "$2"; }
      stage_work /dev/sda5 2>&1
      echo "end, slot $(valid)"`;
    const { out } = host.run(shell, `. "$WB_LIB/stage.sh"; ${script}`);
    expect(out.split('\n')).toEqual([
      'index, slot valid, 3 tries',
      'room on sda5, slot valid, 3 tries',
      'sync, slot invalid',
      'sync, slot invalid',
      `write /dev/sda5 sda after sha256:${'00'.repeat(32)}, slot invalid, the old index`,
      'download vmlinuz.new, slot invalid, the old index',
      'download initrd.new, slot invalid, the old index',
      'sync, slot invalid',
      'sync, slot invalid',
      'sync, slot valid, 0 tries',
      'end, slot valid, 0 tries',
    ]);
    const file = (name: string) => readFileSync(host.path(`run/boot/warmboot/b/${name}`), 'utf8');
    expect(file('vmlinuz')).toBe('new kernel');
    expect(file('cmdline')).toBe('root=x\n');
    expect(file('slot.cfg')).toBe("set slot_append='root=x'\nset slot_trial='warmboot.trial=9'\n");
    expect(file('valid')).toBe(`DIGEST='${DIGEST}'\nNAME='os'\nATTEMPT='att-2'\n`);
    expect(file('index.json')).toBe('the new index');
  });

  test('a kernel that another slot has is not fetched again, unless it is another one or damaged', () => {
    host.write('run/boot/warmboot/a/vmlinuz', 'kernel!');
    host.write('run/boot/warmboot/a/initrd.img', 'initrd!');
    host.write('run/boot/warmboot/c/initrd.img', 'initrd?');
    host.write('run/work/index.json', 'index');
    const sha = (text: string) => createHash('sha256').update(text).digest('hex');
    const script = `
      M_APPEND=x M_TRIAL=x M_KERNEL_URL=/k M_INITRD_URL=/i M_KERNEL_BYTES=7 M_INITRD_BYTES=7
      boot_sync() { :; }
      download() { echo "download $1"; printf fetched > "$2"; }
      boot_files() { M_KERNEL_SHA256=$1 M_INITRD_SHA256=$2; put_boot_files b; cat "$BOOT/warmboot/b/vmlinuz" "$BOOT/warmboot/b/initrd.img"; echo; }
      boot_files ${sha('kernel!')} ${sha('initrd?')}
      boot_files ${sha('kernel!')} ${sha('initrd.')}
      M_KERNEL_BYTES=8
      boot_files ${sha('kernel!')} ${sha('initrd!')}`;
    expect(host.run(shell, script).out.split('\n')).toEqual([
      'kernel!initrd?',
      'download /i',
      'kernel!fetched',
      'download /k',
      'fetchedinitrd!',
    ]);
  });

  test('the index gives way where the boot partition is short of room', () => {
    host.write('run/boot/warmboot/b/index.json', 'x'.repeat(2_000_000));
    host.write('run/work/index.json', 'y'.repeat(2_000_000));
    const script = `
      M_APPEND=x M_TRIAL=x M_KERNEL_URL=/k M_INITRD_URL=/i M_KERNEL_SHA256='' M_INITRD_SHA256='' M_KERNEL_BYTES=1000000 M_INITRD_BYTES=0
      boot_sync() { :; }
      download() { : > "$2"; }
      # In all 5 MiB, and what the index takes.
      free_on_boot() { echo $((5000 - $(cat "$BOOT"/warmboot/b/index.json 2> /dev/null | wc -c) / 1024 - USED)); }
      free() { USED=$1; put_boot_files b; ls "$BOOT/warmboot/b" | tr '\n' ' '; }
      (free 0); (free 2500); (free 3500); cat "$WB_RUN/work/reason" 2> /dev/null || echo`;
    expect(host.run(shell, script).out).toBe(
      'cmdline index.json initrd.img slot.cfg vmlinuz cmdline initrd.img slot.cfg vmlinuz the boot partition has 1500 KiB free, kernel and initrd need 976',
    );
    expect(readFileSync(host.path('run/log'), 'utf8')).toContain("no room for the image's index");
  });

  test('the index of a slot: beside its kernel, saved from before an install, or asked for by its digest', () => {
    const [old, other] = ['11', '22'].map((pair) => `sha256:${pair.repeat(32)}`);
    host.validSlot('c', old ?? '');
    host.write('run/former/b.json', 'saved');
    host.write('run/boot/warmboot/a/index.json', 'kept');
    const script = `
      M_SLOT=d M_IMAGE_DIGEST=${DIGEST} M_STAGE_INDEX=/boot/images/${DIGEST}/index.json FORMER_DIGEST=${other}
      fetched() { echo "asks $1" >&2; until [ "$1" = -o ]; do shift; done; : > "$2"; }
      has_sha256() { [ "$2" = "$GOOD" ]; }
      for slot in a b c d e; do index_of_slot "$slot" 2>&1 || echo "none of $slot"; done`;
    const { out } = host.run(shell, `GOOD=${'11'.repeat(32)}; ${script}`);
    expect(out.split('\n')).toEqual([
      host.path('run/boot/warmboot/a/index.json'),
      host.path('run/former/b.json'),
      `asks /boot/images/${old}/index.json`,
      host.path('run/work/index-c.json'),
      `asks /boot/images/${other}/index.json`,
      'none of d',
      'none of e',
    ]);
  });

  test('another command line for a valid slot: invalid meanwhile, and then as it was', () => {
    host.validSlot('b', DIGEST);
    const script = `
      valid() { if [ -e "$BOOT/warmboot/b/valid" ]; then echo valid; else echo invalid; fi; }
      slot_mark_modified b
      boot_readonly() { echo "sync, slot $(valid), $(cat "$BOOT/warmboot/b/cmdline")"; }
      boot_writable() { :; }
      slot_change_command_line b 'root=new' 'warmboot.trial=1' && slot_change_command_line b 'root=new' 'warmboot.trial=1'
      slot_state b; slot_record b DIGEST; slot_trial_arguments b`;
    expect(host.run(shell, script).out.split('\n')).toEqual([
      'sync, slot invalid, root=PARTUUID=b',
      'sync, slot invalid, root=new',
      'sync, slot valid, root=new',
      'modified',
      DIGEST,
      'warmboot.trial=1',
    ]);
  });

  test('a write that fails leaves the slot invalid and says why', () => {
    host.validSlot('b', DIGEST);
    const script = `
      DISK=sda M_SLOT=b M_IMAGE_DIGEST=${DIGEST}
      download_index() { :; }
      has_room() { :; }
      flash_slot() { fail "the disk is broken"; }
      (stage_work /dev/sda5); cat "$WB_RUN/work/reason"; slot_state b`;
    expect(host.run(shell, `. "$WB_LIB/stage.sh"; ${script}`).out).toBe('the disk is broken\ninvalid');
    expect(existsSync(host.path('run/boot/warmboot/b/valid'))).toBe(false);
  });

  test.each([
    ['{"filesystem":{"bytes":2097153}}', 'slot b of this disk has 2 MiB, the image needs 3: install'],
    ['{"filesystem":{}}', 'does not say how large it is'],
  ])('an image that its slot has no room for leaves it as it is: %s', (index, why) => {
    host.validSlot('b', DIGEST);
    host.write('sys/class/block/sda5/size', '4096\n');
    host.write('run/work/index.json', index);
    const script = `
      DISK=sda M_SLOT=b M_IMAGE_DIGEST=${DIGEST}
      download_index() { :; }
      HELPER=field
      field() { sed -n 's/.*"bytes":\\([0-9]*\\).*/\\1/p' "$2"; }
      (stage_work /dev/sda5); cat "$WB_RUN/work/reason"; slot_state b`;
    const { out } = host.run(shell, `. "$WB_LIB/stage.sh"; ${script}`);
    expect(out).toContain(why);
    expect(out.split('\n').at(-1)).toBe('valid');
  });
});
