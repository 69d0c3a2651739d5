import { expect, test } from 'vitest';
import { adminServer } from './admin-server.ts';
import { attempt, host, image, MAC, ONE, TWO } from './records.ts';
import { NOW, run, TOKEN } from './run.ts';

const busy = host({
  id: 'host-2',
  mac: '52:54:00:00:00:02',
  macs: ['52:54:00:00:00:02'],
  state: 'staging',
  image: { ref: 'debian-13:next', digest: TWO },
  labels: {},
  attempt: attempt({ progress: { phase: 'write', bytesDone: 45, bytesTotal: 100 } }),
  next: {
    action: 'stage',
    reason: 'debian-13:next is to be written to slot b',
    until: 'something changes',
    hint: null,
    slot: 'b',
  },
});
const silent = host({
  mac: '52:54:00:00:00:03',
  state: 'approved',
  image: null,
  observation: null,
  lastSeen: null,
  next: {
    action: 'none',
    reason: 'no image is assigned',
    until: 'something changes',
    hint: null,
    slot: null,
  },
});
const old = host({
  mac: '52:54:00:00:00:04',
  state: 'hold',
  image: { ref: 'debian-13:next', digest: TWO },
  lastSeen: NOW - 50 * 3_600_000,
});

test('a table for people', async () => {
  const server = await adminServer({
    'GET /api/v1/hosts': () => ({ hosts: [host(), busy, silent, old], next: null }),
    'GET /api/v1/images': () => ({ images: [image()] }),
  });
  const { code, stdout, stderr } = await run(['hosts', '--server', server.url]);
  expect(stdout).toMatchInlineSnapshot(`
    "HOST               STATE     IMAGE             RUNS                NOW                      SEEN     LABELS
    52:54:00:00:00:01  active    debian-13:latest  a debian-13:latest  the host runs its image  5 s ago  rack=b7
    52:54:00:00:00:02  staging   debian-13:next    a debian-13:latest  staging: write 45%       5 s ago  -
    52:54:00:00:00:03  approved  -                 -                   no image is assigned     never    rack=b7
    52:54:00:00:00:04  hold      debian-13:next    a debian-13:latest  the host runs its image  2 d ago  rack=b7
    "
  `);
  expect([code, stderr]).toEqual([0, '']);
  expect(server.asked[0]?.headers.authorization).toBe(`Bearer ${TOKEN}`);
});

test('a narrow terminal cuts what may be cut', async () => {
  const server = await adminServer({
    'GET /api/v1/hosts': () => ({ hosts: [host(), busy], next: null }),
    'GET /api/v1/images': () => ({ images: [image({ tags: [] })] }),
  });
  const { stdout } = await run(['hosts', '--server', server.url], { columns: 90 });
  expect(stdout).toMatchInlineSnapshot(`
    "HOST               STATE    IMAGE           RUNS            NOW           SEEN     LABELS
    52:54:00:00:00:01  active   debian-13:lat…  a debian-13:l…  the host ru…  5 s ago  rack=b7
    52:54:00:00:00:02  staging  debian-13:next  a 111111111111  staging: wr…  5 s ago  -
    "
  `);
});

test('--json is what the API said, with fields that this program does not know', async () => {
  const answer = { hosts: [{ ...host(), newer: { field: [1] } }], next: null, more: true };
  const server = await adminServer({ 'GET /api/v1/hosts': () => answer });
  const { code, stdout } = await run(['--server', server.url, '--json', 'hosts']);
  expect([code, JSON.parse(stdout)]).toEqual([0, answer]);
});

test('filters go to the server', async () => {
  const server = await adminServer({ 'GET /api/v1/hosts': () => ({ hosts: [], next: null }) });
  const words = [
    '--state',
    'failed,hold',
    '--label',
    'rack=b&7',
    '--label',
    '!spare',
    '--image',
    'web',
    '--search',
    'aa:bb',
  ];
  const args = ['hosts', '--server', server.url, ...words];
  const { code, stdout, stderr } = await run(args);
  expect(server.asked[0]?.path).toBe(
    '/api/v1/hosts?label=rack%3Db%267&label=%21spare&state=failed%2Chold&image=web&q=aa%3Abb',
  );
  expect([code, stdout, stderr]).toEqual([0, '', 'No host is like that.\n']);
});

test('every page is asked for, with the same filter, and shown as one', async () => {
  const pages: Record<string, object> = {
    '': { hosts: [host()], next: 'c 1' },
    'c 1': { hosts: [busy, silent], next: 'c2' },
    c2: { hosts: [old], next: null, more: true },
  };
  const server = await adminServer({
    'GET /api/v1/hosts': ({ path }) => pages[new URL(path, 'http://x').searchParams.get('cursor') ?? ''],
    'GET /api/v1/images': () => ({ images: [] }),
  });
  const args = ['--server', server.url, 'hosts', '--state', 'active'];
  const { stdout } = await run(args);
  expect(stdout.match(/^52\S+/gm)).toEqual([MAC, busy.mac, silent.mac, old.mac]);
  expect(server.asked.map(({ path }) => path).filter((path) => path.includes('hosts'))).toEqual([
    '/api/v1/hosts?state=active',
    '/api/v1/hosts?state=active&cursor=c+1',
    '/api/v1/hosts?state=active&cursor=c2',
  ]);
  const whole = JSON.parse((await run([...args, '--json'])).stdout);
  expect(whole).toEqual({ hosts: [host(), busy, silent, old], next: null, more: true });
});

test('no hosts at all: how to get one', async () => {
  const server = await adminServer({ 'GET /api/v1/hosts': () => ({ hosts: [], next: null }) });
  const { stderr } = await run(['hosts', '--server', server.url]);
  expect(stderr).toBe('There are no hosts. Enrol one: warmboot enrol MAC --image IMAGE\n');
});

test('what a host says about itself cannot reach the terminal raw', async () => {
  const evil = host({
    labels: { rack: '\x1b[2J\x1b]0;owned\x07\x07' },
    next: {
      action: 'hold',
      reason: 'failed: \x1bc\u009b2J\nsecond line',
      until: 'something changes',
      hint: null,
      slot: null,
    },
  });
  const routes = {
    'GET /api/v1/hosts': () => ({ hosts: [evil], next: null }),
    [`GET /api/v1/hosts/${encodeURIComponent(MAC)}`]: () => evil,
    [`GET /api/v1/hosts/${encodeURIComponent(MAC)}/attempts`]: () => ({ attempts: [] }),
  };
  const server = await adminServer(routes);
  for (const args of [['hosts'], ['host', MAC], ['hosts', '--json'], ['host', MAC, '--json']]) {
    const { code, stdout } = await run([...args, '--server', server.url]);
    expect(code).toBe(0);
    expect(stdout.replaceAll('\n', '')).not.toMatch(/\p{Cc}/u);
  }
});

test('a host that asks with a wrong token: what keeps it from its next step stands below it', async () => {
  const { next } = host();
  const one = host({
    next: { ...next, hint: 'its last word came with a token that this server does not know' },
  });
  const path = `/api/v1/hosts/${encodeURIComponent(MAC)}`;
  const server = await adminServer({
    [`GET ${path}`]: () => one,
    [`GET ${path}/attempts`]: () => ({ attempts: [] }),
  });
  const { stdout } = await run(['host', MAC, '--server', server.url]);
  expect(stdout).toMatch(
    /^until .*\nbut +its last word came with a token that this server does not know\nseen /m,
  );
});

test('one host: the three records, the slots, the attempts', async () => {
  const one = host({
    state: 'staging',
    macs: [MAC, '52:54:00:00:00:aa'],
    image: { ref: 'debian-13:next', digest: TWO },
    append: 'mitigations=off',
    attempt: attempt({ progress: { phase: 'write', bytesDone: 450_000_000, bytesTotal: 1_000_000_000 } }),
    next: {
      action: 'stage',
      reason: 'debian-13:next is to be written to slot b',
      until: 'something changes',
      hint: null,
      slot: 'b',
    },
  });
  const before = attempt({
    id: 'attempt-0',
    kind: 'install',
    digest: ONE,
    image: 'debian-13:latest',
    phase: 'confirming',
    outcome: 'succeeded',
    reason: 'confirmed',
    createdAt: NOW - 26 * 3_600_000,
    endedAt: NOW - 26 * 3_600_000 + 95_000,
  });
  const path = `/api/v1/hosts/${encodeURIComponent(MAC)}`;
  const server = await adminServer({
    [`GET ${path}`]: () => one,
    [`GET ${path}/attempts`]: () => ({ attempts: [before, one.attempt] }),
    'GET /api/v1/images': () => ({ images: [image()] }),
  });
  const { code, stdout } = await run(['host', MAC, '--server', server.url]);
  expect(code).toBe(0);
  expect(stdout).toMatchInlineSnapshot(`
    "host       52:54:00:00:00:01, 52:54:00:00:00:aa
    state      staging
    next step  stage b: debian-13:next is to be written to slot b
    until      something changes
    seen       5 s ago

    Enrolment
      status    approved, enrolled 1 d ago
      revision  3
      image     debian-13:next  sha256:2222222222222222222222222222222222222222222222222222222222222222
      profile   none
      layout    two-slots
      disk      smallest
      switch    kexec
      trial     the server's own
      rate      no limit
      readback  yes
      files     none
      append    mitigations=off
      labels    rack=b7
      token     claimed

    Attempt
      id        attempt-1
      order     switch debian-13:next (operator: assign), 1 min ago
      phase     staging, for 30 s
      reason    waits for the agent to ask
      progress  write: 45% of 954 MiB
      deadline  in 10 min

    Observation
      runs     slot a: debian-13:latest
      trial    no
      default  slot a
      disk     0f3b7f5a-2a52-4a8e-9d0c-5f8c8e1d2b3c
      boot     b5c9b7a4-6c1c-4b64-9be1-0d7c4e0c6f5d
      said     40 s ago, report 4 of this boot

    Slots
       SLOT  STATE     IMAGE
      >a     modified  debian-13:latest  runs, boot default
       b     empty     -                 next: stage

    Attempts
      BEGUN      KIND     IMAGE             OUTCOME          TOOK  REASON
      1 min ago  switch   debian-13:next    staging …  1 min 30 s  waits for the agent to ask
      1 d ago    install  debian-13:latest  succeeded  1 min 35 s  confirmed
    "
  `);
  const asJson = await run(['host', MAC, '--json', '--server', server.url]);
  expect(JSON.parse(asJson.stdout)).toEqual(one);
});

test('one host whose disk takes no writes any more', async () => {
  const path = `/api/v1/hosts/${encodeURIComponent(MAC)}`;
  const whole = host();
  const server = await adminServer({
    [`GET ${path}`]: () => ({
      ...whole,
      observation: whole.observation && { ...whole.observation, readOnly: true },
    }),
    [`GET ${path}/attempts`]: () => ({ attempts: [] }),
    'GET /api/v1/images': () => ({ images: [] }),
  });
  const { stdout } = await run(['host', MAC, '--server', server.url]);
  expect(stdout).toMatch(/^ +disk +\S+, takes no writes any more$/m);
});

test('one host that has said nothing yet', async () => {
  const path = `/api/v1/hosts/${encodeURIComponent(silent.mac)}`;
  const server = await adminServer({
    [`GET ${path}`]: () => silent,
    [`GET ${path}/attempts`]: () => ({ attempts: [] }),
  });
  const { stdout } = await run(['host', silent.mac, '--server', server.url]);
  expect(stdout).toMatchInlineSnapshot(`
    "host       52:54:00:00:00:01
    state      approved
    next step  none: no image is assigned
    until      something changes
    seen       never

    Enrolment
      status    approved, enrolled 1 d ago
      revision  3
      image     none
      profile   none
      layout    two-slots
      disk      smallest
      switch    kexec
      trial     the server's own
      rate      no limit
      readback  yes
      files     none
      append    -
      labels    rack=b7
      token     claimed

    Attempt
      none so far

    Observation
      the host has not said anything yet
    "
  `);
});
