import { existsSync, readFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { FakeHost, SHELLS } from './shell.ts';

/** Whether a slot is read back after it was written. */
let host: FakeHost;
beforeEach(() => {
  host = new FakeHost();
  host.write(
    'bin/warmboot-helper',
    '#!/bin/sh\necho "$1" >> "$T/asked"; exit "$(cat "$T/check" 2> /dev/null || echo 0)"\n',
    0o755,
  );
});
afterEach(() => host.remove());

describe.each(SHELLS)('in %s', (...shell) => {
  const flash = (readBack: string) => {
    const script = `
      download() { :; }
      write_data() { :; }
      M_SLOT=a M_IMAGE_DIGEST=sha256:1 M_STAGE_INDEX=/i M_STAGE_FRAMES=/f M_STAGE_DATA=/d M_READ_BACK='${readBack}' DISK=sda
      SLOT=b
      (flash_slot /dev/none) > /dev/null 2>&1; echo $?
      cat "$WB_RUN/work/reason" 2> /dev/null`;
    const { out } = host.run(shell, script);
    const asked = existsSync(host.path('asked')) ? readFileSync(host.path('asked'), 'utf8') : '';
    return { out, isRead: asked.split('\n').includes('check') };
  };

  test.each([
    ['', true],
    ['true', true],
    ['false', false],
    ['no', true],
  ])('the manifest says %j: %s', (readBack, isRead) => {
    expect(flash(readBack)).toEqual({ out: '0', isRead });
  });

  test('what is not as it was written ends the work', () => {
    host.write('check', '6');
    expect(flash('true').out).toMatch(/^1\nthe slot does not hold what was written/);
    expect(flash('false').out).toMatch(/^0/);
  });
});
