import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { hasStarted } from '../../lab/child.ts';
import { FakeHost, SHELLS } from './shell.ts';

let host: FakeHost;
beforeEach(() => {
  host = new FakeHost();
});
afterEach(() => host.remove());

const requests = () =>
  existsSync(host.path('requests')) ? readFileSync(host.path('requests'), 'utf8').trim().split('\n') : [];
const waiting = () => readdirSync(host.path('run/outbox')).filter((name) => /^\d/.test(name)).length;

const mayMount = hasStarted('unshare', spawnSync('unshare', ['-m', 'true'])).status === 0;

describe.each(SHELLS)('in %s', (...shell) => {
  test('a report names attempt, boot and number', () => {
    host.run(shell, `ATTEMPT=att-1; report progress phase=write "reason=it's 5 % & more"`);
    expect(requests()).toEqual([
      "http://10.0.0.1:8080/boot/hosts/52:54:00:00:00:01/reports kind=progress attempt=att-1 bootId=boot-1 seq=1 phase=write reason=it's 5 % & more",
    ]);
  });

  test.each([
    ['200', 0],
    ['202', 2],
    ['409', 2],
    ['400', 3],
    ['401', 1],
    ['500', 1],
    ['000', 1],
  ])('status %s means %d', (status, result) => {
    host.write('status', status);
    expect(host.run(shell, 'report booted; echo $?').out).toBe(String(result));
  });

  test('on a disk that takes no writes reports wait in memory, with those of an earlier boot', () => {
    host.write('status', '000');
    host.write('run/state/outbox/00000004', 'kind=confirmed\nattempt=att-0\nbootId=boot-0\nseq=2\n');
    host.run(shell, 'rmdir "$OUTBOX"; takes_writes() { return 1; }; open_outbox; report_keep booted');
    expect(waiting()).toBe(2);
    host.write('status', '200');
    // The agent was started again: what is told is not taken up once more.
    host.run(shell, 'takes_writes() { return 1; }; open_outbox; outbox_flush; open_outbox; outbox_flush');
    expect(waiting()).toBe(0);
    expect(requests().map((line) => /kind=(\S+)/.exec(line)?.[1])).toEqual([
      'confirmed',
      'confirmed',
      'booted',
    ]);
  });

  test('numbers rise, also over a restart of the program', () => {
    host.run(shell, 'report booted; report progress');
    host.run(shell, 'report progress');
    expect(requests().map((line) => /seq=(\d+)/.exec(line)?.[1])).toEqual(['1', '2', '3']);
  });

  test('what could not be delivered goes first, in order, and the same to the byte', () => {
    host.write('status', '000');
    host.run(shell, 'report_keep booted slot=a; report_keep confirmed slot=a');
    expect(waiting()).toBe(2);
    const first = requests()[0];
    host.write('requests', '');
    host.write('status', '200');
    host.write('proc/sys/kernel/random/boot_id', 'boot-2\n');
    host.run(shell, 'report progress');
    const lines = requests();
    expect(lines[0]).toBe(first);
    expect(lines.map((line) => /kind=(\S+)/.exec(line)?.[1])).toEqual(['booted', 'confirmed', 'progress']);
    expect(waiting()).toBe(0);
  });

  test('the head of the outbox blocks what comes later', () => {
    host.write('status', '000');
    host.run(shell, 'report_keep booted; report progress');
    expect(requests().every((line) => line.includes('kind=booted'))).toBe(true);
  });

  test('a log is copied when it is reported, so that a retry tells the same', () => {
    host.write('status', '000');
    host.write('log', 'first words');
    host.run(shell, 'report_keep failed phase=write log@"$T/log"');
    host.write('log', 'other words');
    expect(readFileSync(host.path('run/outbox/log-00000001'), 'utf8')).toBe('first words');
    host.write('status', '200');
    host.run(shell, 'outbox_flush');
    expect(requests().at(-1)).toContain('log@');
    expect(readdirSync(host.path('run/outbox'))).toEqual([]);
  });

  test.runIf(mayMount)('where /run is full nothing is lost, and the numbers go on', () => {
    const script = `
      WB_RUN=$T/small; mkdir "$WB_RUN"; /bin/mount -t tmpfs -o size=64k none "$WB_RUN"; cp "$T/run/curl.conf" "$WB_RUN" 2> /dev/null
      report booted; report progress; : > "$WB_RUN/log"
      rm "$WB_RUN/report"; command dd if=/dev/zero of="$WB_RUN/fill" bs=1k count=64 2> /dev/null
      echo 000 > "$T/status"; report_keep confirmed slot=a
      echo "$(ls "$OUTBOX" | grep -c '^0') waits"
      rm "$WB_RUN/fill"; echo 200 > "$T/status"; outbox_flush; report progress`;
    expect(host.run(['unshare', '-m', ...shell], script).out).toContain('1 waits');
    const told = requests().map((line) => /kind=(\S+).* seq=(\d+)/.exec(line)?.slice(1).join(' '));
    expect(told.slice(0, 2)).toEqual(['booted 1', 'progress 2']);
    const numbers = told.map((each) => Number(each?.split(' ')[1]));
    expect(numbers).toEqual(numbers.toSorted((a, b) => a - b));
    expect(told.at(-2)).toMatch(/^confirmed /);
    expect(waiting()).toBe(0);
  });

  test('what cannot be kept is told all the same, and leaves nothing behind', () => {
    host.write('log', 'words');
    // A write that fails half way, as on a full partition.
    const full =
      'dd() { for word in "$@"; do case $word in of=*) : > "${word#of=}" ;; esac; done; return 1; }';
    host.run(shell, `${full}; report_keep staged slot=b; report_keep failed log@"$T/log"`);
    expect(requests().map((line) => /kind=(\S+)/.exec(line)?.[1])).toEqual(['staged', 'failed']);
    expect(readdirSync(host.path('run/outbox'))).toEqual([]);
  });

  test('stale and refused reports are not kept', () => {
    for (const status of ['202', '400']) {
      host.write('status', status);
      host.run(shell, 'report_keep confirmed');
      expect(waiting()).toBe(0);
    }
  });

  test('a server that never answers does not fill the partition', () => {
    host.write('status', '000');
    for (let n = 1; n <= 64; n += 1) host.write(`run/outbox/${String(n).padStart(8, '0')}`, 'kind=booted\n');
    host.run(shell, 'report_keep booted');
    expect(waiting()).toBe(64);
    expect(existsSync(host.path('run/outbox/00000001'))).toBe(false);
    expect(existsSync(host.path('run/outbox/00000065'))).toBe(true);
  });
});
