import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import { powerHook } from '../../server/app/power-hook.ts';
import type { PowerFacts } from '../../server/core/power-port.ts';
import { macAt } from '../fixtures/hosts.ts';

const FACTS: PowerFacts = {
  macs: [macAt(1), macAt(2)],
  labels: { rack: '7', 'power/bmc-port': 'a b', bmc: '10.0.9.17' },
  serial: 'ABC',
  bmc: '10.9.9.9',
};

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'warmboot-hook-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

function script(body: string): string {
  const file = join(folder, 'hook');
  writeFileSync(file, `#!/bin/sh\n${body}\n`);
  chmodSync(file, 0o755);
  return file;
}

const run = (
  body: string,
  facts = FACTS,
  { timeoutMs = 240_000, signal = new AbortController().signal } = {},
) => powerHook({ file: script(body), timeoutMs, atOnce: 1 }).cycle(facts, signal);

test('it is told which machine, in arguments and variables of its own, and nothing else', async () => {
  process.env.WARMBOOT_SECRET = 'of the server';
  onTestFinished(() => void delete process.env.WARMBOOT_SECRET);
  const { ok, how, output } = await run(
    'echo "$*"; pwd; env | grep -v "^PWD\\|^_\\|^SHLVL" | sort; read -r x || echo eof',
  );
  expect([ok, how]).toEqual([true, 'the power was cycled']);
  expect(output.split('\n')).toEqual([
    `cycle ${macAt(1)}`,
    '/',
    'LC_ALL=C',
    'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
    'WARMBOOT_ACTION=cycle',
    'WARMBOOT_BMC_SAID=10.9.9.9',
    'WARMBOOT_LABELS={"rack":"7","power/bmc-port":"a b","bmc":"10.0.9.17"}',
    'WARMBOOT_LABEL_BMC=10.0.9.17',
    'WARMBOOT_LABEL_POWER_BMC_PORT=a b',
    'WARMBOOT_LABEL_RACK=7',
    `WARMBOOT_MAC=${macAt(1)}`,
    `WARMBOOT_MACS=${macAt(1)} ${macAt(2)}`,
    'WARMBOOT_SERIAL_SAID=ABC',
    'eof',
  ]);
});

test('texts of machines and operators are data: no shell reads them, and what no variable can hold is left out', async () => {
  const labels = { x: `$(touch ${folder}/made); \`id\``, 'PATH\0': 'nul\0ls' };
  const { output } = await run('echo "$WARMBOOT_LABEL_X"; echo "$PATH"', {
    ...FACTS,
    labels,
    serial: 'a\0b',
  });
  expect(output).toBe(`${labels.x}\n/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin`);
  expect(existsSync(join(folder, 'made'))).toBe(false);
});

test('how it failed is said, with the end of its output, and nothing that a terminal would act on', async () => {
  expect(await run('printf "\\033[31mno route\\007\\n" >&2; exit 3')).toEqual({
    ok: false,
    how: 'the hook ended with exit code 3',
    output: '[31mno route',
  });
  const long = await run('i=0; while [ $i -lt 2000 ]; do echo "line $i"; i=$((i + 1)); done; exit 1');
  expect(long.output.length).toBeLessThanOrEqual(4096);
  expect(long.output).toMatch(/line 1999$/);
  expect((await run('kill -9 $$')).how).toBe('the hook ended with SIGKILL');
});

test.each([
  ['is not there', () => join(folder, 'none'), /could not be started: .*ENOENT/],
  [
    'is no program',
    () => {
      writeFileSync(join(folder, 'plain'), 'x');
      return join(folder, 'plain');
    },
    /could not be started: .*EACCES/,
  ],
])('a hook that %s', async (_, file, how) => {
  const hook = powerHook({ file: file(), timeoutMs: 240_000, atOnce: 1 });
  expect(await hook.cycle(FACTS, new AbortController().signal)).toMatchObject({
    ok: false,
    how: expect.stringMatching(how),
  });
});

test('one that hangs is ended with all that it started, also when the server stops', async () => {
  const hangs = `sleep 600 & echo $! > ${folder}/child; trap '' TERM; wait`;
  /** Also where a busy machine had not come to start it. */
  const gone = () => {
    try {
      const pid = child();
      process.kill(pid, 0);
      // A zombie that nobody has waited for yet is gone too.
      return readFileSync(`/proc/${pid}/stat`, 'utf8').includes(') Z ');
    } catch {
      return true;
    }
  };
  const child = () => Number(readFileSync(join(folder, 'child'), 'utf8'));
  expect((await run(hangs, FACTS, { timeoutMs: 1000 })).how).toBe('the hook did not end in 1 s');
  await expect.poll(gone).toBe(true);
  rmSync(join(folder, 'child'), { force: true });
  const stopping = new AbortController();
  const running = run(hangs, FACTS, { signal: stopping.signal });
  await expect.poll(() => existsSync(join(folder, 'child')) && child() > 0).toBe(true);
  stopping.abort();
  expect((await running).how).toMatch(/the server stops/);
  await expect.poll(gone).toBe(true);
});

test('one that leaves something behind does not hold up its end', async () => {
  expect(await run('sleep 600 & echo done')).toMatchObject({ ok: true, output: 'done' });
});

describe('docs/examples/power-redfish.sh', () => {
  const EXAMPLE = readFileSync(join(import.meta.dirname, '../../docs/examples/power-redfish.sh'), 'utf8');

  /** A BMC that is played. @param refuses reset types that it does not have */
  async function bmc({ power = 'On', systems = 1, refuses = [] as string[] } = {}) {
    const resets: string[] = [];
    const body = async (request: IncomingMessage) => {
      let text = '';
      for await (const part of request) text += part;
      return text;
    };
    const server = createServer(async (request, response) => {
      const answer = (status: number, json: object = {}): void => {
        response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(json, null, 2));
      };
      if (request.headers.authorization !== `Basic ${btoa('warmboot:secret')}`) return answer(401);
      const members = Array.from({ length: systems }, (_, i) => ({
        '@odata.id': `/redfish/v1/Systems/${i + 1}`,
      }));
      if (request.url === '/redfish/v1/Systems')
        return answer(200, { '@odata.id': '/redfish/v1/Systems', Members: members, Name: 'Systems' });
      if (request.url === '/redfish/v1/Systems/1')
        return answer(200, { '@odata.id': request.url, PowerState: power, Name: 'System' });
      if (request.url !== '/redfish/v1/Systems/1/Actions/ComputerSystem.Reset') return answer(404);
      const { ResetType: type } = JSON.parse(await body(request));
      resets.push(type);
      answer(refuses.includes(type) ? 400 : 204);
    }).listen(0, '127.0.0.1');
    await new Promise((resolve) => server.once('listening', resolve));
    onTestFinished(() => void server.close());
    return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, resets };
  }

  function cycle(bmcLabel: string | null, password = 'secret') {
    const conf = join(folder, 'redfish.curl');
    writeFileSync(conf, `user = "warmboot:${password}"\n`);
    // As an operator would change it.
    const mine = EXAMPLE.replace('/etc/warmboot/redfish.curl', conf).replace('#!/bin/sh\n', '');
    return run(mine, { ...FACTS, labels: bmcLabel === null ? {} : { bmc: bmcLabel } });
  }

  test.each([
    ['On', [], ['PowerCycle']],
    ['On', ['PowerCycle'], ['PowerCycle', 'ForceRestart']],
    ['Off', [], ['On']],
  ])('a machine that is %s, with a BMC that lacks %j', async (power, refuses, expected) => {
    const { url, resets } = await bmc({ power, refuses });
    const { ok, output } = await cycle(url);
    expect([ok, resets, output.split('\n').at(-1)]).toEqual([
      true,
      expected,
      `${url} was ${power}: ${expected.at(-1)}`,
    ]);
  });

  test('what cannot be done is said, and not taken for done', async () => {
    const refuses = await bmc({ refuses: ['PowerCycle', 'ForceRestart'] });
    expect(await cycle(refuses.url)).toMatchObject({
      ok: false,
      output: expect.stringMatching(/refuses to reset/),
    });
    const two = await bmc({ systems: 2 });
    expect(await cycle(two.url)).toMatchObject({
      ok: false,
      output: expect.stringMatching(/more than one system/),
    });
    const { url, resets } = await bmc();
    expect(await cycle(url, 'wrong')).toMatchObject({ ok: false, output: expect.stringMatching(/401/) });
    expect(await cycle(null)).toMatchObject({ ok: false, output: expect.stringMatching(/no label bmc/) });
    expect(await cycle('http://127.0.0.1:1')).toMatchObject({ ok: false });
    expect([...refuses.resets, ...two.resets, ...resets]).toEqual(['PowerCycle', 'ForceRestart']);
  });
});

describe('docs/examples/power-ipmi.sh', () => {
  const EXAMPLE = readFileSync(join(import.meta.dirname, '../../docs/examples/power-ipmi.sh'), 'utf8');

  test.each([
    ['on', 'cycle'],
    ['off', 'on'],
  ])('a machine that is %s gets power %s', async (state, command) => {
    const played = join(folder, 'ipmitool');
    writeFileSync(
      played,
      `#!/bin/sh\necho "$*" >> ${folder}/calls\ncase $* in *status) echo "Chassis Power is ${state}" ;; esac\n`,
    );
    chmodSync(played, 0o755);
    const mine = EXAMPLE.replaceAll('ipmitool -I', `${played} -I`);
    expect(await run(mine)).toMatchObject({ ok: true });
    expect(readFileSync(join(folder, 'calls'), 'utf8').trim().split('\n')).toEqual(
      ['status', command].map(
        (word) =>
          `-I lanplus -H 10.0.9.17 -U warmboot -f /etc/warmboot/ipmi.password -N 5 -R 3 chassis power ${word}`,
      ),
    );
    expect(await run(mine, { ...FACTS, labels: { bmc: '-H evil' } })).toMatchObject({ ok: false });
  });
});
