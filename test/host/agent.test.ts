import { existsSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { AGENT, FakeHost, SHELLS } from './shell.ts';

let host: FakeHost;
beforeEach(() => {
  host = new FakeHost();
  host.disk(
    'sda',
    {},
    ['bios', 'boot', 'state', 'a', 'b'].map((label) => `warmboot-${label}`),
  );
  host.validSlot('a', OLD);
  host.validSlot('b', NEW);
  grubenv({ default: 'a', tries_a: '3' });
});
afterEach(() => host.remove());

const OLD = `sha256:${'0a'.repeat(32)}`;
const NEW = `sha256:${'0b'.repeat(32)}`;
const PARTS = ['gentle.sh', 'data.sh', 'stage.sh', 'switch.sh', 'trial.sh', 'poll.sh'].map((name) =>
  join(AGENT, name),
);
/** As the agent has found itself in slot a; the manifest orders a switch to b. */
const SELF = `SLOT=a DISK=sda DIGEST=${OLD} TRIAL='' IN_TRIAL='' BOOT_ATTEMPT='' ATTEMPT='' REFUSED='' ETAG='' HOOK_SECONDS=3600
  M_SERIAL=1 M_ACTION=switch M_ATTEMPT=att-2 M_SLOT=b M_IMAGE_DIGEST=${NEW} M_IMAGE_NAME=os M_SWITCH=kexec M_POLL=15
  M_ROOT=PARTUUID=uuid-b M_APPEND='root=PARTUUID=uuid-b rw' M_TRIAL='warmboot.trial=300'\n`;

const grubenv = (values: Record<string, string>) =>
  host.write(
    'run/boot/grub/grubenv',
    Object.entries(values)
      .map(([key, value]) => `${key}=${value}\n`)
      .join(''),
  );
const read = (name: string) =>
  existsSync(host.path(name)) ? readFileSync(host.path(name), 'utf8').trim() : '';
const sent = () => [...read('requests').matchAll(/kind=(\S+)/g)].map(([, kind]) => kind);
const calls = (word: string) =>
  read('calls')
    .split('\n')
    .filter((line) => line.startsWith(word));

describe.each(SHELLS)('in %s', (...shell) => {
  const run = (script: string) => host.run(shell, SELF + script, PARTS).out;

  describe('what a trial came to', () => {
    const settle = (self: string) => run(`${self}; settle_trial; echo "[$IN_TRIAL]"`).split('\n').at(-1);

    test('no trial was begun', () => {
      expect([settle(':'), sent()]).toEqual(['[]', []]);
    });

    test('this is it: not yet confirmed', () => {
      host.write('run/state/trial', `att-2 b ${NEW} jumped boot-0\n`);
      expect(settle(`SLOT=b DIGEST=${NEW} TRIAL=300`)).toBe('[yes]');
      expect([sent(), existsSync(host.path('run/state/trial'))]).toEqual([[], true]);
    });

    test('it was confirmed in this boot: an agent that is started again is in no trial, though grubenv was lost', () => {
      host.write('run/confirmed', '');
      grubenv({});
      expect(settle(`SLOT=b DIGEST=${NEW} TRIAL=300`)).toBe('[]');
    });

    test('it was confirmed, but the power went before that could be told', () => {
      host.write('run/state/trial', `att-2 b ${NEW} jumped boot-0\n`);
      grubenv({ default: 'b', tries_b: '3' });
      expect(settle(`SLOT=b DIGEST=${NEW}`)).toBe('[]');
      expect([sent(), existsSync(host.path('run/state/trial'))]).toEqual([['confirmed'], false]);
      expect(read('requests')).toContain('attempt=att-2');
    });

    test('the boot loader came here because it could not load the default: no way leads back there', () => {
      host.write('run/state/trial', `att-2 b ${NEW} prepared boot-0\n`);
      grubenv({ default: 'a', tries_a: '3', tries_b: '0' });
      host.validSlot('a', OLD);
      host.validSlot('b', NEW);
      run(`SLOT=b DIGEST=${NEW}; settle_trial`);
      expect(calls('systemctl')).toEqual(['systemctl reboot']);
      host.write('run/state/trial', `att-2 b ${NEW} prepared boot-0\n`);
      host.write('calls', '');
      expect(settle(`SLOT=b DIGEST=${NEW} INSTEAD_OF=a`)).toBe('[]');
      expect([calls('systemctl'), sent()]).toEqual([[], ['rolled-back']]);
      expect(read('requests')).toContain('the boot loader could not load slot a, so it took slot b');
      run(`SLOT=b DIGEST=${NEW} INSTEAD_OF=a SERVER=; reset_tries`);
      expect(read('run/boot/grub/grubenv')).toMatch(/^default=b$/m);
    });

    test('a lost grubenv is no slot that could not be loaded', () => {
      grubenv({});
      expect(settle(`SLOT=b DIGEST=${NEW} INSTEAD_OF=`)).toBe('[]');
      expect(sent()).toEqual([]);
    });

    test('the boot loader came to the default because it could not load another: that stays the default', () => {
      grubenv({ default: 'a', tries_a: '2' });
      expect(settle('INSTEAD_OF=b')).toBe('[]');
      expect(sent()).toEqual([]);
    });

    test('back on the old slot after the jump', () => {
      host.write('run/state/trial', `att-2 b ${NEW} jumped boot-0\n`);
      expect(settle(':')).toBe('[]');
      expect([sent(), existsSync(host.path('run/state/trial'))]).toEqual([['rolled-back'], false]);
      expect(read('requests')).toContain('did not confirm');
      expect(read('run/state/refused')).toContain(NEW);
    });

    test.each([
      ['the machine restarted', 'boot-0'],
      ['the agent was started again', 'boot-1'],
    ])('a slot that had proved itself keeps its tries where the jump to it did not begin: %s', (_, boot) => {
      host.write('run/state/trial', `att-2 b ${NEW} prepared ${boot}\n`);
      host.write('run/state/tries', 'b 2\n');
      grubenv({ default: 'a', tries_a: '3', tries_b: '0' });
      settle(':');
      expect(read('run/boot/grub/grubenv')).toContain('tries_b=2');
      expect(existsSync(host.path('run/state/tries'))).toBe(false);
    });

    test('a slot whose trial failed keeps none', () => {
      host.write('run/state/trial', `att-2 b ${NEW} jumped boot-0\n`);
      host.write('run/state/tries', 'b 3\n');
      grubenv({ default: 'a', tries_a: '3', tries_b: '0' });
      settle(':');
      expect(read('run/boot/grub/grubenv')).toContain('tries_b=0');
      expect(existsSync(host.path('run/state/tries'))).toBe(false);
    });

    test('restarted before the jump: still staged, once an attempt, and nothing is held against the image', () => {
      const prepared = (attempt: string, boot: string) => {
        host.write('run/state/trial', `${attempt} b ${NEW} prepared ${boot}\n`);
        host.write('requests', '');
        settle(':');
        expect([existsSync(host.path('run/state/trial')), read('run/state/refused')]).toEqual([false, '']);
        return sent();
      };
      expect(prepared('att-2', 'boot-0')).toEqual(['staged']);
      expect(read('requests')).toMatch(
        new RegExp(`attempt=att-2 .*slot=b .*digest=${NEW} .*slots.b.state=valid`),
      );
      // The power went once more before this could be told.
      expect(prepared('att-2', 'boot-0')).toEqual(['staged']);
      expect(prepared('att-2', 'boot-00')).toEqual(['rolled-back']);
      expect(read('requests')).toContain('was never started');
      expect(prepared('att-3', 'boot-000')).toEqual(['staged']);
    });

    test('restarted before the jump, and that cannot be noted: no loop without an end', () => {
      host.write('run/state/trial', `att-2 b ${NEW} prepared boot-0\n`);
      settle('put() { return 1; }');
      expect(sent()).toEqual(['rolled-back']);
    });

    test('the agent was only started again before the jump', () => {
      host.write('run/state/trial', `att-2 b ${NEW} prepared boot-1\n`);
      expect([settle(':'), sent()]).toEqual(['[]', []]);
    });

    test('the trial slot without trial arguments is left, never confirmed', () => {
      host.write('run/state/trial', `att-2 b ${NEW} jumped boot-0\n`);
      run(`SLOT=b DIGEST=${NEW}; settle_trial`);
      expect([sent(), calls('systemctl'), calls('kexec')]).toEqual([[], ['systemctl reboot'], ['kexec -u']]);
    });

    test('what kept it from being confirmed is known on the slot it came back to, and what reset it', () => {
      host.write('run/state/trial', `att-2 b ${NEW} jumped boot-0\n`);
      const trial = `SLOT=b DIGEST=${NEW} TRIAL=300; settle_trial; somebody_answers() { return 1; }`;
      run(`${trial}; healthy() { REASON='the health hook 10-web ended with 1'; return 1; }; try_to_confirm`);
      expect(read('run/state/trial')).toBe(
        `att-2 b ${NEW} running boot-0 the health hook 10-web ended with 1`,
      );
      run(`${trial}; try_to_confirm`);
      host.write('sys/class/watchdog/watchdog0/bootstatus', '32\n');
      host.write('sys/class/watchdog/watchdog0/device/driver/module/x', '');
      settle(':');
      expect(read('requests')).toContain(
        `slot b (${NEW}) started and did not confirm: neither the server nor the gateway answered; the hardware watchdog (module) reset the machine`,
      );
    });

    test('a jump that was made ready before the agent was started again cannot happen later', () => {
      host.write('run/state/trial', `att-2 b ${NEW} jumped boot-1\n`);
      host.write('run/watchdog', 'watchdog0 i6300esb\n');
      grubenv({ default: 'a', tries_a: '3', next: 'b' });
      expect([settle(':'), sent(), calls('kexec')]).toEqual(['[]', [], ['kexec -u']]);
      expect(read('run/boot/grub/grubenv')).not.toContain('next=b');
      expect([existsSync(host.path('run/state/trial')), existsSync(host.path('run/watchdog'))]).toEqual([
        false,
        false,
      ]);
    });

    test('the trial slot runs without its trial because grubenv was lost: the default is named anew, not started for ever', () => {
      host.write('run/state/trial', `att-2 b ${NEW} jumped boot-0\n`);
      host.write('run/boot/warmboot/a/valid', `DIGEST='${OLD}'\nNAME='os'\nATTEMPT='x'\nMODIFIED='1'\n`);
      host.write('run/boot/grub/grubenv', '');
      run(`SLOT=b DIGEST=${NEW}; settle_trial`);
      expect([calls('systemctl'), read('run/boot/grub/grubenv').split('\n')]).toEqual([
        ['systemctl reboot'],
        ['default=a', 'tries_a=3'],
      ]);
    });

    test('the trial slot was taken because the default did not come up: it stays, there is nothing to go back to', () => {
      host.write('run/state/trial', `att-2 b ${NEW} prepared boot-0\n`);
      grubenv({ default: 'a', tries_a: '0', tries_b: '2' });
      expect(settle(`SLOT=b DIGEST=${NEW}`)).toBe('[]');
      expect([sent(), calls('systemctl')]).toEqual([['rolled-back'], []]);
      run(`SLOT=b; reset_tries`);
      expect(read('run/boot/grub/grubenv').split('\n').sort()).toEqual([
        'default=b',
        'tries_a=0',
        'tries_b=3',
      ]);
    });

    test('a default that is lost, or cannot be started, becomes the system that runs and is well', () => {
      host.write('run/boot/grub/grubenv', 'damaged');
      run('reset_tries');
      expect(read('run/boot/grub/grubenv')).toContain('default=a');
      grubenv({ default: 'b', tries_a: '3', tries_b: '3' });
      host.write('run/boot/warmboot/b/valid', '');
      run(`rm "$BOOT/warmboot/b/valid"; reset_tries`);
      expect(read('run/boot/grub/grubenv')).toContain('default=a');
    });

    test('somebody went back by hand: said once, with the reason, when the other slot runs', () => {
      host.write('run/state/rollback', `b ${NEW} a boot-1 by hand: too slow\n`);
      expect([settle(':'), sent()]).toEqual(['[]', []]);
      host.write('run/state/rollback', `b ${NEW} a boot-0 by hand: too slow\n`);
      settle(':');
      settle(':');
      expect(sent()).toEqual(['rolled-back']);
      expect(read('requests')).toContain(`slot b (${NEW}) was left by hand: by hand: too slow`);
    });

    test('the boot loader gave up the default: said, and the default follows', () => {
      grubenv({ default: 'b', tries_b: '0', tries_a: '2' });
      settle(':');
      expect(sent()).toEqual(['rolled-back']);
      host.write('requests', '');
      run('reset_tries; grubenv_get default; grubenv_get tries_a');
      expect(read('run/boot/grub/grubenv')).toContain('default=a');
      expect(read('run/boot/grub/grubenv')).toContain('tries_a=3');
      // For a server that thinks b the default there is no slot to stage to.
      expect(sent()).toEqual(['booted']);
      expect(read('requests')).toMatch(/default=a /);
      grubenv({ default: 'a', tries_a: '2' });
      run('reset_tries');
      expect(sent()).toEqual(['booted']);
    });
  });

  test('on a disk that was composed there is no server: the boot counts as a good one all the same', () => {
    grubenv({ default: 'a', tries_a: '1', tries_b: '3' });
    const healthy = 'healthy() { [ -e "$T/well" ] || { : > "$T/well"; REASON=sick; return 1; }; }';
    run(`${healthy}; stand_alone`);
    expect(read('run/log')).toContain(`booted slot a ${OLD}, without a server`);
    expect(read('run/boot/grub/grubenv').split('\n').sort()).toEqual(['default=a', 'tries_a=3', 'tries_b=3']);
    expect(run('slot_state a')).toBe('modified');
    expect(sent()).toEqual([]);
  });

  test('a server that was restored is told once more what runs here, once for each restore', () => {
    host.write('run/announced', '');
    const told = (at: string) => run(`M_ANNOUNCE=${at}; announce_again && echo told || echo known`);
    expect(
      ['', '1795600000000', '1795600000000', '1795700000000'].map((at) => told(at).split('\n').at(-1)),
    ).toEqual(['known', 'told', 'known', 'told']);
    expect(sent()).toEqual(['booted', 'booted']);
    expect(read('requests')).toMatch(/slot=a/);
  });

  describe('what failed here', () => {
    beforeEach(() => {
      host.write('uuid', 'uuid-b\n');
      host.write('run/state/trial', `att-2 b ${NEW} jumped boot-0\n`);
      run('settle_trial');
      host.write('requests', '');
    });

    test.each(['switch', 'M_ACTION=stage; stage'])('is not tried again for the same attempt: %s', (order) => {
      run(`${order}`);
      expect([sent(), calls('systemctl')]).toEqual([['failed'], []]);
      expect(read('requests')).toContain('not tried again on this host until it is ordered anew');
    });

    test('is tried again when it is ordered anew, and forgotten when it is good', () => {
      run('M_ATTEMPT=att-3; switch');
      expect(calls('systemctl')).toEqual(['systemctl kexec']);
      run(`SLOT=b DIGEST=${NEW} TRIAL=300 IN_TRIAL=yes; try_to_confirm`);
      expect(existsSync(host.path('run/state/refused'))).toBe(false);
    });
  });

  test.each([['fails', 'exit 3', 'ended with 3']])(
    'a health hook that %s keeps nobody waiting',
    (_, script, words) => {
      host.write('hook', `#!/bin/sh\n${script}\n`, 0o755);
      expect(run('bounded "$T/hook" || echo "$ENDED"')).toBe(words);
    },
  );

  test('work that waits between two commands has no number of a process, which may be anybody’s by then', () => {
    host.write('command', '#!/bin/sh\ncat "$T/run/work/pid" > "$T/seen"\nexit 3\n', 0o755);
    expect(run('tracked "$T/command"; echo "$?"; drop_work > /dev/null; ls "$WB_RUN/work"')).toBe(
      '3\ncommand.err\nunwanted',
    );
    expect(read('seen')).toMatch(/^\d+$/);
  });

  test('what a health hook has to say again and again does not fill the memory', () => {
    host.write('hook', '#!/bin/sh\nhead -c 700000 /dev/zero; exit 1\n', 0o755);
    run('for round in 1 2 3 4; do bounded "$T/hook"; done');
    expect(statSync(host.path('run/log')).size).toBeLessThan(1_000_000);
  });

  test('a file that the power went away from is not kept beside the whole ones', () => {
    for (const name of ['serial', 'serial.new', 'files/0a.tar', 'files/0b.tar.new', 'outbox/00000001.new'])
      host.write(`run/state/${name}`, 'x');
    expect(run('mount_state sda; cd "$STATE"; echo * */*')).toBe('files outbox serial files/0a.tar');
  });

  describe('confirming', () => {
    const inTrial = `SLOT=b DIGEST=${NEW} TRIAL=300 IN_TRIAL=yes; healthy() { [ ! -e "$T/sick" ] || { REASON=sick; return 1; }; }
      gateway_answers() { [ -e "$T/gateway" ]; }\n`;
    beforeEach(() => host.write('run/state/trial', `att-2 b ${NEW} jumped boot-0\n`));

    test('moves the default, then tells, all in one write of grubenv', () => {
      expect(run(`${inTrial} try_to_confirm && echo "good [$IN_TRIAL]"`)).toContain('good []');
      expect(calls('grubenv')).toEqual(['grubenv default=b tries_b=3 next=']);
      expect(read('run/state/former')).toBe('a');
      expect(sent()).toEqual(['confirmed']);
      expect([existsSync(host.path('run/confirmed')), existsSync(host.path('run/state/trial'))]).toEqual([
        true,
        false,
      ]);
    });

    test('a health hook that hangs and does not listen is killed', () => {
      host.write(
        'etc/health.d/50-hangs',
        "#!/bin/sh\ntrap '' TERM\nwhile :; do /bin/sleep 60; done\n",
        0o755,
      );
      // Its five seconds to listen are one here.
      const soon = `timeout() { [ "$1 $2" = '-k 5' ] && shift 2 && command timeout -k 1 "$@"; }`;
      expect(run(`HOOK_SECONDS=1 WB_ETC="$T/etc"; ${soon}; healthy || echo "$REASON"`)).toContain(
        '50-hangs did not end within 1 s',
      );
    });

    test('not where the system did not get its identity and files; a system without a way back goes on', () => {
      host.write('run/early-cut', '');
      run(`SLOT=b DIGEST=${NEW} TRIAL=300 IN_TRIAL=yes; try_to_confirm`);
      expect([calls('grubenv'), read('run/state/trial')]).toEqual([
        [],
        expect.stringContaining('not put in place'),
      ]);
      expect(run('healthy && echo good')).toBe('good');
    });

    test('not where the files of this host are not all in place', () => {
      host.write('run/early-failed', 'files: No space left on device\n');
      run(`SLOT=b DIGEST=${NEW} TRIAL=300 IN_TRIAL=yes; try_to_confirm`);
      expect([calls('grubenv'), read('run/state/trial')]).toEqual([
        [],
        expect.stringContaining(
          'the files of this host are not all in place: files: No space left on device',
        ),
      ]);
      expect(run('healthy && echo good')).toBe('good');
    });

    test('not while a health hook says no', () => {
      host.write('sick', '');
      run(`${inTrial} try_to_confirm`);
      expect([calls('grubenv'), existsSync(host.path('run/confirmed'))]).toEqual([[], false]);
    });

    test('not while neither the server nor the gateway answers; either is enough', () => {
      host.write('status', '000');
      run(`${inTrial} try_to_confirm`);
      expect(existsSync(host.path('run/confirmed'))).toBe(false);
      host.write('gateway', '');
      run(`${inTrial} try_to_confirm`);
      expect(existsSync(host.path('run/confirmed'))).toBe(true);
    });

    test('not when grubenv cannot be written', () => {
      host.write('bin/mount', '#!/bin/sh\nexit 32\n', 0o755);
      run(`${inTrial} try_to_confirm`);
      expect(existsSync(host.path('run/confirmed'))).toBe(false);
      expect(read('run/state/trial')).toMatch(/ running boot-0 the boot default could not be moved here/);
    });
  });

  describe('switching', () => {
    beforeEach(() => host.write('uuid', 'uuid-b\n'));

    test('notes the trial, tells, loads, jumps', () => {
      run('switch');
      expect(sent()[0]).toBe('switching');
      expect(calls('kexec').slice(0, 2)).toEqual([
        'kexec -u',
        `kexec -a -l ${host.path('run/boot/warmboot/b/vmlinuz')} --initrd=${host.path('run/boot/warmboot/b/initrd.img')} --command-line=root=PARTUUID=uuid-b rw warmboot.trial=300`,
      ]);
      expect(calls('systemctl')).toEqual(['systemctl kexec']);
      expect(read('run/boot/warmboot/b/cmdline')).toBe('root=PARTUUID=uuid-b rw');
    });

    test('goes through the firmware where kexec is not wanted or does not load', () => {
      for (const how of ['M_SWITCH=reboot', ':']) {
        host.write('calls', '');
        host.write('kexec', how === ':' ? '1' : '0');
        host.write('requests', '');
        run(`${how}; switch`);
        // What kexec has against it is told before the firmware takes its time.
        expect(sent()).toEqual([...(how === ':' ? ['switching'] : []), 'switching', 'failed']);
        expect(/phase=jump reason=kexec refuses the kernel of slot b/.test(read('requests'))).toBe(
          how === ':',
        );
        expect(calls('grubenv')).toContain('grubenv next=b');
        expect(calls('systemctl')).toEqual(['systemctl reboot']);
        expect(calls('kexec').at(-1)).toBe('kexec -u');
      }
    });

    test('the watchdog that guards the jump is named to the system that has to feed it', () => {
      run('watchdog_for_jump() { echo i6300esb; }; switch');
      expect(calls('kexec')[1]).toMatch(/ warmboot\.trial=300 warmboot\.watchdog=i6300esb$/);
      host.write('calls', '');
      run('watchdog_for_jump() { echo i6300esb; }; M_SWITCH=reboot; switch');
      expect(read('calls')).not.toContain('i6300esb');
    });

    test('no jump without a note of it: nobody would know afterwards what became of it', () => {
      run('put() { return 1; }; boot_writable() { :; }; slot_change_command_line() { :; }; switch');
      expect([calls('systemctl'), calls('kexec')]).toEqual([[], ['kexec -u']]);
      expect(read('run/log')).toContain('the state partition cannot be written');
    });

    test('what was made ready for a jump that did not come is taken back', () => {
      host.write('bin/systemctl', '#!/bin/sh\nexit 1\n', 0o755);
      run('M_SWITCH=reboot; switch');
      expect([sent(), existsSync(host.path('run/state/trial'))]).toEqual([['switching', 'failed'], false]);
      expect(read('run/boot/grub/grubenv')).not.toContain('next=');
      expect(calls('kexec').at(-1)).toBe('kexec -u');
    });

    test('a trial of the boot default, from a slot that somebody started by hand, has a way back too', () => {
      grubenv({ default: 'b', tries_b: '3' });
      run('switch');
      expect([calls('systemctl'), read('run/boot/grub/grubenv')]).toEqual([
        ['systemctl kexec'],
        expect.stringMatching(/default=a/),
      ]);
    });

    test.each([
      ['the default has used up its tries', { default: 'a', tries_a: '0' }],
      ['the boot loader has given up the default and came here', { default: 'c', tries_c: '0' }],
      ['the ordered slot was the default once', { default: 'a', tries_a: '1', tries_b: '3' }],
    ])('the boot loader falls back to this system, and never to the slot on trial: %s', (_, before) => {
      host.validSlot('c', NEW);
      grubenv(before);
      run('switch');
      expect(calls('grubenv')[0]).toBe('grubenv default=a tries_a=3 tries_b=0');
      expect(calls('systemctl')).toEqual(['systemctl kexec']);
    });

    test('an old manifest that somebody slips in when it is about to jump changes nothing', () => {
      const script = `
        manifest_fetch() { M_ACTION='' M_SLOT=c M_APPEND=old M_TRIAL='' M_IMAGE_DIGEST=${OLD}; return 3; }
        report_send() { case $(cat "$2") in *kind=switching*) return 2 ;; esac; }`;
      run(`${script}; switch`);
      expect(calls('kexec')[1]).toMatch(
        /boot\/b\/vmlinuz .*--command-line=root=PARTUUID=uuid-b rw warmboot\.trial=300$/,
      );
      expect(calls('systemctl')).toEqual(['systemctl kexec']);
    });

    test.each([
      ['is no longer wanted', 'report() { return 2; }; manifest_fetch() { M_ATTEMPT=att-3; }'],
      ['does not come', 'systemctl() { return 1; }'],
      ['cannot be noted', 'note_trial() { return 1; }'],
    ])('a trial that does not begin leaves its slot as it was, proved or not: the jump %s', (_, how) => {
      for (const tries of ['3', '0']) {
        grubenv({ default: 'a', tries_a: '2', tries_b: tries });
        run(`sleep() { :; }; ${how}; switch`);
        expect(read('run/boot/grub/grubenv').split('\n')).toEqual(
          expect.arrayContaining(['default=a', 'tries_a=3', `tries_b=${tries}`]),
        );
        expect(existsSync(host.path('run/state/tries'))).toBe(false);
      }
    });

    test.each([
      ['systemd is stopping units', 'is-system-running', 'echo stopping'],
      ['logind waits for those who asked for time', 'get-property', "echo 'b true'"],
    ])('a jump that is late is not taken back while %s', (_, word, answer) => {
      const program = `#!/bin/sh\necho "\${0##*/} $*" >> "$T/calls"\n`;
      const told = `case $1 in ${word}) [ "$(grep -c "$1" "$T/calls")" -gt 3 ] || ${answer} ;; esac\n`;
      for (const name of ['systemctl', 'busctl']) host.write(`bin/${name}`, program + told, 0o755);
      run(`busctl() { "$T/bin/busctl" "$@"; }; sleep() { echo "sleep $*" >> "$T/calls"; }
        stays_here() { echo stays >> "$T/calls"; }; switch`);
      expect(calls('sleep')).toEqual(Array(4).fill('sleep 300'));
      const order = read('calls').split('\n');
      expect(order.lastIndexOf('kexec -u')).toBeGreaterThan(order.lastIndexOf('sleep 300'));
      expect(order.indexOf('stays')).toBeGreaterThan(order.lastIndexOf('sleep 300'));
      expect(sent()).toEqual(['switching', 'failed']);
    });

    test('no jump where the way back cannot be written', () => {
      run('grubenv_set() { return 1; }; switch');
      expect([calls('systemctl'), calls('kexec')]).toEqual([[], []]);
      expect(read('requests')).toContain('grubenv cannot be written');
    });

    test.each([
      ['M_TRIAL=oops=panic', 'no way back'],
      ['M_TRIAL=warmboot.trial=soon', 'no way back'],
      ['M_TRIAL="warmboot.trial=0 x"', 'no way back'],
      ['rm "$BOOT/warmboot/a/valid"', "the boot default is slot 'a', which is invalid"],
      ['IN_TRIAL=yes', 'a trial is going on'],
      ['M_SLOT=a', 'slot a is running'],
      [`M_IMAGE_DIGEST=${OLD}`, 'not sha256:0a0a'],
      ['M_TRIAL=', 'no way back'],
      ['M_ROOT=PARTUUID=other', "root is 'PARTUUID=other'"],
      ['M_SLOT=c', 'not sha256'],
    ])('refuses with %s', (self, why) => {
      run(`${self}; switch`);
      expect([sent(), calls('systemctl'), calls('kexec')]).toEqual([['failed'], [], []]);
      expect(read('requests')).toContain(why);
    });
  });

  describe('staging', () => {
    beforeEach(() => {
      host.write('uuid', 'uuid-b\n');
      host.write('run/boot/warmboot/b/valid', `DIGEST='${OLD}'\nNAME='os'\nATTEMPT='x'\n`);
    });
    const stage = (self: string) =>
      run(`${self}; stage_work() { echo "write $1" >> "$T/calls"; }; sleep() { :; }; M_ACTION=stage; stage`);

    test('writes the other slot', () => {
      stage(':');
      expect([calls('write'), sent()]).toEqual([['write /dev/sda5'], ['staged']]);
    });

    test('keeps nothing of the image in memory', () => {
      host.write('run/work/index-a.json', '{}');
      stage(':');
      expect(existsSync(host.path('run/work/index-a.json'))).toBe(false);
    });

    test('with the service made light, and heavy again when it is done', () => {
      host.write('proc/self/autogroup', '/autogroup-7 nice 0\n');
      run(
        `stage_work() { cp "$WB_PROC/self/autogroup" "$T/beside"; }; sleep() { :; }; M_ACTION=stage; stage`,
      );
      expect([read('beside'), read('proc/self/autogroup'), sent()]).toEqual(['19', '0', ['staged']]);
    });

    test('does not write what this attempt wrote already', () => {
      host.validSlot('b', NEW, 'att-2');
      stage(':');
      expect([calls('write'), sent()]).toEqual([[], ['staged']]);
    });

    test('writes anew what another attempt wrote, or what has been run', () => {
      host.validSlot('b', NEW, 'att-1');
      stage(':');
      host.write('run/boot/warmboot/b/valid', `DIGEST='${NEW}'\nNAME='os'\nATTEMPT='att-2'\nMODIFIED='1'\n`);
      stage(':');
      expect(calls('write')).toEqual(['write /dev/sda5', 'write /dev/sda5']);
    });

    test.each([
      ['M_SLOT=a', 'slot a is running'],
      ['SLOT=b M_SLOT=a', 'slot a is the boot default'],
      ['IN_TRIAL=yes', 'a trial is going on'],
      ['M_SLOT=d', "no slot 'd'"],
      ['M_ROOT=PARTUUID=other', "root is 'PARTUUID=other'"],
    ])('refuses with %s', (self, why) => {
      stage(self);
      expect([calls('write'), sent()]).toEqual([[], ['failed']]);
      expect(read('requests')).toContain(why);
    });

    test('refuses a slot that is mounted', () => {
      host.write('proc/self/mountinfo', '30 1 8:5 / /mnt rw - ext4 /dev/sda5 rw\n');
      stage(':');
      expect(read('requests')).toContain('slot b is mounted');
    });

    test('clears what an earlier trial left', () => {
      host.write('run/state/trial', 'att-1 b x jumped boot-0\n');
      grubenv({ default: 'a', next: 'b' });
      stage(':');
      expect(existsSync(host.path('run/state/trial'))).toBe(false);
      expect(calls('grubenv')).toContain('grubenv next=');
    });
  });

  describe('an install that was ordered', () => {
    const install = (self = ':') => {
      host.write('calls', '');
      run(`WB_ETC=$T/etc; ${self}; M_ACTION=install; install`);
      return calls('systemctl');
    };

    test('restarts the machine, once more when that led to its disk, and no third time', () => {
      expect([install(), install()]).toEqual([['systemctl reboot'], ['systemctl reboot']]);
      expect(sent()).toEqual([]);
      expect([install(), sent()]).toEqual([[], ['failed']]);
      expect(read('requests')).toContain('the machine came back from its disk, 2 times');
      // Another order is another count.
      expect(install('M_ATTEMPT=att-3')).toEqual(['systemctl reboot']);
    });

    test('an agent of before left no number', () => {
      host.write('run/state/netboot', 'att-2\n');
      expect([install(), install(), sent()]).toEqual([['systemctl reboot'], [], ['failed']]);
    });

    test('does not restart for ever a machine that cannot count', () => {
      expect([install('put() { return 1; }'), sent()]).toEqual([[], ['failed']]);
      expect(read('requests')).toContain('phase=netboot');
      expect(read('requests')).toContain('the state partition cannot be written');
    });

    test.each([
      [75, []],
      [1, ['failed']],
    ])('waits for the hooks that drain the machine: %d', (code, said) => {
      host.write('etc/pre-switch.d/10-drain', `#!/bin/sh\nexit ${code}\n`, 0o755);
      expect([install(), sent()]).toEqual([[], said]);
      expect(existsSync(host.path('run/state/netboot'))).toBe(false);
    });
  });

  describe('a machine that was drained and stays', () => {
    const hook = (folder: string, text: string) =>
      host.write(`etc/${folder}/10-balancer`, `#!/bin/sh\n${text}\n`, 0o755);
    const drained = (script: string) => run(`WB_ETC="$T/etc"; sleep() { :; }; ${script}`);
    const inAndOut = () => read('balancer').split('\n');
    beforeEach(() => {
      host.write('uuid', 'uuid-b\n');
      hook('pre-switch.d', `echo out >> '${host.path('balancer')}'; exit $(cat '${host.path('ends')}')`);
      hook('switch-cancelled.d', `echo in >> '${host.path('balancer')}'`);
      host.write('ends', '0');
    });

    test.each([
      ['the hook that drains it fails', '1', 'switch'],
      ['the jump does not come', '0', 'systemctl() { return 1; }; switch'],
      [
        'the order is taken back while a hook puts it off',
        '75',
        'switch; M_ACTION=hold M_REASON=x; act; act',
      ],
      ['another image is ordered meanwhile', '75', 'switch; M_ACTION=stage; stage() { :; }; act; act'],
      [
        'it is no longer wanted when the jump is told',
        '0',
        'report() { return 2; }; manifest_fetch() { M_ATTEMPT=att-3; }; switch',
      ],
    ])('is taken back, once: %s', (_, ends, script) => {
      host.write('ends', ends);
      drained(script);
      expect(inAndOut()).toEqual(['out', 'in']);
    });

    test('not while a hook only puts it off, nor where nothing was drained', () => {
      host.write('ends', '75');
      drained('switch; switch');
      expect(inAndOut()).toEqual(['out', 'out']);
      host.write('balancer', '');
      drained('rm "$WB_RUN/drained"; M_TRIAL=; switch; M_ACTION=none; act');
      expect(inAndOut()).toEqual(['']);
    });

    test('a hook that fails is said', () => {
      host.write('ends', '1');
      hook('switch-cancelled.d', 'exit 3');
      drained('switch');
      expect(read('run/log')).toContain('the hook 10-balancer, for a machine that stays, ended with 3');
    });
  });
});
