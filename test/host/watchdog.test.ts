import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { execa } from 'execa';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { makePlayedPart } from './played-part.ts';
import { AGENT, FakeHost, SHELLS } from './shell.ts';

/** The helper's watchdogs over played devices, with sanitizers; the guard of a trial; and which watchdog may guard a jump. */

let root: string;
let program: string;
let dir: string;

beforeAll(async () => {
  root = mkdtempSync(join(tmpdir(), 'warmboot-watchdog-'));
  program = await makePlayedPart(root, 'watchdog', ['ioctl', 'sleep']);
});
afterAll(() => rmSync(root, { recursive: true, force: true }));
beforeEach(() => {
  dir = mkdtempSync(join(root, 'test-'));
  mkdirSync(join(dir, 'dev'));
  for (const name of ['sysrq', 'kmsg']) write(name, '');
  device('watchdog0');
});

const path = (name: string) => join(dir, name);
const read = (name: string) => (existsSync(path(name)) ? readFileSync(path(name), 'utf8') : '');
function write(name: string, content: string) {
  mkdirSync(dirname(path(name)), { recursive: true });
  writeFileSync(path(name), content);
}
function device(
  name: string,
  facts: Readonly<Record<string, string>> = { nowayout: '0', max_timeout: '600' },
) {
  write(`dev/${name}`, '');
  for (const [fact, value] of Object.entries(facts))
    write(`sys/class/watchdog/${name}/${fact}`, `${value}\n`);
}
const start = (args: readonly string[], env: Readonly<Record<string, string>> = {}) =>
  execa(program, args, {
    reject: false,
    env: {
      WB_DEV: path('dev'),
      WB_SYS: path('sys'),
      WB_SYSRQ: path('sysrq'),
      WB_KMSG: path('kmsg'),
      PLAYED_LOG: path('log'),
      PLAYED_MOST: '600',
      ASAN_OPTIONS: 'exitcode=99',
      UBSAN_OPTIONS: 'exitcode=99',
      ...env,
    },
  });
const sinceBoot = () => Number(readFileSync('/proc/uptime', 'utf8').split(' ')[0]);
const until = (check: () => boolean) => expect.poll(check).toBe(true);

describe('armed for a jump', () => {
  const arm = (env: Readonly<Record<string, string>> = {}) => start(['arm', 'watchdog0', '180', '60'], env);

  test('it is set, fed once, and left running', async () => {
    expect(await arm()).toMatchObject({ exitCode: 0, stdout: '180' });
    expect([read('log'), read('dev/watchdog0')]).toEqual(['set 180\nfeed 180\n', '']);
  });

  test('for as long as the hardware can', async () => {
    expect(await arm({ PLAYED_MOST: '100' })).toMatchObject({ exitCode: 0, stdout: '90' });
  });

  test.each([
    ['is too short for a jump', { PLAYED_MOST: '40' }],
    ['is the kernel’s own timer', { PLAYED_IDENTITY: 'Software Watchdog' }],
  ])('one that %s is stopped again', async (_, env) => {
    expect((await arm(env)).exitCode).toBe(5);
    expect(read('dev/watchdog0')).toBe('V');
  });

  test('where the driver feeds the hardware in between, what the hardware has left counts', async () => {
    device('watchdog0', { nowayout: '0', max_timeout: '0' });
    expect((await arm()).exitCode).toBe(5);
    expect((await arm({ PLAYED_LEFT: '20' })).exitCode).toBe(5);
    expect(await arm({ PLAYED_LEFT: '179' })).toMatchObject({ exitCode: 0, stdout: '179' });
  });

  test.each([{ nowayout: '1' }, {}])(
    'one that may not be stopped again is not even opened: %o',
    async (facts) => {
      rmSync(path('sys'), { recursive: true });
      device('watchdog0', facts);
      expect((await arm()).exitCode).toBe(5);
      expect([read('log'), read('dev/watchdog0')]).toEqual(['', '']);
    },
  );

  test.each([
    ['../kmsg', '180', '60'],
    ['watchdog0', '180'],
    ['watchdog0', 'x', '60'],
  ])('%s %s %s is refused', async (...words) => {
    expect((await start(['arm', ...words])).exitCode).toBe(2);
  });
});

describe('the guard of a trial', () => {
  const guard = (seconds: number, ...more: string[]) =>
    start(['guard', `${Math.ceil(sinceBoot() + seconds)}`, path('confirmed'), ...more]);

  test('feeds what there is and what comes, and stops them when the trial is confirmed', async () => {
    const done = guard(3600);
    await until(() => read('log').includes('feed'));
    device('watchdog1');
    await until(() => read('kmsg').includes('watchdog1 is fed'));
    write('confirmed', '');
    expect((await done).exitCode).toBe(0);
    expect([read('dev/watchdog0'), read('dev/watchdog1'), read('sysrq')]).toEqual(['V', 'V', '']);
  });

  test('resets the machine when the time is up, and feeds nothing from then on', async () => {
    await guard(1);
    expect([read('sysrq'), read('dev/watchdog0')]).toEqual(['sub', '']);
    expect(read('log')).toMatch(/(^|feed \d+\n)(sleep 2\n){3}$/);
    expect(read('kmsg')).toMatch(/<2>warmboot: trial not confirmed in \d+ s, back to the former slot/);
  });

  test('in time although its watchdog cannot be had', async () => {
    device('watchdog0', { nowayout: '1' });
    await guard(1);
    expect([read('sysrq'), read('kmsg').includes('goes on without watchdog0')]).toEqual(['sub', true]);
  });

  test('an orderly shutdown stops the watchdogs too', async () => {
    const done = guard(3600);
    await until(() => read('log').includes('feed'));
    done.kill('SIGTERM');
    expect((await done).exitCode).toBe(0);
    expect([read('dev/watchdog0'), read('sysrq')]).toEqual(['V', '']);
  });

  test('leaves them to a program of the image that asks for it', async () => {
    await guard(1, 'unfed');
    expect([read('log'), read('sysrq')]).toEqual(['sleep 2\n'.repeat(3), 'sub']);
  });

  test('works without its helper', async () => {
    const script = readFileSync(join(AGENT, 'trial-guard'), 'utf8')
      .replaceAll('/usr/lib/warmboot/', `${dir}/none/`)
      .replaceAll(/\/(proc|dev|run)\//g, `${dir}/$1/`);
    expect(script).not.toMatch(/[ ">]\/(proc|dev|run)\//);
    for (const folder of ['proc', 'run/warmboot']) mkdirSync(path(folder), { recursive: true });
    write('proc/cmdline', 'rw warmboot.trial=3\n');
    write('proc/uptime', '1.5 0\n');
    write('proc/sysrq-trigger', '');
    write('guard', `sleep() { echo "$1" >> ${dir}/slept; }\n${script.replace('reboot -f', ':')}`);
    chmodSync(path('guard'), 0o755);
    await execa('sh', [path('guard')]);
    expect([read('proc/sysrq-trigger'), read('dev/kmsg')]).toEqual([
      'b\n',
      expect.stringContaining('in 3 s'),
    ]);
    expect(read('slept')).toBe('2\n'.repeat(4));
    write('proc/sysrq-trigger', '');
    write('run/warmboot/confirmed', '');
    await execa('sh', [path('guard')]);
    expect(read('proc/sysrq-trigger')).toBe('');
  });
});

describe.each(SHELLS)('which watchdog may guard a jump, in %s', (...shell) => {
  let host: FakeHost;
  beforeEach(() => {
    host = new FakeHost();
    host.disk(
      'sda',
      {},
      ['bios', 'boot', 'state', 'a', 'b'].map((label) => `warmboot-${label}`),
    );
    host.write('sys/module/watchdog/parameters/stop_on_reboot', '0\n');
    hardware('watchdog0', 'i6300esb');
    // What is mounted at run/look: the played mount makes it.
    host.write('look/usr/lib/warmboot/watchdog.sh', '');
    host.write(
      'look/usr/lib/modules/6.12/modules.dep',
      'kernel/drivers/watchdog/i6300esb.ko.xz: kernel/a.ko\n',
    );
    host.write(
      'bin/mount',
      '#!/bin/sh\nfor at in "$@"; do :; done\nrmdir "$at" && ln -s "$T/look" "$at"\n',
      0o755,
    );
    host.write('bin/umount', '#!/bin/sh\nrm "$1"\n', 0o755);
  });
  afterEach(() => host.remove());

  function hardware(name: string, module: string, nowayout = '0') {
    host.write(`sys/class/watchdog/${name}/nowayout`, `${nowayout}\n`);
    host.write(`sys/module/${module}/x`, '');
    host.write(`sys/devices/${name}/driver/x`, '');
    symlinkSync(host.path(`sys/module/${module}`), host.path(`sys/devices/${name}/driver/module`));
    symlinkSync(host.path(`sys/devices/${name}`), host.path(`sys/class/watchdog/${name}/device`));
  }
  const chosen = () => {
    const { out } = host.run(shell, 'DISK=sda; watchdog_for_jump b || echo none');
    const left = host.path('run/watchdog');
    return [out, existsSync(left) ? readFileSync(left, 'utf8').trim() : ''];
  };

  test('one that the next system has a driver for, and an agent that feeds it', () => {
    expect(chosen()).toEqual(['i6300esb', 'watchdog0 i6300esb']);
  });

  test('also where the driver is built in, and is written with a hyphen', () => {
    host.write('look/usr/lib/modules/6.12/modules.dep', '');
    host.write('look/usr/lib/modules/6.12/modules.builtin', 'kernel/drivers/watchdog/of-xilinx.ko\n');
    hardware('watchdog1', 'of_xilinx');
    expect(chosen()).toEqual(['of_xilinx', 'watchdog1 of_xilinx']);
  });

  test.each([
    ['the next system has no driver', 'look/usr/lib/modules/6.12/modules.dep', 'kernel/iTCO_wdt.ko:\n'],
    ['this kernel would stop it', 'sys/module/watchdog/parameters/stop_on_reboot', '-1\n'],
    ['it could not be stopped again', 'sys/class/watchdog/watchdog0/nowayout', '1\n'],
  ])('none where %s', (_, file, content) => {
    host.write(file, content);
    expect(chosen()).toEqual(['none', '']);
  });

  test('none where the agent of the next system does not feed it', () => {
    rmSync(host.path('look/usr/lib/warmboot'), { recursive: true });
    expect(chosen()).toEqual(['none', '']);
  });

  test.each([
    ['etc/modprobe.d/lab.conf', 'options i6300esb heartbeat=30 nowayout=1\n'],
    ['usr/lib/modprobe.d/lab.conf', 'options i6300esb nowayout=Y\n'],
    ['boot/config-6.12', 'CONFIG_WATCHDOG=y\nCONFIG_WATCHDOG_NOWAYOUT=y\n'],
    ['lib/modules/6.12/config', 'CONFIG_WATCHDOG_NOWAYOUT=y\n'],
  ])('none where the next system could not give it up after its trial: %s', (file, content) => {
    host.write(`look/${file}`, content);
    expect(chosen()).toEqual(['none', '']);
    host.write(`look/${file}`, content.replace(/^options/, '# options').replace('NOWAYOUT=y', 'NOWAYOUT=n'));
    expect(chosen()).toEqual(['i6300esb', 'watchdog0 i6300esb']);
  });

  test('nor where its command line says so', () => {
    const { out } = host.run(
      shell,
      "DISK=sda; M_APPEND='quiet i6300esb.nowayout=1'; watchdog_for_jump b || echo none",
    );
    expect(out).toBe('none');
  });

  test('none where the next system leaves its watchdog to a program of its own', () => {
    host.write('look/etc/warmboot/agent.conf', 'RATE_LIMIT=20M\nWATCHDOG=no\n');
    expect(chosen()).toEqual(['none', '']);
    host.write('look/etc/warmboot/agent.conf', '# WATCHDOG=no\n');
    expect(chosen()).toEqual(['i6300esb', 'watchdog0 i6300esb']);
  });

  describe('where sysfs names no device of it', () => {
    const FOLDER = 'kernel/drivers/watchdog';
    beforeEach(() => {
      rmSync(host.path('sys'), { recursive: true });
      host.disk(
        'sda',
        {},
        ['bios', 'boot', 'state', 'a', 'b'].map((label) => `warmboot-${label}`),
      );
      host.write('sys/module/watchdog/parameters/stop_on_reboot', '0\n');
      host.write('proc/sys/kernel/osrelease', '6.12.0-amd64\n');
      const names = ['i6300esb', 'iTCO_vendor_support', 'it87_wdt', 'pretimeout_panic', 'softdog'];
      const lines = names.map((name) => `${FOLDER}/${name}.ko.xz:\n`);
      lines.push(`${FOLDER}/iTCO_wdt.ko.xz: ${FOLDER}/iTCO_vendor_support.ko.xz\n`);
      // Not a watchdog's driver, although it needs one.
      lines.push(`kernel/drivers/platform/box.ko.xz: ${FOLDER}/it87_wdt.ko.xz\n`);
      host.write('root/lib/modules/6.12.0-amd64/modules.dep', lines.join(''));
      host.write('root/lib/modules/6.12.0-amd64/modules.builtin', `${FOLDER}/watchdog.ko\n`);
      host.write('look/usr/lib/modules/6.12/modules.dep', lines.join(''));
    });

    /** A watchdog as sysfs shows one whose driver gave it no parent. */
    function nameless(name: string, identity: string) {
      host.write(`sys/class/watchdog/${name}/nowayout`, '0\n');
      host.write(`sys/class/watchdog/${name}/identity`, `${identity}\n`);
    }
    /** A module that is loaded; with a driver on a bus it is bound to these devices. */
    function loaded(module: string, driver?: string, ...devices: string[]) {
      host.write(`sys/module/${module}/initstate`, 'live\n');
      if (driver === undefined) return;
      const folder = `sys/bus/${driver.replace(':', '/drivers/')}`;
      host.write(`${folder}/bind`, '');
      symlinkSync(host.path(`sys/module/${module}`), host.path(`${folder}/module`));
      for (const device of devices) {
        mkdirSync(host.path(`sys/devices/${device}`), { recursive: true });
        symlinkSync(host.path(`sys/devices/${device}`), host.path(`${folder}/${device}`));
      }
      mkdirSync(host.path(`sys/module/${module}/drivers`));
      symlinkSync(host.path(folder), host.path(`sys/module/${module}/drivers/${driver}`));
    }
    const i6300esb = (name = 'watchdog0') => {
      nameless(name, 'i6300ESB timer');
      loaded('i6300esb', 'pci:i6300ESB timer', '0000:00:04.0');
    };
    const words = (script: string) => host.run(shell, script).out.split('\n');

    test('its driver is the one that is loaded', () => {
      loaded('box');
      loaded('pretimeout_panic');
      i6300esb();
      expect(chosen()).toEqual(['i6300esb', 'watchdog0 i6300esb']);
    });

    test('softdog beside it is none, and does not have its driver', () => {
      nameless('watchdog0', 'Software Watchdog');
      loaded('softdog');
      expect([words('watchdogs'), chosen()]).toEqual([[''], ['none', '']]);
      i6300esb('watchdog1');
      expect(chosen()).toEqual(['i6300esb', 'watchdog1 i6300esb']);
    });

    test('another one’s driver is not its own', () => {
      loaded('iTCO_wdt', 'platform:iTCO_wdt', 'iTCO_wdt.1.auto');
      loaded('iTCO_vendor_support');
      nameless('watchdog1', 'iTCO_wdt');
      host.write('sys/devices/iTCO_wdt.1.auto/x', '');
      symlinkSync(
        host.path('sys/bus/platform/drivers/iTCO_wdt'),
        host.path('sys/devices/iTCO_wdt.1.auto/driver'),
      );
      symlinkSync(host.path('sys/devices/iTCO_wdt.1.auto'), host.path('sys/class/watchdog/watchdog1/device'));
      i6300esb();
      expect(words('for name in $(watchdogs); do watchdog_module "$name"; done')).toEqual([
        'i6300esb',
        'iTCO_wdt',
      ]);
      expect(chosen()).toEqual(['i6300esb', 'watchdog0 i6300esb']);
    });

    test('a driver that found no hardware is not its own', () => {
      loaded('iTCO_wdt', 'platform:iTCO_wdt');
      i6300esb();
      expect(chosen()).toEqual(['i6300esb', 'watchdog0 i6300esb']);
    });

    test('a driver that is on no bus may be its own, and so may one that is built in', () => {
      nameless('watchdog0', 'IT87 WDT');
      loaded('it87_wdt');
      expect(chosen()).toEqual(['it87_wdt', 'watchdog0 it87_wdt']);
      rmSync(host.path('sys/module/it87_wdt'), { recursive: true });
      expect(chosen()).toEqual(['none', '']);
      host.write('root/lib/modules/6.12.0-amd64/modules.builtin', `${FOLDER}/it87_wdt.ko\n`);
      expect(chosen()).toEqual(['it87_wdt', 'watchdog0 it87_wdt']);
      loaded('i6300esb', 'pci:i6300ESB timer', '0000:00:04.0');
      expect(chosen()).toEqual(['none', '']);
    });

    test('of two nobody knows which driver is whose, also where only one driver is known', () => {
      i6300esb();
      nameless('watchdog1', 'a timer of a driver from elsewhere');
      expect(chosen()).toEqual(['none', '']);
      loaded('it87_wdt');
      expect(chosen()).toEqual(['none', '']);
    });

    test('one that reset the machine is told by its driver, or by what it calls itself', () => {
      i6300esb();
      expect(words('watchdog_that_reset || echo none')).toEqual(['none']);
      host.write('sys/class/watchdog/watchdog0/bootstatus', '32\n');
      expect(words('watchdog_that_reset')).toEqual(['i6300esb']);
      loaded('it87_wdt');
      expect(words('watchdog_that_reset')).toEqual(['i6300ESB timer']);
    });

    test('an old kernel does not say what it is: without a device it may be softdog', () => {
      i6300esb();
      rmSync(host.path('sys/class/watchdog/watchdog0/identity'));
      expect([words('watchdogs'), chosen()]).toEqual([[''], ['none', '']]);
      mkdirSync(host.path('sys/class/watchdog/watchdog0/device'));
      expect(chosen()).toEqual(['i6300esb', 'watchdog0 i6300esb']);
    });
  });
});
