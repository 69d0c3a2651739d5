import { expect, test } from 'vitest';
import { TRIAL_SECONDS } from '../../server/core/host-limits.ts';
import { MAX_ARGUMENTS_LENGTH, MAX_HOST_ARGUMENTS_LENGTH } from '../../server/core/kernel-arguments.ts';
import {
  grubEnvironment,
  slotArguments,
  slotConfig,
  trialArguments,
  validRecord,
} from '../../server/core/slot-files.ts';

test('a command line: root first, then image and host, then what the agent reads', () => {
  const parts = { root: 'PARTUUID=1-03', more: ['console=ttyS0  quiet', ''], slot: 'a' };
  expect(slotArguments({ ...parts, attempt: 'att-1' })).toBe(
    'root=PARTUUID=1-03 rw console=ttyS0 quiet panic=10 rd.shell=0 rd.emergency=reboot watchdog.stop_on_reboot=0 warmboot.slot=a warmboot.attempt=att-1',
  );
  expect(slotArguments({ ...parts, attempt: null })).toMatch(/warmboot\.slot=a$/);
});

test('what leads back stands behind what image and host say: the last word of a kernel argument counts', () => {
  const more = ['panic=0 rd.shell=1', 'rd.emergency=halt watchdog.stop_on_reboot=1'];
  const words = slotArguments({ root: 'x', more, slot: 'a', attempt: null }).split(' ');
  const last = (name: string) => words.findLast((word) => word.startsWith(`${name}=`));
  expect(['panic', 'rd.shell', 'rd.emergency', 'watchdog.stop_on_reboot'].map(last)).toEqual([
    'panic=10',
    'rd.shell=0',
    'rd.emergency=reboot',
    'watchdog.stop_on_reboot=0',
  ]);
});

test('the longest one fits into the kernel, whatever image, host and trial say: what is behind its end would be lost', () => {
  const [digest, words] = ['0123456789abcdef', (length: number) => 'x'.repeat(length)];
  const append = slotArguments({
    root: `PARTUUID=${'0'.repeat(36)}`,
    more: [words(MAX_ARGUMENTS_LENGTH), words(MAX_HOST_ARGUMENTS_LENGTH)],
    slot: 'h',
    attempt: digest,
  });
  const whole = `BOOT_IMAGE=(hd0,gpt2)/warmboot/h/vmlinuz ${append} ${trialArguments(TRIAL_SECONDS.most)}`;
  // COMMAND_LINE_SIZE of x86, with its zero, and room for what later versions add.
  expect(whole.length + 100).toBeLessThan(2048);
});

test('the texts are those that GRUB and the shell scripts read', () => {
  expect(slotConfig('root=x', 'warmboot.trial=9')).toBe(
    "set slot_append='root=x'\nset slot_trial='warmboot.trial=9'\n",
  );
  expect(validRecord('sha256:1', 'os', '')).toBe("DIGEST='sha256:1'\nNAME='os'\nATTEMPT=''\n");
});

test('an environment block has 1024 bytes, and its variables lie in the first 512', () => {
  const block = grubEnvironment({
    default: 'a',
    ...Object.fromEntries([...'abcdefgh'].map((slot) => [`tries_${slot}`, '3'])),
  });
  expect(block.length).toBe(1024);
  expect(block.slice(512)).toBe('#'.repeat(512));
  expect(block).toMatch(/^# GRUB Environment Block\ndefault=a\ntries_a=3\n/);
});
