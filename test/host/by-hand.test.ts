import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { hasStarted } from '../../lab/child.ts';
import { BOOT_RULES } from './boot-rules.ts';
import { AGENT, FakeHost, SHELLS } from './shell.ts';

/** `warmboot-agent status` and `rollback`: the real program, over a machine of files. */

const PROGRAM = join(AGENT, '../../bin/warmboot-agent');
const OLD = `sha256:${'0a'.repeat(32)}`;
const NEW = `sha256:${'0b'.repeat(32)}`;

let host: FakeHost;
/** The same folder by a name without a space: the kernel writes those of mount points in another way. */
let plain: string;
beforeEach(() => {
  host = new FakeHost();
  plain = join(mkdtempSync(join(tmpdir(), 'warmboot-by-hand-')), 'host');
  symlinkSync(host.root, plain);
  host.isInstalled({ slot: 'b', digest: NEW, attempt: 'att-2' });
  host.validSlot('a', OLD);
  for (const slot of ['a', 'b']) {
    host.write(`run/boot/warmboot/${slot}/vmlinuz`, 'x');
    host.write(`run/boot/warmboot/${slot}/initrd.img`, 'x');
    marked(slot, slot === 'a' ? OLD : NEW);
  }
  mounted(`${plain}/run/boot`, `${plain}/run/state`);
  host.write('run/state/host', '52:54:00:00:00:01\n');
  host.write('run/state/server.url', 'http://10.0.0.1:8080\n');
  host.write('run/log', '');
  grubenv({ default: 'b', tries_a: '2', tries_b: '3' });
});
afterEach(() => {
  host.remove();
  rmSync(join(plain, '..'), { recursive: true });
});

/** Run since it was written. */
function marked(slot: string, digest: string) {
  host.write(
    `run/boot/warmboot/${slot}/valid`,
    `DIGEST='${digest}'\nNAME='os-${slot}'\nATTEMPT='att-${slot}'\nMODIFIED='1'\n`,
  );
}
const mounted = (...places: readonly string[]) =>
  host.write(
    'proc/self/mountinfo',
    ['29 1 8:9 / / rw - ext4 /dev/root rw', ...places.map((at) => `30 1 8:2 / ${at} rw - x x rw`), ''].join(
      '\n',
    ),
  );
const grubenv = (values: Readonly<Record<string, string>>) =>
  host.write(
    'run/boot/grub/grubenv',
    Object.entries(values)
      .map(([key, value]) => `${key}=${value}\n`)
      .join(''),
  );
const read = (name: string) =>
  existsSync(host.path(name)) ? readFileSync(host.path(name), 'utf8').trim() : '';
const manifest = (values: Readonly<Record<string, string>>) =>
  host.write(
    'run/manifest',
    Object.entries({ VERSION: '1', SERIAL: '7', HOST: '52:54:00:00:00:01', ...values })
      .map(([key, value]) => `${key}='${value}'\n`)
      .join(''),
  );
const calls = () =>
  read('calls')
    .split('\n')
    .filter((line) => /^(kexec|systemctl|mount|umount)/.test(line));

describe.each(SHELLS)('in %s', (...shell) => {
  const agent = (...words: readonly string[]) => {
    const [program = 'sh', ...options] = shell;
    const ended = spawnSync(program, [...options, PROGRAM, ...words], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...host.env, WB_RUN: `${plain}/run` },
    });
    const { status, stdout, stderr } = hasStarted(program, ended);
    return { status, out: stdout, err: stderr };
  };
  const status = () => {
    const { status: code, out, err } = agent('status');
    expect([code, err]).toEqual([0, '']);
    return Object.fromEntries(
      out
        .trim()
        .split('\n')
        .map((line) => [line.slice(0, 9).trim(), line.slice(10)]),
    );
  };

  test('asked for something else, it says what it knows', () => {
    expect(agent()).toMatchObject({ status: 2, err: expect.stringContaining('warmboot-agent rollback') });
    expect(agent('--help')).toMatchObject({ status: 0, out: expect.stringContaining('status') });
    expect(agent('status', 'now').err).toBe('warmboot-agent: status takes no arguments\n');
    host.write('proc/self/mountinfo', '29 1 0:5 / / rw - overlay overlay rw\n');
    expect(agent('status')).toMatchObject({
      status: 1,
      err: expect.stringContaining('does not run from a Warmboot slot'),
    });
  });

  describe('status', () => {
    test('what is on each slot, what runs, what is next and why', () => {
      manifest({ ACTION: 'none', REASON: 'the host runs its image' });
      host.write('run/heard', '88\n');
      expect(status()).toEqual({
        host: '52:54:00:00:00:01 of http://10.0.0.1:8080, which answered 12 s ago',
        'slot a': `modified os-a ${OLD}`,
        'slot b': `modified os-b ${NEW} [running, boot default]`,
        'power-on': 'slot b, the boot default; it has 3 of 3 tries left',
        next: 'nothing: the host runs its image',
        watchdog: expect.stringContaining('none that this kernel has a driver for'),
      });
    });

    test('a disk that takes no writes', () => {
      expect(status()).not.toHaveProperty('disk');
      host.write('proc/cmdline', 'rw warmboot.slot=b ro warmboot.disk=read-only\n');
      expect(status().disk).toBe('sda takes no writes any more: replace it, and reinstall this host');
    });

    test.each([
      [{ ACTION: 'hold', REASON: 'held: disk is changed' }, 'nothing, it is held: held: disk is changed'],
      [
        { ACTION: 'stage', SLOT: 'a', IMAGE_NAME: 'os-c', ATTEMPT: 'att-3', REASON: 'os-c is to be written' },
        'os-c is written to slot a: os-c is to be written (attempt att-3)',
      ],
      [
        { ACTION: 'switch', SLOT: 'a', ATTEMPT: 'att-3', REASON: 'slot a holds os-c' },
        'a jump to slot a on trial: slot a holds os-c (attempt att-3)',
      ],
    ])('the server’s word: %o', (values, words) => {
      manifest(values);
      expect(status().next).toBe(words);
    });

    test('with no server', () => {
      expect(status()).toMatchObject({
        host: '52:54:00:00:00:01 of http://10.0.0.1:8080, which has not answered since this boot',
        next: 'nothing until the server answers; a server that is away changes nothing here',
      });
      host.write('run/state/host', '');
      execFileSync('rm', [host.path('run/state/host'), host.path('run/state/server.url')]);
      expect(status()).toMatchObject({
        host: 'belongs to no server: its disk was composed, not installed',
        next: 'nothing: there is no server that could order anything',
      });
    });

    test('on trial: how long still, where to, and what is in the way', () => {
      host.write('proc/cmdline', 'rw warmboot.slot=b warmboot.trial=600\n');
      host.write('run/state/trial', `att-2 b ${NEW} running boot-0 the health hook 10-web ended with 1\n`);
      grubenv({ default: 'a', tries_a: '3', tries_b: '3' });
      expect(status()).toMatchObject({
        'slot b': `modified os-b ${NEW} [running on trial]`,
        'power-on': 'slot a, the boot default; it has 3 of 3 tries left',
        next: 'back to slot a in 500 s, unless this trial (attempt att-2) is confirmed before; it is not yet: the health hook 10-web ended with 1',
      });
      host.write('run/confirmed', '');
      expect(status().next).not.toContain('back');
    });

    test('an image that failed here, and reports that wait', () => {
      host.write('run/state/refused', `${OLD}\natt-1\nit said nothing of itself\n`);
      host.write('run/state/outbox/00000001', 'kind=rolled-back\nattempt=att-1\n');
      host.write('run/state/outbox/00000002', 'kind=booted\n');
      expect(status()).toMatchObject({
        reports: '2 for the server, the first one: rolled-back',
        refused: `${OLD} is not tried again on this host until it is ordered anew: it said nothing of itself`,
      });
    });

    test('a jump that is under way, and work', () => {
      host.write('run/state/trial', `att-3 a ${OLD} prepared boot-1\n`);
      expect(status().next).toBe('a jump to slot a on trial (attempt att-3), which is under way');
      host.write('run/state/trial', `att-3 a ${OLD} prepared boot-0\n`);
      manifest({ ACTION: 'stage', SLOT: 'a' });
      host.write('run/work/phase', 'write\n');
      host.write('run/work/worker', `${process.pid}\n`);
      expect(status().next).toBe('slot a is being written: write');
      host.write('run/work/result', '');
      expect(status().next).toContain('is written to slot a');
    });

    test('watchdogs', () => {
      host.write('sys/class/watchdog/watchdog0/nowayout', '0\n');
      host.write('sys/class/watchdog/watchdog0/bootstatus', '32\n');
      host.write('sys/class/watchdog/watchdog0/device/driver/module/x', '');
      expect(agent('status').out).toMatch(
        /watchdog0 \(module\), free; it cannot guard a jump, for this kernel stops it/,
      );
      host.write('sys/module/watchdog/parameters/stop_on_reboot', '0\n');
      host.write('proc/1/comm', 'systemd\n');
      execFileSync('mkdir', ['-p', host.path('proc/1/fd')]);
      execFileSync('ln', ['-s', '/dev/watchdog0', host.path('proc/1/fd/9')]);
      const { out } = agent('status');
      expect(out).toMatch(/watchdog0 \(module\), held by systemd \(1\); it may guard a jump/);
      expect(out).toMatch(/watchdog +module made the last start of this machine/);
      host.write('sys/class/watchdog/watchdog1/nowayout', '0\n');
      host.write('sys/class/watchdog/watchdog1/identity', 'i6300ESB timer\n');
      expect(agent('status').out).toMatch(
        /watchdog1 \(of an unknown driver\), free; it cannot guard a jump, for nobody knows whether/,
      );
    });

    test('with no agent running, for this moment and read-only', () => {
      mounted();
      const { out } = agent('status');
      expect(calls().filter((line) => line.startsWith('mount'))).toEqual([
        `mount -t vfat -o ro,umask=077,errors=continue /dev/sda2 ${plain}/run/look-boot`,
        `mount -t ext4 -o ro,noload,nodev,nosuid,noexec /dev/sda3 ${plain}/run/look-state`,
      ]);
      expect(calls().at(-1)).toMatch(/^umount .*look-boot .*look-state$/);
      expect(out).toContain('agent     does not run');
    });

    test.each(BOOT_RULES.map((rule) => [rule.when, rule] as const))(
      'what the next power-on starts: %s',
      (_, rule) => {
        host.write('run/boot/warmboot/x', '');
        execFileSync('sh', ['-c', 'rm -rf "$1"/*', 'sh', host.path('run/boot/warmboot')]);
        for (const slot of rule.valid) host.validSlot(slot, OLD);
        if (rule.grubenv) grubenv(rule.grubenv);
        else host.write('run/boot/grub/grubenv', 'damaged');
        const { out } = host.run(shell, 'power_on "a b c d e f g h"', [join(AGENT, 'status.sh')]);
        expect(out || null).toBe(rule.boots);
      },
    );
  });

  describe('rollback', () => {
    test('moves the default first, remembers what is left, and jumps', () => {
      manifest({ ACTION: 'none', REASON: 'x', ATTEMPT: 'att-9', SWITCH: 'kexec' });
      expect(agent('rollback', 'the', 'web', 'is', 'slow; $(reboot)')).toMatchObject({ status: 0, err: '' });
      expect(read('run/boot/grub/grubenv').split('\n').sort()).toEqual([
        'default=a',
        'tries_a=3',
        'tries_b=3',
      ]);
      const why = 'ordered by hand on the host: the web is slow;  (reboot)';
      expect(read('run/state/refused').split('\n')).toEqual([NEW, 'att-9 att-b ', why]);
      expect(read('run/state/rollback')).toBe(`b ${NEW} a boot-1 ${why}`);
      expect(calls().filter((line) => !line.includes('mount'))).toEqual([
        'systemctl stop warmboot-agent.service',
        'kexec -u',
        `kexec -a -l ${plain}/run/boot/warmboot/a/vmlinuz --initrd=${plain}/run/boot/warmboot/a/initrd.img --command-line=root=PARTUUID=a`,
        'systemctl kexec',
      ]);
    });

    test.each([
      ['--firmware is asked for', ['--firmware'], 'kexec'],
      ['the host is set to go through its firmware', [], 'reboot'],
      ['kexec does not take the kernel', [], 'kexec'],
    ])('through the firmware where %s', (when, words, how) => {
      manifest({ ACTION: 'none', REASON: 'x', SWITCH: how });
      if (when.startsWith('kexec')) host.write('kexec', '1');
      expect(agent('rollback', ...words).status).toBe(0);
      expect(calls().slice(-2)).toEqual(['kexec -u', 'systemctl reboot']);
      expect(read('run/boot/grub/grubenv')).toContain('default=a');
    });

    test('of a trial: back to the boot default, and the trial says why', () => {
      host.write('proc/cmdline', 'rw warmboot.slot=b warmboot.trial=600\n');
      host.write('run/state/trial', `att-2 b ${NEW} running boot-0 x\n`);
      grubenv({ default: 'a', tries_a: '3', tries_b: '3' });
      expect(agent('rollback').status).toBe(0);
      expect(read('run/state/trial')).toBe(`att-2 b ${NEW} running boot-0 ordered by hand on the host`);
      expect(existsSync(host.path('run/state/rollback'))).toBe(false);
      expect(read('run/state/refused')).toContain('att-2');
    });

    const untouched = () => {
      expect(read('run/boot/grub/grubenv')).toContain('default=b');
      expect(calls().filter((line) => !line.startsWith('mount'))).toEqual([]);
      expect(existsSync(host.path('run/state/refused'))).toBe(false);
    };
    test.each([
      ['no other slot is valid', 'rm "$T/run/boot/warmboot/a/valid"', [], 'no other slot holds a system'],
      ['its kernel is gone', ': > "$T/run/boot/warmboot/a/vmlinuz"', [], 'slot a lacks its kernel'],
      [
        'the other one was staged since and has not run',
        `echo a > "$T/run/state/former"; sed -i /MODIFIED/d "$T/run/boot/warmboot/a/valid"`,
        [],
        'no other slot holds a system that has run on this host',
      ],
      [
        'a jump is under way',
        `echo "att-3 a ${OLD} jumped boot-1" > "$T/run/state/trial"`,
        [],
        'a jump to slot a is under way',
      ],
      ['it names the slot that runs', ':', ['--to', 'b'], 'slot b is the one that runs'],
      ['it names no slot', ':', ['--to', '../x'], "'../x' is no slot"],
      ['it names an empty slot', ':', ['--to', 'c'], 'slot c is empty'],
      ['it is asked for what it does not know', ':', ['--force'], "'--force' is none of its options"],
    ])('is refused, and nothing is changed, where %s', (_, spoil, words, why) => {
      execFileSync('sh', ['-c', spoil], { env: { T: host.root, PATH: process.env.PATH } });
      expect(agent('rollback', ...words)).toMatchObject({ status: 1, err: expect.stringContaining(why) });
      untouched();
    });

    test('a system that failed its trial here is no way back, unless it is named', () => {
      host.write('run/state/refused', `${OLD}\natt-3\nit said nothing of itself\n`);
      host.write('run/state/former', 'a\n');
      expect(agent('rollback')).toMatchObject({
        status: 1,
        err: expect.stringContaining('unless it failed here'),
      });
      expect(read('run/boot/grub/grubenv')).toContain('default=b');
      expect(agent('rollback', '--to', 'a').status).toBe(0);
      expect(read('run/boot/grub/grubenv')).toContain('default=a');
    });

    test('of several slots the one that was the default before; else it has to be named', () => {
      host.write('sys/devices/pci0/block/sda/sda6/partition', '6\n');
      host.write('sys/devices/pci0/block/sda/sda6/uevent', 'PARTNAME=warmboot-c\n');
      symlinkSync(host.path('sys/devices/pci0/block/sda/sda6'), host.path('sys/class/block/sda6'));
      host.validSlot('c', OLD);
      for (const file of ['vmlinuz', 'initrd.img']) host.write(`run/boot/warmboot/c/${file}`, 'x');
      marked('c', OLD);
      expect(agent('rollback').err).toContain('slots a c could all be meant: name one with --to');
      untouched();
      host.write('run/state/former', 'c\n');
      expect(agent('rollback').status).toBe(0);
      expect(read('run/boot/grub/grubenv')).toContain('default=c');
    });

    const goesOn = () => calls().at(-1) === 'systemctl --no-block start warmboot-agent.service';
    test('the default is not moved where it could not be remembered why', () => {
      execFileSync('sh', ['-c', 'rm -r "$1" && : > "$1"', 'sh', host.path('run/state')]);
      expect(agent('rollback')).toMatchObject({
        status: 1,
        err: expect.stringContaining('nothing was changed'),
      });
      expect(read('run/boot/grub/grubenv')).toContain('default=b');
      expect(goesOn()).toBe(true);
    });

    test('what was refused before is refused as before, where the default could not be moved', () => {
      const before = `${OLD}\nattempt-1\nit was no good\n`;
      host.write('run/state/refused', before);
      execFileSync('sh', ['-c', 'rm -r "$1" && : > "$1"', 'sh', host.path('run/boot/grub')]);
      expect(agent('rollback').status).toBe(1);
      expect(read('run/state/refused')).toBe(before.trim());
    });

    test('the agent goes on where the default could not be moved', () => {
      execFileSync('sh', ['-c', 'rm -r "$1" && : > "$1"', 'sh', host.path('run/boot/grub')]);
      expect(agent('rollback')).toMatchObject({
        status: 1,
        err: expect.stringContaining('grubenv cannot be written, the boot default is as it was'),
      });
      expect(['rollback', 'refused'].map((name) => existsSync(host.path(`run/state/${name}`)))).toEqual([
        false,
        false,
      ]);
      expect(goesOn()).toBe(true);
    });
  });
});
