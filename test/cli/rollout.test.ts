import { expect, test } from 'vitest';
import type { BegunRolloutView, RolloutSummaryView, RolloutView } from '../../server/contract/rollouts.ts';
import { adminServer, problem, type Route, sseText, stream } from './admin-server.ts';
import { event, MAC, TWO } from './records.ts';
import { NOW, run } from './run.ts';

const ID = 'rollout-1';
const PATH = '/api/v1/rollouts';
const none = {
  waiting: 0,
  held: 0,
  installing: 0,
  staging: 0,
  switching: 0,
  confirming: 0,
  succeeded: 0,
  failed: 0,
  'rolled-back': 0,
  skipped: 0,
};

function rollout(more: Partial<RolloutView> = {}): RolloutView {
  return {
    id: ID,
    name: 'spring',
    image: { ref: 'debian-13:next', digest: TWO },
    rollbackOf: null,
    status: 'running',
    wave: 2,
    waveCount: 2,
    hosts: 10,
    states: { ...none, succeeded: 3, staging: 2, waiting: 5 },
    createdAt: NOW - 60_000,
    endedAt: null,
    reason: 'wave 2 of 2: 7 of 10 hosts are not there yet',
    why: 'CVE',
    waves: [
      { upTo: 1, hosts: 1, status: 'over', states: { ...none, succeeded: 1 } },
      { upTo: '100%', hosts: 9, status: 'works', states: { ...none, succeeded: 2, staging: 2, waiting: 5 } },
    ],
    soakUntil: null,
    unavailable: 2,
    maxUnavailable: '20%',
    maxUnavailableHosts: 2,
    failureThreshold: 2,
    failureLimit: 2,
    soakSeconds: 300,
    skipAfterSeconds: 600,
    fresh: false,
    ...more,
  };
}
/** What beginning one answers. */
function begun({ leftOut = [], ...more }: Partial<BegunRolloutView> = {}): BegunRolloutView {
  return { ...rollout(more), leftOut };
}
const plan = {
  image: { ref: 'debian-13:next', digest: TWO },
  hosts: 2,
  maxUnavailableHosts: 1,
  waves: [{ upTo: '100%', hosts: 2, macs: [MAC, '52:54:00:00:00:02'] }],
  leftOut: [{ mac: '52:54:00:00:00:03', reason: 'the host is retired' }],
};
const finished = rollout({
  status: 'finished',
  reason: 'every wave is over',
  states: { ...none, succeeded: 10 },
  endedAt: NOW,
});

/** The rollout at each look, the last one for ever. */
function looks(...views: RolloutView[]): Record<string, Route> {
  let at = 0;
  return {
    [`POST ${PATH}`]: (asked) => (asked.path.includes('dryRun') ? plan : begun()),
    [`GET ${PATH}/${ID}`]: () => views[Math.min(at++, views.length - 1)],
  };
}

test('start sends what was said', async () => {
  const server = await adminServer(looks(rollout()));
  const words = [
    '--selector',
    'pool=web',
    '--waves',
    '1,10%,100%',
    '--max-unavailable',
    '20%',
    '--soak',
    '15m',
  ];
  const more = [
    '--failure-threshold',
    '2',
    '--skip-after',
    '1h',
    '--fresh',
    '--name',
    'spring',
    '--reason',
    'CVE',
  ];
  const argv = ['--server', server.url, 'rollout', 'start', 'debian-13:next', ...words, ...more];
  const ran = await run(argv);
  expect(ran).toMatchObject({ code: 0, stderr: '' });
  expect(ran.stdout).toContain('rollout rollout-1 has begun: 10 hosts in 2 waves.');
  expect(server.asked.find(({ method }) => method === 'POST')?.body).toEqual({
    image: 'debian-13:next',
    selector: 'pool=web',
    waves: [1, '10%', '100%'],
    maxUnavailable: '20%',
    failureThreshold: 2,
    soakSeconds: 900,
    skipAfterSeconds: 3600,
    fresh: true,
    name: 'spring',
    reason: 'CVE',
  });
});

test.each([
  ['no hosts', []],
  ['two ways', ['--all', '--mac', MAC]],
  ['an empty selector, as of a variable that was never set', ['--selector', '']],
  ['a share that is none', ['--all', '--max-unavailable', '10 %']],
  ['a time that is none', ['--all', '--soak', '5']],
])('start is refused with %s', async (_, words) => {
  const server = await adminServer(looks(rollout()));
  const ran = await run(['--server', server.url, 'rollout', 'start', 'debian-13', ...words]);
  expect(ran.code).toBe(2);
  expect(server.asked.filter(({ method }) => method === 'POST')).toEqual([]);
});

test('a dry run shows the waves and who is left out', async () => {
  const server = await adminServer(looks(rollout()));
  const ran = await run(['--server', server.url, 'rollout', 'start', 'debian-13:next', '--all', '--dry-run']);
  expect(ran.stdout).toMatch(/2 hosts to debian-13:next, at most 1 at once:\nWAVE/);
  expect(ran.stdout).toContain('left out: 52:54:00:00:00:03: the host is retired');
  expect(server.asked.at(-1)?.path).toBe(`${PATH}?dryRun=true`);
});

test('list and show, for eyes and for programs', async () => {
  const { reason, why, waves, ...summary } = rollout();
  const shown: Partial<RolloutSummaryView> = summary;
  const host = {
    host: 'host-1',
    mac: MAC,
    wave: 1,
    state: 'rolled-back',
    reason: 'unhealthy',
    attempt: 'attempt-1',
    image: { ref: 'debian-13:next', digest: TWO },
    before: null,
    lastSeen: NOW - 5000,
  };
  const server = await adminServer({
    ...looks(rollout()),
    [`GET ${PATH}`]: () => ({ rollouts: [shown], next: null }),
    [`GET ${PATH}/${ID}/hosts`]: () => ({ hosts: [host], next: null }),
  });
  const list = await run(['--server', server.url, 'rollout', 'list']);
  expect(list.stdout).toMatch(
    /rollout-1\s+spring\s+debian-13:next\s+running\s+2\/2\s+3 of 10 there, 2 on their way/,
  );
  const show = await run(['--server', server.url, 'rollout', 'show', ID, '--hosts']);
  expect(show.stdout).toContain(`now      ${reason}`);
  expect(show.stdout).toContain(why);
  expect(show.stdout).toMatch(/at most 2 on their way \(20%\), pauses at 2 failed \(2\), soaks 5 min/);
  expect(show.stdout).toMatch(/2\s+100%\s+works\s+2 of 9 there, 2 on their way/);
  expect(show.stdout).toMatch(/52:54:00:00:00:01\s+1\s+rolled-back\s+5 s ago\s+-\s+unhealthy/);
  const json = await run(['--server', server.url, '--json', 'rollout', 'show', ID]);
  expect(JSON.parse(json.stdout).waves).toEqual(waves);
});

test.each([
  ['pause', ['--reason', 'lunch'], { reason: 'lunch' }],
  ['resume', ['--retry'], { retry: true }],
  ['abort', [], {}],
] as const)('%s', async (what, words, body) => {
  const server = await adminServer({ [`POST ${PATH}/${ID}/${what}`]: () => rollout({ status: 'paused' }) });
  const ran = await run(['--server', server.url, 'rollout', what, ID, ...words]);
  expect(ran).toMatchObject({ code: 0, stdout: expect.stringContaining('rollout rollout-1 is paused') });
  expect(server.asked.find(({ method }) => method === 'POST')?.body).toEqual(body);
});

test('rollback names the rollout that brings the hosts back', async () => {
  const back = begun({ id: 'rollout-2', rollbackOf: ID, image: null, hosts: 3 });
  const server = await adminServer({ [`POST ${PATH}/${ID}/rollback`]: () => back });
  const ran = await run(['--server', server.url, 'rollout', 'rollback', ID]);
  expect(ran).toMatchObject({
    code: 0,
    stdout: expect.stringContaining('rollout rollout-2 brings 3 hosts back.'),
    stderr: '',
  });
});

test('rollback names each host that does not go back, on stderr, with the reason', async () => {
  const leftOut = [2, 3].map((number) => ({ mac: `52:54:00:00:00:0${number}`, reason: 'gone: import it' }));
  const back = begun({ id: 'rollout-2', rollbackOf: ID, image: null, hosts: 1, leftOut });
  const server = await adminServer({ [`POST ${PATH}/${ID}/rollback`]: () => back });
  const argv = ['--server', server.url, 'rollout', 'rollback', ID];
  const lines = leftOut.map(({ mac }) => `left out: ${mac}: gone: import it\n`).join('');
  expect(await run(argv)).toMatchObject({
    code: 0,
    stdout: expect.stringContaining('rollout rollout-2 brings 1 host back, 2 left out.'),
    stderr: lines,
  });
  const forPrograms = await run([...argv, '--json']);
  expect(JSON.parse(forPrograms.stdout).leftOut).toEqual(leftOut);
});

test.each([
  [['rollout', 'start', 'debian-13', '--all'], '10 hosts in 2 waves, 1 left out.'],
  [['assign', 'pool=web', 'debian-13', '--yes'], '10 hosts are ordered to debian-13, 1 left out: rollout'],
])('%s says how many hosts do not take part', async (words, sentence) => {
  const server = await adminServer({ [`POST ${PATH}`]: () => begun({ leftOut: plan.leftOut }) });
  const ran = await run(['--server', server.url, ...words]);
  expect(ran).toMatchObject({ code: 0, stdout: expect.stringContaining(sentence), stderr: '' });
});

test('a refusal is said as the server says it', async () => {
  const server = await adminServer({
    [`POST ${PATH}`]: (_asked, response) => problem(response, 409, 'They belong to rollout x.'),
  });
  const ran = await run(['--server', server.url, 'rollout', 'start', 'debian-13', '--all']);
  expect(ran).toMatchObject({ code: 1, stderr: 'warmboot: They belong to rollout x.\n' });
});

const watch = ['rollout', 'show', ID, '--watch'];
test('following ends with 0 when every host came to run the image', async () => {
  const server = await adminServer(looks(rollout(), finished));
  const ran = await run(['--server', server.url, ...watch]);
  expect(ran).toMatchObject({ code: 0, stdout: 'rollout rollout-1: 10 of 10 there after 1 min.\n' });
  expect(ran.stderr).toContain('wave 2/2: 3 of 10 there, 2 on their way: wave 2 of 2');
});

test.each([
  [
    'hosts failed',
    { ...finished, states: { ...none, succeeded: 8, failed: 1, 'rolled-back': 1 } },
    /is finished: 8 of 10 there, 1 failed, 1 rolled back/,
  ],
  ['nobody was moved', { ...finished, states: { ...none, skipped: 10 } }, /0 of 10 there, 10 skipped/],
  ['it was aborted', { ...finished, status: 'aborted' as const }, /is aborted/],
  [
    'it paused',
    rollout({ status: 'paused', reason: 'paused: 2 of 2 failures' }),
    /is paused: 2 of 2 failures.*resume/,
  ],
])('and with 1 when %s', async (_, view, sentence) => {
  const server = await adminServer(looks(view));
  const ran = await run(['--server', server.url, ...watch]);
  expect(ran.code).toBe(1);
  expect(ran.stderr).toMatch(sentence);
});

test('assign with a selector is a rollout of one wave that nothing pauses', async () => {
  const server = await adminServer(looks(finished));
  const ran = await run(['--server', server.url, 'assign', 'pool=web', 'debian-13:next', '--wait']);
  expect(ran.code).toBe(0);
  expect(server.asked.find(({ method }) => method === 'POST')?.body).toEqual({
    image: 'debian-13:next',
    selector: 'pool=web',
    waves: ['100%'],
    maxUnavailable: '100%',
    failureThreshold: 1_000_000,
    soakSeconds: 0,
    reason: 'assign pool=web',
  });
});

test('on a terminal it says how many hosts that is, and does it only with --yes', async () => {
  const server = await adminServer(looks(rollout()));
  const argv = ['--server', server.url, 'assign', 'pool=web', 'debian-13:next'];
  const shown = await run(argv, { columns: 100 });
  expect(shown.code).toBe(2);
  expect(shown.stderr).toMatch(/that is 2 hosts, all at once: say --yes/);
  expect(server.asked.some(({ path }) => path === PATH)).toBe(false);
  const done = await run([...argv, '--yes'], { columns: 100 });
  expect(done).toMatchObject({
    code: 0,
    stdout: expect.stringContaining('10 hosts are ordered to debian-13:next'),
  });
});

test('--watch follows the log: between two of its events a rollout is not asked for', async () => {
  let looks = 0;
  let isOver = false;
  let between: number | null = null;
  const server = await adminServer({
    'GET /api/v1/events': (asked, response) => {
      if (asked.headers.accept !== 'text/event-stream') return { events: [], next: 7 };
      stream(response, [], 'stay');
      const before = looks;
      setTimeout(() => {
        between = looks - before;
        isOver = true;
        response.write(sseText('rollout-ended', event(8), 8));
      }, 3_300);
      return undefined;
    },
    [`GET ${PATH}/${ID}`]: () => {
      looks += 1;
      return isOver ? finished : rollout();
    },
  });
  const { code, stdout } = await run(['--server', server.url, ...watch]);
  expect([code, stdout]).toEqual([0, 'rollout rollout-1: 10 of 10 there after 1 min.\n']);
  // One that was due before it followed.
  expect(between).toBeLessThanOrEqual(1);
});
