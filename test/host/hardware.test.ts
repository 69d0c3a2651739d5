import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { FakeHost, INSTALLER, SHELLS } from './shell.ts';

/** Drivers by what sysfs says of the hardware. */

let host: FakeHost;
beforeEach(() => {
  host = new FakeHost();
});
afterEach(() => host.remove());

describe.each(SHELLS)('in %s', (...shell) => {
  test('a machine whose maker has a quote in its name gets its drivers too', () => {
    const aliases = [
      "dmi:bvnAmericanMegatrendsInc.:svnMICRO-STARINT'LCO.,LTD:pnX:",
      'pci:v00008086d00001521sv*',
      'virtio:d00000002v*',
    ];
    for (const [at, alias] of aliases.entries()) host.write(`sys/devices/${at}/modalias`, `${alias}\n`);
    host.write('modprobe', '#!/bin/sh\nshift\nprintf \'%s\\n\' "$@" >> "$T/asked"\n', 0o755);
    host.run(shell, 'MODPROBE=$T/modprobe; plug_in', [join(INSTALLER, 'hardware.sh')]);
    expect(readFileSync(host.path('asked'), 'utf8').trim().split('\n')).toEqual(aliases);
  });
});
