import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { saidInventory } from '../fixtures/inventories.ts';
import { DISK, Machine } from '../fixtures/machine.ts';
import { newMac, runningServer, type TestServer } from '../fixtures/running-server.ts';
import { type Fields, loggedIn, loggedInAs, type PageClient } from './page-client.ts';

const EVIL = `"><img src=x onerror=alert(1)>'`;
const AS_TEXT = '&quot;&gt;&lt;img src=x onerror=alert(1)&gt;&#39;';

let server: TestServer;
let admin: PageClient;
let viewer: PageClient;
beforeAll(async () => {
  server = await runningServer();
  admin = await loggedIn(server);
  viewer = await loggedInAs(server, 'viewer', 'looker');
});
afterAll(() => server.close());

const installed = async () => (await new Machine(server).enrol()).installed();
const hostOf = async (mac: string) => (await server.admin(`/api/v1/hosts/${mac}`)).json;
const pageOf = async (mac: string) => (await admin.look(`/hosts/${mac}`)).text;

/** Sends the form of a page of the host. */
const act = (mac: string, deed: string, fields: Fields = {}, query = '') =>
  admin.send(`/hosts/${mac}/${deed}${query}`, `/hosts/${mac}/${deed}`, fields);
const order = async (machine: Machine, image: string) => {
  const { json } = await server.admin(`/api/v1/hosts/${machine.mac}/os`, { method: 'PUT', body: { image } });
  machine.attempt = json.attempt;
};
const discovered = async (facts = {}) => {
  const mac = newMac();
  await server.boot(`/boot/hosts/${mac}/inventory`, { body: { ...saidInventory(facts), nics: [] } });
  return mac;
};

describe('the page', () => {
  test('of a host that is written: what is next, the disk with its slots, bytes that came', async () => {
    const machine = await installed();
    await server.boot(`/boot/hosts/${machine.mac}/inventory`, {
      body: saidInventory(),
      headers: { authorization: `Bearer ${machine.token}` },
    });
    await order(machine, 'two');
    await machine.report({ kind: 'progress', phase: 'write', bytesDone: 512, bytesTotal: 2048 });
    const text = await pageOf(machine.mac);
    expect(text).toContain('<strong>stage b</strong>');
    expect(text).toContain('512 B of 2.0 KiB (25%)');
    expect(text).toMatch(/data-done="512" data-total="2048" data-at="\d{13}"/);
    expect(text).toMatch(/<svg class="disk"[\s\S]*class="piece slot runs"[\s\S]*class="piece slot writing"/);
    expect(text).toContain('writing, 25%');
    expect(text).toContain('PERC H740P, 447 GiB');
    expect(text).toMatch(/data-every="1000"/);
    // No pace is made up where only one report came.
    expect(text).toContain('<span class="rate"></span>');
  });
  test('never more than there is', async () => {
    const machine = await installed();
    await order(machine, 'two');
    await machine.report({ kind: 'progress', phase: 'write', bytesDone: 4096, bytesTotal: 2048 });
    const text = await pageOf(machine.mac);
    expect(text).toContain('(100%)');
    expect(text).not.toContain('200%');
  });
  test('of a failure: why, the timeline from report to report, the tail of the log', async () => {
    const machine = await installed();
    await order(machine, 'two');
    await machine.report({ kind: 'progress', phase: 'write', bytesDone: 1, bytesTotal: 2 });
    await machine.report({
      kind: 'failed',
      phase: 'write',
      reason: 'no <b>sector',
      log: 'tail <i>of the log',
    });
    const text = await pageOf(machine.mac);
    expect(text).toContain('failed: write: no &lt;b&gt;sector');
    expect(text).toMatch(/aria-label="Phases">[\s\S]*pending[\s\S]*staging[\s\S]*failed/);
    expect(text).toContain('<pre tabindex="0">tail &lt;i&gt;of the log</pre>');
    expect(text).toContain('Earlier attempts');
    expect(text).toMatch(/class="button primary" href="[^"]+\/retry"/);
  });
  test('of a disk that takes no writes any more: said as long as it is so', async () => {
    const machine = await installed();
    const booted = { kind: 'booted', slot: 'a', digest: server.one.digest };
    await machine.report({ ...booted, readOnly: true });
    expect(await pageOf(machine.mac)).toContain('Its disk takes no writes any more');
    await machine.report({ ...booted, readOnly: false });
    expect(await pageOf(machine.mac)).not.toContain('takes no writes');
  });

  test('by any of its MACs is one page; of none there is none', async () => {
    const [one, other] = [newMac(), newMac()];
    await server.admin('/api/v1/hosts', { body: { macs: [one, other] } });
    expect((await admin.look(`/hosts/${other}`)).headers.location).toBe(`/hosts/${one}`);
    expect((await admin.look(`/hosts/${newMac()}`)).status).toBe(404);
    expect((await admin.look('/hosts/nonsense')).status).toBe(400);
  });
  test('without a layout it says so', async () => {
    const text = await pageOf((await installed()).mac);
    expect(text).toContain('disk not known');
    expect(text).toContain('layout two-slots (gpt)');
  });
  test('a viewer sees all of it and nothing that could be done', async () => {
    const machine = await installed();
    const { text } = await viewer.look(`/hosts/${machine.mac}`);
    expect(text).toContain('OS running');
    for (const word of ['class="button', 'Change…', '/retire']) expect(text).not.toContain(word);
    for (const deed of ['retire', 'hold', 'remove']) {
      const page = await viewer.look(`/hosts/${machine.mac}/${deed}`);
      expect(page.text).toContain('of role viewer, which only looks');
      expect(page.text).not.toContain(`action="/hosts/${machine.mac}/${deed}"`);
    }
    expect((await hostOf(machine.mac)).state).toBe('active');
  });
});

describe('every text of others is text', () => {
  test('of a machine that waits', async () => {
    const mac = await discovered({
      system: { vendor: EVIL, product: EVIL, serial: EVIL, uuid: EVIL },
      board: { vendor: EVIL, product: EVIL, serial: EVIL },
      cpu: { model: EVIL, count: 1 },
      bmc: { source: 'ipmi', address: EVIL },
      disks: [{ ...saidInventory().disks[0], model: EVIL, serial: EVIL, wwn: EVIL }],
    });
    const text = await pageOf(mac);
    expect(text.split(AS_TEXT).length).toBeGreaterThan(9);
    expect(text).not.toContain('<img');
    expect((await admin.look(`/hosts/${mac}/approve`)).text).not.toContain('<img');
  });
  test('of a host in trouble', async () => {
    const machine = await installed();
    await server.admin(`/api/v1/hosts/${machine.mac}`, {
      method: 'PATCH',
      body: { labels: { [EVIL]: EVIL } },
    });
    await order(machine, 'two');
    await machine.report({ kind: 'progress', phase: EVIL, bytesDone: 1, bytesTotal: 2 });
    const at = await pageOf(machine.mac);
    expect(at).toContain(AS_TEXT);
    await machine.report({ kind: 'failed', phase: EVIL, reason: EVIL, log: EVIL });
    const slots = {
      a: { state: 'modified', digest: server.one.digest },
      b: { state: 'invalid', digest: null },
    };
    await machine.report({
      kind: 'rolled-back',
      attempt: null,
      slot: 'a',
      digest: server.one.digest,
      default: 'a',
      slots,
      disk: DISK,
      reason: EVIL,
    });
    await server.admin(`/api/v1/hosts/${machine.mac}/hold`, { body: { reason: EVIL } });
    const pages = [
      '',
      '/assign?to=two',
      '/retry',
      '/rollback',
      '/reinstall',
      '/resume',
      '/release',
      '/retire',
      '/remove',
      '/settings',
    ];
    for (const page of [...pages, `/assign?to=${encodeURIComponent(EVIL)}`]) {
      const { text } = await admin.look(`/hosts/${machine.mac}${page}`);
      expect(text, page).not.toContain('<img');
    }
    expect((await pageOf(machine.mac)).split(AS_TEXT).length).toBeGreaterThan(6);
    const typed = await act(machine.mac, 'settings', { labels: `=${EVIL}`, append: EVIL });
    expect([typed.status, typed.text.includes('<img')]).toEqual([422, false]);
  });
});

describe('what can be done', () => {
  test('only what the state allows has a button', async () => {
    const deeds = async (mac: string) =>
      [...(await pageOf(mac)).matchAll(/class="button[^"]*" href="[^"]+\/([a-z]+)"/g)].map(
        ([, deed]) => deed,
      );
    const machine = await installed();
    expect(await deeds(machine.mac)).toEqual([
      'assign',
      'rollback',
      'reinstall',
      'hold',
      'release',
      'retire',
      'remove',
    ]);
    expect(await deeds(await discovered())).toEqual(['approve', 'remove']);
    await act(machine.mac, 'hold');
    expect(await deeds(machine.mac)).toContain('resume');
    await act(machine.mac, 'retire');
    expect(await deeds(machine.mac)).toEqual(['approve', 'remove']);
  });

  test('assign: says from what to what, then orders it', async () => {
    const machine = await installed();
    const plan = await admin.look(`/hosts/${machine.mac}/assign?to=two`);
    expect(plan.text).toContain('writes it into a free slot');
    const done = await act(machine.mac, 'assign', {}, '?to=two');
    expect(done.headers.location).toBe(`/hosts/${machine.mac}`);
    expect(await hostOf(machine.mac)).toMatchObject({ state: 'staging', image: { ref: 'two' } });
    expect(await pageOf(machine.mac)).toContain('two is ordered');
    expect(await pageOf(machine.mac)).not.toContain('two is ordered: ');
    expect((await admin.look(`/hosts/${machine.mac}/assign?to=two`)).text).toContain(
      'on its way there already',
    );
    expect((await admin.look(`/hosts/${machine.mac}/assign?to=one`)).text).toContain(
      'runs this image already',
    );
    expect((await admin.look(`/hosts/${machine.mac}/assign?to=nothing`)).status).toBe(422);
  });

  test('somebody was faster: nothing is done, and the page shows how it is now', async () => {
    const machine = await installed();
    const { mac } = machine;
    for (const [deed, fields, query] of [
      ['assign', {}, '?to=two'],
      ['hold', {}, ''],
      ['settings', { labels: 'mine=1' }, ''],
      ['retire', {}, ''],
      ['remove', { name: mac }, ''],
    ] as const) {
      const late = { ...fields, revision: '1' };
      const answer = await act(mac, deed, late, query);
      expect([deed, answer.status, answer.text.includes('Somebody was faster')]).toEqual([deed, 412, true]);
    }
    expect(await hostOf(mac)).toMatchObject({ state: 'active', held: null, labels: {} });
  });

  test('roll back: where to is said before, and why not where it cannot be', async () => {
    const machine = await installed();
    const impossible = await admin.look(`/hosts/${machine.mac}/rollback`);
    expect([impossible.status, impossible.text.includes('nothing to go back to')]).toEqual([409, true]);
    await order(machine, 'two');
    const { digest } = server.two;
    for (const kind of ['staged', 'switching']) await machine.report({ kind, slot: 'b', digest });
    machine.reboot();
    const slots = { a: { state: 'modified', digest: server.one.digest }, b: { state: 'modified', digest } };
    const up = { slot: 'b', digest, default: 'b', slots, disk: DISK };
    await machine.report({ kind: 'booted', ...up });
    await machine.report({ kind: 'confirmed', ...up });
    const page = await admin.look(`/hosts/${machine.mac}/rollback`);
    expect(page.text).toContain('Slot a still holds it');
    expect((await act(machine.mac, 'rollback')).status).toBe(303);
    expect(await hostOf(machine.mac)).toMatchObject({
      image: { ref: 'one' },
      attempt: { cause: 'operator: rollback' },
    });
  });

  test('reinstall: wiping asks for the name', async () => {
    const { mac } = await installed();
    for (const fields of [{ wipe: 'yes' }, { wipe: 'yes', name: '52:54:00:00:00:00' }, { name: mac }]) {
      const answer = await act(mac, 'reinstall', fields);
      expect([answer.status, answer.text.includes('Nothing was done')]).toEqual([422, true]);
    }
    expect((await hostOf(mac)).attempt.cause).toBe('operator: enrol');
    expect(
      (await act(mac, 'reinstall', { wipe: 'yes', name: mac.toUpperCase().replaceAll(':', '-') })).status,
    ).toBe(303);
    const { json } = await server.boot(`/boot/hosts/${mac}/manifest`);
    expect([json.action, json.install.wipe]).toEqual(['install', true]);
  });

  test('retry, hold and resume, release, retire', async () => {
    const machine = await installed();
    const { mac } = machine;
    expect((await act(mac, 'retry')).text).toContain('There is nothing to retry');
    await order(machine, 'two');
    await machine.report({ kind: 'failed', phase: 'write', reason: 'x' });
    expect((await act(mac, 'retry')).status).toBe(303);
    await act(mac, 'hold', { reason: 'a fan' });
    expect(await hostOf(mac)).toMatchObject({ held: 'a fan', attempt: { cause: 'operator: retry' } });
    await act(mac, 'resume');
    await act(mac, 'release', { reason: 'sold' });
    expect(await hostOf(mac)).toMatchObject({ held: null, claimed: false });
    expect((await act(mac, 'release')).status).toBe(409);
    await act(mac, 'retire');
    expect((await hostOf(mac)).state).toBe('retired');
  });

  test('remove asks for the name, and leads to the list', async () => {
    const { mac } = await installed();
    expect((await act(mac, 'remove')).status).toBe(422);
    const done = await act(mac, 'remove', { name: mac });
    expect(done.headers.location).toBe('/hosts');
    expect((await admin.look('/hosts')).text).toContain(`${mac}: It was removed.`);
    expect((await admin.look(`/hosts/${mac}`)).status).toBe(404);
  });

  test('approve: with image, layout and labels; wiping asks for the name', async () => {
    const mac = await discovered();
    const wish = { to: 'one:latest', layout: 'four-slots', labels: 'rack=r1\r\nspare\r\n', profile: '' };
    const wrong = await act(mac, 'approve', { ...wish, wipe: 'yes' });
    expect([wrong.status, wrong.text.includes('rack=r1')]).toEqual([422, true]);
    expect((await act(mac, 'approve', { ...wish, labels: 'a=1\na=2' })).status).toBe(422);
    expect((await act(mac, 'approve', wish)).status).toBe(303);
    expect(await hostOf(mac)).toMatchObject({
      enrolment: 'approved',
      image: { ref: 'one:latest' },
      layout: 'four-slots',
      labels: { rack: 'r1', spare: '' },
    });
    expect((await act(await discovered(), 'approve')).status).toBe(303);
  });

  test('settings: what is changed is changed, what is emptied is given back, the rest stays', async () => {
    const { mac } = await installed();
    await server.admin(`/api/v1/hosts/${mac}`, {
      method: 'PATCH',
      body: { labels: { rack: 'r1', old: 'x' } },
    });
    const keep = {
      profile: '',
      layout: '',
      disk: '',
      switch: '',
      trialSeconds: '',
      rate: '',
      readBack: '',
      append: '',
    };
    await act(mac, 'settings', {
      ...keep,
      labels: 'rack=r2\r\nnew=a=b',
      trialSeconds: '120',
      switch: 'reboot',
      readBack: 'false',
    });
    expect(await hostOf(mac)).toMatchObject({
      labels: { rack: 'r2', new: 'a=b' },
      trialSeconds: 120,
      switch: 'reboot',
      readBack: false,
      from: { trialSeconds: 'own', layout: 'default', switch: 'own' },
    });
    await act(mac, 'settings', { ...keep, labels: 'rack=r2' });
    expect(await hostOf(mac)).toMatchObject({
      labels: { rack: 'r2' },
      trialSeconds: null,
      from: { trialSeconds: 'default' },
    });
    for (const bad of [
      { trialSeconds: 'soon' },
      { trialSeconds: '5' },
      { append: '$(id)' },
      { layout: 'none' },
    ])
      expect([422, 400]).toContain((await act(mac, 'settings', { ...keep, labels: '', ...bad })).status);
    expect((await hostOf(mac)).labels).toEqual({ rack: 'r2' });
  });
});

test('files of its own: names and sizes, and nothing that is in them', async () => {
  const { mac } = await installed();
  await server.admin(`/api/v1/hosts/${mac}/files/etc/motd`, {
    method: 'PUT',
    body: Buffer.from('secret words'),
    headers: { 'content-type': 'application/octet-stream' },
  });
  const text = await pageOf(mac);
  expect(text).toContain('/etc/motd');
  expect(text).toContain('12 B');
  expect(text).not.toContain('secret words');
});
