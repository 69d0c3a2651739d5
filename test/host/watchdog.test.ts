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
import { setTimeout as sleep } from 'node:timers/promises';
import { execa } from 'execa';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { AGENT, FakeHost, SHELLS } from './shell.ts';

/** The helper's watchdogs over played devices, with sanitizers; the guard of a trial; and which watchdog may guard a jump. */

const HELPER = 'images/agent/helper';
let root: string;
let program: string;
let dir: string;

beforeAll(async () => {
  root = mkdtempSync(join(tmpdir(), 'warmboot-watchdog-'));
  program = join(root, 'watchdog');
  const sources = [`${HELPER}/watchdog.c`, `${HELPER}/failure.c`, 'test/fixtures/watchdog/played.c'];
  const flags = [
    '-std=gnu11',
    '-D_GNU_SOURCE',
    '-Wall',
    '-Wextra',
    '-Werror',
    '-Dioctl=played_ioctl',
    `-I${HELPER}`,
  ];
  const sanitizers = ['-fsanitize=address,undefined', '-fno-sanitize-recover=all', '-g'];
  await execa('cc', [...flags, ...sanitizers, '-o', program, ...sources]);
}, 60_000);
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
async function until(check: () => boolean) {
  for (let left = 100; !check(); left -= 1) {
    if (left === 0) throw new Error('it did not happen within 10 s');
    await sleep(100);
  }
}

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
    const done = guard(60);
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
    expect(read('kmsg')).toMatch(/<2>warmboot: trial not confirmed in \d+ s, back to the former slot/);
  }, 30_000);

  test('in time although its watchdog cannot be had', async () => {
    device('watchdog0', { nowayout: '1' });
    await guard(1);
    expect([read('sysrq'), read('kmsg').includes('goes on without watchdog0')]).toEqual(['sub', true]);
  }, 30_000);

  test('an orderly shutdown stops the watchdogs too', async () => {
    const done = guard(60);
    await until(() => read('log').includes('feed'));
    done.kill('SIGTERM');
    expect((await done).exitCode).toBe(0);
    expect([read('dev/watchdog0'), read('sysrq')]).toEqual(['V', '']);
  });

  test('leaves them to a program of the image that asks for it', async () => {
    await guard(1, 'unfed');
    expect([read('log'), read('sysrq')]).toEqual(['', 'sub']);
  }, 30_000);

  test('works without its helper', async () => {
    const script = readFileSync(join(AGENT, 'trial-guard'), 'utf8')
      .replaceAll('/usr/lib/warmboot/', `${dir}/none/`)
      .replaceAll(/\/(proc|dev|run)\//g, `${dir}/$1/`);
    expect(script).not.toMatch(/[ ">]\/(proc|dev|run)\//);
    for (const folder of ['proc', 'run/warmboot']) mkdirSync(path(folder), { recursive: true });
    write('proc/cmdline', 'rw warmboot.trial=3\n');
    write('proc/uptime', '1.5 0\n');
    write('proc/sysrq-trigger', '');
    write('guard', script.replace('reboot -f', ':'));
    chmodSync(path('guard'), 0o755);
    await execa('sh', [path('guard')]);
    expect([read('proc/sysrq-trigger'), read('dev/kmsg')]).toEqual([
      'b\n',
      expect.stringContaining('in 3 s'),
    ]);
    write('proc/sysrq-trigger', '');
    write('run/warmboot/confirmed', '');
    await execa('sh', [path('guard')]);
    expect(read('proc/sysrq-trigger')).toBe('');
  }, 30_000);
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
    host.write(`sys/modules/${module}/x`, '');
    host.write(`sys/devices/${name}/driver/x`, '');
    symlinkSync(host.path(`sys/modules/${module}`), host.path(`sys/devices/${name}/driver/module`));
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

  test('softdog is none: it has no device', () => {
    rmSync(host.path('sys/class/watchdog/watchdog0/device'));
    expect(chosen()).toEqual(['none', '']);
  });
});
