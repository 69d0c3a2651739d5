import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { machine, saidInventory } from '../fixtures/inventories.ts';
import { newMac, runningServer, type TestServer } from '../fixtures/running-server.ts';
import { type Fields, formBody, hiddenFields, loggedIn, loggedInAs, type PageClient } from './page-client.ts';

const EVIL = `"><img src=x onerror=alert(1)>'&`;
const SHOWN = '&quot;&gt;&lt;img src=x onerror=alert(1)&gt;&#39;&amp;';

let server: TestServer;
let admin: PageClient;
let operator: PageClient;
let viewer: PageClient;
beforeAll(async () => {
  server = await runningServer();
  admin = await loggedIn(server);
  operator = await loggedInAs(server, 'operator');
  viewer = await loggedInAs(server, 'viewer');
});
afterAll(() => server.close());

const host = async (mac: string) => (await server.admin(`/api/v1/hosts/${mac}`)).json;
async function waiting(facts: object = {}): Promise<string> {
  const mac = newMac();
  const said = await server.boot(`/boot/hosts/${mac}/inventory`, { body: { ...machine([mac]), ...facts } });
  expect(said.status).toBe(200);
  return mac;
}
const many = (macs: readonly string[]) => macs.map((mac) => `mac=${encodeURIComponent(mac)}`).join('&');

/** The one form of a page that goes to its own path; hidden fields of one name may be many. */
async function sent(client: PageClient, path: string, fields: Fields = {}, by = client) {
  const { text } = await client.look(path);
  const action = path.split('?')[0] ?? '';
  const macs = [...text.matchAll(/name="machine" value="([^"]+)"/g)].map(([, value = '']) => value);
  const { form = '', once = '', ...hidden } = hiddenFields(text, action);
  const plain = Object.fromEntries(Object.entries(hidden).map(([name, value]) => [name, unescaped(value)]));
  const body = formBody({ ...plain, form, once, machine: macs, ...fields });
  const headers = { 'content-type': 'application/x-www-form-urlencoded', 'sec-fetch-site': 'same-origin' };
  return by.look(action, { method: 'POST', body, headers });
}

function unescaped(text: string): string {
  const marks: Record<string, string> = { quot: '"', lt: '<', gt: '>', '#39': "'", amp: '&' };
  return text.replaceAll(/&(quot|lt|gt|#39|amp);/g, (_, name: string) => marks[name] ?? '');
}

describe('machines that wait', () => {
  test('none: the page says how one comes there', async () => {
    expect((await admin.look('/discovery')).text).toContain('No machine waits.');
    expect((await admin.look('/discovery?state=ignored')).text).toContain('No machine is ignored.');
  });

  test('each with what it says of itself, as text, and what the rules make of it', async () => {
    const { disks } = saidInventory();
    const evil = { vendor: EVIL, product: EVIL, serial: EVIL };
    const mac = await waiting({
      system: { ...evil, uuid: null },
      cpu: { model: EVIL, count: 96 },
      disks: [
        { ...disks[0], model: EVIL, content: 'foreign' },
        { ...disks[0], name: 'sdb', content: 'warmboot' },
      ],
    });
    const { text } = await admin.look('/discovery');
    expect(text).not.toContain('<img');
    for (const said of [
      SHOWN,
      `96 × ${SHOWN}`,
      'foreign data',
      'a system of Warmboot',
      '447 GiB',
      'no rule fits',
    ])
      expect(text).toContain(said);
    expect(text).toContain(`value="${mac}"`);
    expect((await viewer.look('/discovery')).text).not.toContain('type="checkbox"');
    const overview = (await admin.look('/')).text;
    expect(overview).toContain(`/hosts/${encodeURIComponent(mac)}`);
    const review = await admin.look(`/discovery/approve?${many([mac])}&review=yes&image=one:latest&wipe=yes`);
    expect([review.status, review.text.includes('<img'), review.text.includes(SHOWN)]).toEqual([
      200,
      false,
      true,
    ]);
  });

  test('pages of 25', async () => {
    for (let at = 0; at < 26; at += 1) await waiting();
    const { text } = await admin.look('/discovery');
    const next = /href="(\/discovery\?cursor=[^"]+)" rel="next"/.exec(text)?.[1] ?? '';
    const second = await admin.look(next.replaceAll('&amp;', '&'));
    expect([text, second.text].map((page) => page.match(/name="mac"/g)?.length)).toEqual([25, 2]);
  });
});

describe('approval', () => {
  test('some at once: what will happen is said before, then it happens', async () => {
    const macs = [await waiting(), await waiting()];
    const form = await operator.look(`/discovery/approve?${many(macs)}`);
    expect(form.text).toContain('Approve 2 machines');
    const path = `/discovery/approve?${many(macs)}&review=yes&image=one:latest&labels=${encodeURIComponent('rack=r1, spare')}&disk=first-empty`;
    const review = await operator.look(path);
    for (const said of [
      'Each will be installed with <strong>one:latest</strong>',
      'by the rule <strong>first-empty</strong>',
      'neither empty nor this host’s own is not touched',
      'rack=r1',
      ...macs,
    ])
      expect(review.text).toContain(said);
    expect((await host(macs[0] ?? '')).state).toBe('discovered');
    const done = await sent(operator, path);
    expect([done.status, done.headers.location]).toEqual([303, '/discovery']);
    expect((await operator.look('/discovery')).text).toContain('2 machines are approved for one:latest.');
    for (const mac of macs)
      expect(await host(mac)).toMatchObject({
        enrolment: 'approved',
        labels: { rack: 'r1', spare: '' },
        disk: 'first-empty',
        image: { digest: server.one.digest },
        attempt: { cause: 'operator: approve' },
      });
  });

  test('with the settings of a profile, and without an image', async () => {
    await server.admin('/api/v1/profiles/dell', { method: 'PUT', body: { disk: 'first-empty,min=100GB' } });
    const mac = await waiting();
    const path = `/discovery/approve?${many([mac])}&review=yes&profile=dell`;
    expect((await operator.look(path)).text).toContain('Nothing is installed');
    expect((await operator.look(`${path}&image=one:latest`)).text).toContain(
      '<strong>first-empty,min=100GB</strong> of the profile',
    );
    expect((await sent(operator, path)).status).toBe(303);
    expect(await host(mac)).toMatchObject({ profile: 'dell', disk: 'first-empty,min=100GB', attempt: null });
  });

  test('that may lose foreign data wants the name of the machine', async () => {
    const mac = await waiting();
    const path = `/discovery/approve?${many([mac])}&review=yes&image=one:latest&wipe=yes`;
    expect((await operator.look(path)).text).toContain('Foreign data on that disk is lost.');
    const refused = await sent(operator, path, { typed: 'yes' });
    expect([refused.status, (await host(mac)).state]).toEqual([400, 'discovered']);
    const done = await sent(operator, path, { typed: mac });
    expect([done.status, done.headers.location]).toEqual([303, `/hosts/${encodeURIComponent(mac)}`]);
    expect((await operator.look(done.headers.location ?? '')).text).toContain(
      `${mac} is approved for one:latest.`,
    );
    expect((await server.boot(`/boot/hosts/${mac}/manifest`)).json).toMatchObject({
      install: { wipe: true },
    });
  });

  test('of more than a page shows: who is left out is said', async () => {
    const macs = [];
    for (let at = 0; at < 26; at += 1) macs.push(await waiting());
    for (const path of ['approve', 'ignore']) {
      const { text } = await operator.look(`/discovery/${path}?${many(macs)}`);
      expect(text).toContain('25 machines');
      expect(text).toContain(`${macs[25]}: It is left out: 25 machines are taken at once.`);
    }
  });

  test('of a machine that was approved meanwhile is refused, and the others go on', async () => {
    const macs = [await waiting(), await waiting()];
    const path = `/discovery/approve?${many(macs)}&review=yes&image=two:latest`;
    const { text } = await operator.look(path);
    await server.admin(`/api/v1/hosts/${macs[0]}/approve`, { body: {} });
    const machines = [...text.matchAll(/name="machine" value="([^"]+)"/g)].map(([, value = '']) => value);
    const done = await sent(operator, path, { machine: machines });
    expect(done.status).toBe(303);
    expect((await operator.look('/discovery')).text).toMatch(
      /1 machine is approved for two:latest\. Refused: /,
    );
    expect((await host(macs[1] ?? '')).image.ref).toBe('two:latest');
  });

  test('of nobody, of a stranger, and by a viewer', async () => {
    expect((await operator.look('/discovery/approve')).status).toBe(400);
    expect((await operator.look('/discovery/approve?mac=52:54:00:ff:ff:ff')).status).toBe(404);
    const mac = await waiting();
    const path = `/discovery/approve?${many([mac])}&review=yes`;
    expect((await viewer.look(path)).text).toContain('of role viewer, which only looks');
    const form = hiddenFields((await viewer.look('/events')).text, '/logout').form ?? '';
    const done = await sent(operator, path, { form }, viewer);
    expect([done.status, (await host(mac)).state]).toEqual([403, 'discovered']);
  });

  test('with what the server refuses: nothing is done, and it says why', async () => {
    const mac = await waiting();
    const done = await sent(operator, `/discovery/approve?${many([mac])}&review=yes&disk=largest`);
    expect([done.status, done.text.includes('largest')]).toEqual([422, true]);
    expect((await host(mac)).state).toBe('discovered');
  });
});

test('ignored, listed as ignored, and let wait again', async () => {
  const mac = await waiting();
  const asked = await operator.look(`/discovery/ignore?${many([mac])}`);
  expect(asked.text).toContain('Each boots its own disk from now on');
  expect((await sent(operator, `/discovery/ignore?${many([mac])}`)).status).toBe(303);
  expect((await host(mac)).state).toBe('ignored');
  const { text } = await operator.look('/discovery?state=ignored');
  expect([text.includes(mac), text.includes('an operator decided so')]).toEqual([true, true]);
  expect((await sent(operator, `/discovery/wait?${many([mac])}`)).status).toBe(303);
  expect((await host(mac)).state).toBe('discovered');
});

describe('rules', () => {
  const rules = async () => (await server.admin('/api/v1/discovery')).json.rules;
  const set = (fields: Record<string, string>) => `/discovery/rules/set?${new URLSearchParams(fields)}`;

  test('are set, changed, put first and dropped by an admin, each said before', async () => {
    const path = set({
      name: 'dell',
      vendor: 'Nobody*',
      serials: 'A1, B2',
      action: 'enrol',
      image: 'one',
      labels: 'pool=web',
    });
    const review = await admin.look(path);
    expect(review.text).toContain('vendor Nobody*, serial A1 or B2');
    expect(review.text).toContain('it is enrolled at once, for one, labels pool=web');
    expect(review.text).toMatch(/The rules decide at once on the \d+ machines that wait/);
    expect((await sent(admin, path)).status).toBe(303);
    expect(await rules()).toEqual([
      {
        name: 'dell',
        match: { vendor: 'Nobody*', serials: ['A1', 'B2'] },
        action: 'enrol',
        image: 'one',
        labels: { pool: 'web' },
      },
    ]);
    expect((await admin.look('/discovery/rules?edit=dell')).text).toContain('value="A1, B2"');
    await sent(admin, set({ name: 'first', subnet: '10.9.0.0/16', action: 'ignore', first: 'yes' }));
    expect((await rules()).map(({ name }: { name: string }) => name)).toEqual(['first', 'dell']);
    expect((await sent(admin, '/discovery/rules/drop?name=first')).status).toBe(303);
    expect((await admin.look('/discovery/rules')).text).toContain('The rule &quot;first&quot; is gone.');
    const bounds = '/discovery/rules/bounds?otherwise=hold&maxWaiting=500&forgetAfterDays=7';
    expect((await sent(admin, bounds)).status).toBe(303);
    expect((await server.admin('/api/v1/discovery')).json).toMatchObject({
      maxWaiting: 500,
      forgetAfterDays: 7,
    });
  });

  test('are not for an operator: what a change would do is shown without its form, and refused', async () => {
    const path = set({ name: 'mine', vendor: 'x', action: 'hold' });
    const { status, text } = await operator.look(path);
    expect([status, text.includes('of role operator. An admin does this.')]).toEqual([200, true]);
    expect(text).not.toContain('name="edition"');
    const form = hiddenFields(text, '/logout').form ?? '';
    const refused = await sent(admin, path, { form }, operator);
    expect([refused.status, refused.text.includes('role admin')]).toEqual([403, true]);
    expect((await rules()).map(({ name }: { name: string }) => name)).not.toContain('mine');
  });

  test('that others changed meanwhile are not overwritten', async () => {
    const path = set({ name: 'late', vendor: 'x', action: 'hold' });
    const { text } = await admin.look(path);
    const edition = /name="edition" value="([^"]+)"/.exec(text)?.[1] ?? '';
    await sent(admin, set({ name: 'sooner', vendor: 'x', action: 'hold' }));
    const late = await sent(admin, path, { edition });
    expect([late.status, late.text.includes('changed meanwhile')]).toEqual([412, true]);
    expect(await rules()).toHaveLength(2);
  });

  test('are text, also in what the server refuses', async () => {
    await sent(admin, set({ name: 'evil', vendor: EVIL, product: EVIL, action: 'hold' }));
    const { text } = await viewer.look('/discovery/rules');
    expect([text.includes('<img'), text.includes(SHOWN), text.includes('/drop?')]).toEqual([
      false,
      true,
      false,
    ]);
    for (const path of [
      set({ name: EVIL, vendor: EVIL, action: EVIL }),
      `/discovery/rules/drop?name=${encodeURIComponent(EVIL)}`,
    ]) {
      expect((await admin.look(path)).text).not.toContain('<img');
      expect((await sent(admin, path)).text).not.toContain('<img');
    }
  });
});
