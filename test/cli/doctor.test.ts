import { expect, test } from 'vitest';
import type { ServeOptions } from '../../server/cli/world.ts';
import type { FindingView } from '../../server/contract/finding.ts';
import { run } from './run.ts';

const fine: FindingView = { check: 'nbp', level: 'ok', what: 'all there', mend: null };
const tight: FindingView = { check: 'data-space', level: 'warning', what: 'little room', mend: 'Make room.' };
const taken: FindingView = {
  check: 'tftp-port',
  level: 'problem',
  what: 'taken by \u001b[31mred',
  mend: 'Stop it.',
};

async function doctor(args: readonly string[], findings: readonly FindingView[]) {
  let asked: ServeOptions | undefined;
  let wire: boolean | undefined;
  const ran = await run(['doctor', ...args], {
    files: {},
    examine: async function* (options, scope) {
      asked = options;
      wire = scope.wire;
      yield* findings;
    },
  });
  return { ...ran, asked, wire };
}

test('one line for each finding, its mend below it, and a count', async () => {
  const { code, stdout } = await doctor([], [fine, tight, taken]);
  expect(code).toBe(1);
  expect(stdout).toBe(
    [
      'ok       nbp          all there',
      'warning  data-space   little room',
      '                      → Make room.',
      'problem  tftp-port    taken by red',
      '                      → Stop it.',
      '',
      '1 problem, 1 warning',
      '',
    ].join('\n'),
  );
});

test('warnings alone are no failure', async () => {
  expect((await doctor([], [fine, tight])).code).toBe(0);
});

test('for programs', async () => {
  const { stdout, code } = await doctor(['--json'], [fine, taken]);
  expect(JSON.parse(stdout)).toEqual({ findings: [fine, taken] });
  expect(code).toBe(1);
});

test('looks with the settings of serve', async () => {
  const { asked } = await doctor(['--tftp-listen', 'off', '--boot-url', 'http://10.0.0.1'], []);
  expect(asked).toMatchObject({ tftpListen: null, bootUrl: 'http://10.0.0.1', adminListen: { port: 8081 } });
});

test('asks the network, unless it shall not', async () => {
  expect((await doctor([], [])).wire).toBe(true);
  expect((await doctor(['--no-wire'], [])).wire).toBe(false);
});

test('another machine cannot be looked at', async () => {
  const { code, stderr } = await doctor(['--server', 'http://far:8081'], []);
  expect(code).toBe(2);
  expect(stderr).toContain('run it there');
});
