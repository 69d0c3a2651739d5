import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { inCheckout } from '../../lab/paths.ts';
import { newMac, runningServer, type TestServer } from '../fixtures/running-server.ts';

/** What watches over a server reads what we ship: the real promtool of Prometheus, and systemd's own look at units. */

const RULES = 'packaging/prometheus-rules.yml';
const UNIT = 'packaging/warmboot.service';

let server: TestServer;
let folder: string;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'warmboot-monitoring-'));
  server = await runningServer(() => ({ version: '1.2.3' }));
});
afterAll(async () => {
  await server.close();
  rmSync(folder, { recursive: true });
});

const read = (path: string) => readFileSync(inCheckout(path), 'utf8');
const tool = (command: string, args: string[], input = '') => {
  const { status, stdout, stderr } = spawnSync(command, args, { input, encoding: 'utf8' });
  return { status, said: `${stdout}${stderr}` };
};

test('promtool takes /metrics, and has nothing to say against any name, help or type', async () => {
  await server.admin('/api/v1/hosts', { body: { macs: [newMac()], image: 'one' } });
  const { text } = await server.admin('/metrics');
  const { status, said } = tool('promtool', ['check', 'metrics'], text);
  // Node's own metrics are named by prom-client, not by us.
  const ours = said.split('\n').filter((line) => line.startsWith('warmboot_'));
  expect(ours).toEqual([]);
  // 3: only such remarks.
  expect([0, 3]).toContain(status);
  // It does look.
  expect(tool('promtool', ['check', 'metrics'], '# TYPE warmboot_x counter\nwarmboot_x 1\n').said).toMatch(
    /^warmboot_x /m,
  );
});

test('promtool takes the rules; each asks only for metrics that there are, and one fires when it should', async () => {
  const { status, said } = tool('promtool', ['check', 'rules', inCheckout(RULES)]);
  expect(said).toContain('SUCCESS: 7 rules found');
  expect(status).toBe(0);
  const { text } = await server.admin('/metrics');
  const known = new Set(text.match(/^# TYPE (\S+)/gm)?.map((line) => line.slice('# TYPE '.length)));
  const asked =
    read(RULES)
      .match(/^ +expr: .*$/gm)
      ?.join()
      .match(/warmboot_\w+/g) ?? [];
  expect(asked.length).toBeGreaterThan(5);
  expect(asked.map((name) => name.replace(/_bucket$/, '')).filter((name) => !known.has(name))).toEqual([]);

  const series = (name: string, values: string) => ({ series: name, values });
  const alert = (alertname: string, at: string, summary: string | null, labels = {}) => ({
    eval_time: at,
    alertname,
    exp_alerts: summary === null ? [] : [{ exp_labels: labels, exp_annotations: { summary } }],
  });
  const file = join(folder, 'rules-test.yml');
  // JSON is YAML.
  const failed =
    '2 hosts failed or went back to their former image: warmboot hosts --state failed,rolled-back';
  writeFileSync(
    file,
    JSON.stringify({
      rule_files: [inCheckout(RULES)],
      evaluation_interval: '1m',
      tests: [
        {
          interval: '1m',
          input_series: [
            series('warmboot_hosts{state="failed"}', '0x5 2x30'),
            series('warmboot_hosts{state="active"}', '9x40'),
            series('warmboot_data_free_bytes', '20e9x10 5e9x30'),
          ],
          alert_rule_test: [
            alert('WarmbootHostsFailed', '5m', null),
            alert('WarmbootHostsFailed', '20m', failed),
            alert('WarmbootDiskFull', '5m', null),
            alert('WarmbootDiskFull', '15m', 'The data folder has 4.657GiB left.'),
          ],
        },
      ],
    }),
  );
  expect(tool('promtool', ['test', 'rules', file]).said).toContain('SUCCESS');
});

test('systemd takes the unit, and finds little that it could still be denied', () => {
  // The checkout is not in /opt here; everything else is as it is shipped.
  const unit = join(folder, 'warmboot.service');
  writeFileSync(unit, read(UNIT).replaceAll('/opt/warmboot/warmboot', inCheckout('warmboot')));
  expect(tool('systemd-analyze', ['verify', unit])).toEqual({ status: 0, said: '' });
  // In tenths: 100 is a service that is denied nothing. What is left are the network and two capabilities, which are its work.
  const security = ['security', '--offline=yes', '--no-pager', '--threshold=20', unit];
  const { status, said } = tool('systemd-analyze', security);
  expect(said).toContain('Overall exposure level');
  expect(status).toBe(0);
  execFileSync('sed', ['-i', '/^ProtectSystem/d; /^NoNewPriv/d; /^SystemCallFilter/d', unit]);
  expect(tool('systemd-analyze', security).status).not.toBe(0);
});
