import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Machine } from '../fixtures/machine.ts';
import { newMac, runningServer, type TestServer } from '../fixtures/running-server.ts';
import {
  FORM,
  FROM_HERE,
  formBody,
  hiddenFields,
  loggedIn,
  loggedInAs,
  type PageClient,
} from './page-client.ts';

const EVIL = `"><img src=x onerror=alert(1)>'`;
const AS_TEXT = '&quot;&gt;&lt;img src=x onerror=alert(1)&gt;&#39;';

let server: TestServer;
let admin: PageClient;
let viewer: PageClient;
const enrol = async (facts: object = {}) => {
  const mac = newMac();
  await server.admin('/api/v1/hosts', { body: { macs: [mac], ...facts } });
  return mac;
};
const hostOf = async (mac: string) => (await server.admin(`/api/v1/hosts/${mac}`)).json;
/** MACs of a page's rows. */
const rowsOf = (page: string) => [...page.matchAll(/<tr data-key="([^"]+)"/g)].map(([, key]) => key);
/** A form that was shown before. */
const post = (client: PageClient, action: string, fields: Record<string, string>) =>
  client.look(action, { method: 'POST', body: formBody(fields), headers: { ...FORM, ...FROM_HERE } });
const chosen = (macs: readonly string[]) => macs.map((mac) => `mac=${encodeURIComponent(mac)}`).join('&');

beforeAll(async () => {
  server = await runningServer();
  admin = await loggedIn(server);
  viewer = await loggedInAs(server, 'viewer', 'looker');
});
afterAll(() => server.close());

test('a fleet without hosts says how one comes', async () => {
  const { status, text } = await admin.look('/hosts');
  expect([status, text.includes('There are no hosts.'), text.includes('id="chosen"')]).toEqual([
    200,
    true,
    false,
  ]);
});

describe('the list', () => {
  const macs: string[] = [];
  beforeAll(async () => {
    for (let n = 0; n < 205; n += 1) macs.push(await enrol({ labels: { rack: `r${n % 5}`, list: 'yes' } }));
  });

  test('is shown a hundred at a time, on and back, and each host once', async () => {
    const seen: (string | undefined)[] = [];
    let path = '/hosts?label=list';
    const pages: string[] = [];
    for (;;) {
      const { text } = await admin.look(path);
      pages.push(path);
      seen.push(...rowsOf(text).filter((key) => macs.includes(key ?? '')));
      const next = /<a href="([^"]+)" rel="next">/.exec(text)?.[1];
      if (next === undefined) break;
      path = next.replaceAll('&amp;', '&');
    }
    expect(pages.length).toBe(3);
    expect(seen).toEqual(macs);
    const last = await admin.look(pages[2] ?? '');
    const back = /<a href="([^"]+)" rel="prev">/.exec(last.text)?.[1]?.replaceAll('&amp;', '&') ?? '';
    const middle = await admin.look(back);
    expect(rowsOf(middle.text)).toContain(macs[100]);
    const toFirst = /<a href="([^"]+)" rel="prev">/.exec(middle.text)?.[1]?.replaceAll('&amp;', '&') ?? '';
    expect(rowsOf((await admin.look(toFirst)).text)).toContain(macs[0]);
  });

  test.each([
    ['label=rack%3Dr3%2Clist', 41],
    ['label=rack%20in%20(r1%2Cr2)', 82],
    ['state=active', 0],
    ['state=approved,hold&label=rack%3Dr0', 41],
  ])('%s: %i hosts', async (query, count) => {
    const { text } = await admin.look(`/hosts?${query}`);
    expect(rowsOf(text).filter((key) => key?.includes('52:54')).length).toBe(count);
  });
  test('text finds a part of a MAC', async () => {
    const { text } = await admin.look(`/hosts?q=${encodeURIComponent(macs[7] ?? '')}`);
    expect(rowsOf(text).filter((key) => key?.includes('52:54'))).toEqual([macs[7]]);
  });
  test.each([
    ['label=%3D%3D', 400],
    ['state=nonsense', 400],
    ['image=nothing-like-it', 422],
    ['cursor=x', 400],
  ])('%s is refused in words, with the form as it was', async (query, status) => {
    const answer = await admin.look(`/hosts?${query}`);
    expect([answer.status, answer.text.includes('class="filter"')]).toEqual([status, true]);
    expect(answer.text).toMatch(/<p class="notice bad" role="alert">[^<]{10,}/);
  });
  test('what the address says is text', async () => {
    for (const name of ['q', 'label', 'state', 'image', 'profile', 'cursor', 'back']) {
      const { text } = await admin.look(`/hosts?${name}=${encodeURIComponent(EVIL)}`);
      expect(text, name).not.toContain('<img');
    }
  });
  test('counts lead to the hosts that are so', async () => {
    const { text } = await admin.look('/hosts');
    expect(text).toMatch(/<a href="\/hosts\?state=approved"><strong>205<\/strong>/);
    expect(text).toContain('all</span> (205)'.replace('</span>', ''));
  });
  test('a viewer sees it, and nothing that could be done', async () => {
    const { status, text } = await viewer.look('/hosts');
    expect(status).toBe(200);
    for (const word of ['Assign', 'rollout…', 'checkbox', 'id="chosen"']) expect(text).not.toContain(word);
    const refused = await viewer.look(`/hosts/label?who=ticked&${chosen(macs.slice(0, 1))}&name=a&value=b`);
    expect(refused.text).not.toContain('<b>');
  });

  describe('a label for many', () => {
    test('is spelled out, then set for who lacks it, once', async () => {
      const some = macs.slice(0, 7);
      await server.admin(`/api/v1/hosts/${some[0]}`, {
        method: 'PATCH',
        body: { labels: { rack: 'r9', list: 'yes' } },
      });
      const path = `/hosts/label?who=ticked&${chosen(some)}&name=rack&value=r9`;
      const plan = await admin.look(path);
      expect(plan.text).toContain('Set it for 6 hosts');
      expect(plan.text).toContain('have it already');
      expect(plan.text).toMatch(
        /<strong>2 hosts<\/strong> from <code>rack=r1<\/code> to <code>rack=r9<\/code>/,
      );
      expect((await hostOf(some[1] ?? '')).labels.rack).toBe('r1');
      const hidden = hiddenFields(plan.text, '/hosts/label');
      const done = await admin.send(path, '/hosts/label', hidden);
      expect(done.status).toBe(303);
      const again = await post(admin, '/hosts/label', hidden);
      expect(again.headers.location).toBe(done.headers.location);
      const result = await admin.look(done.headers.location ?? '');
      expect(result.text).toMatch(/<strong>6<\/strong> .*done/);
      expect((await hostOf(some[1] ?? '')).labels).toEqual({ rack: 'r9', list: 'yes' });
      const { events } = (await server.admin(`/api/v1/events?host=${some[1]}&kind=host-changed`)).json;
      expect(events.length).toBe(1);
    });
    test('is taken away', async () => {
      const [mac = ''] = macs.slice(20);
      const path = `/hosts/label?who=ticked&${chosen([mac])}&name=rack&remove=yes`;
      await admin.send(path, '/hosts/label', hiddenFields((await admin.look(path)).text, '/hosts/label'));
      expect((await hostOf(mac)).labels).toEqual({ list: 'yes' });
    });
    test('who was changed meanwhile is left alone, and named', async () => {
      const [mac = ''] = macs.slice(21);
      const path = `/hosts/label?who=ticked&${chosen([mac])}&name=rack&value=mine`;
      const hidden = hiddenFields((await admin.look(path)).text, '/hosts/label');
      await server.admin(`/api/v1/hosts/${mac}/hold`, { body: {} });
      const done = await admin.send(path, '/hosts/label', hidden);
      expect((await admin.look(done.headers.location ?? '')).text).toContain('changed meanwhile');
      expect((await hostOf(mac)).labels.rack).toBe('r1');
    });
    test('a result is of its session alone', async () => {
      const path = `/hosts/label?who=ticked&${chosen(macs.slice(30, 31))}&name=a&value=b`;
      const done = await admin.send(path, '/hosts/label');
      expect((await viewer.look(done.headers.location ?? '')).status).toBe(404);
      expect((await admin.look('/hosts/outcomes/nothing')).status).toBe(404);
    });
  });

  test('all that fit a filter, from many pages, are one choice', async () => {
    const { text } = await admin.look('/hosts/label?who=all&label=list&name=list&value=no');
    expect(text).toContain('Set it for 205 hosts');
    expect(hiddenFields(text, '/hosts/label').hosts?.split('_').length).toBe(205);
  });
  test('more than are taken at once are refused, none of them left out in silence', async () => {
    const { status, text } = await admin.look(`/hosts/label?who=ticked&${chosen(macs)}&name=list&value=no`);
    expect(status).toBe(422);
    expect(text).toContain('205 hosts are ticked, and 200 at most are taken so.');
  });
  test('nobody chosen, and who is gone', async () => {
    for (const what of ['assign', 'label', 'rollout'])
      expect((await admin.look(`/hosts/${what}?who=ticked`)).text).toContain('No host is chosen.');
    const { text } = await admin.look(
      `/hosts/label?who=ticked&${chosen([macs[3] ?? '', '52:54:00:ff:ff:ff', EVIL])}`,
    );
    expect(text).toContain('There no more: 52:54:00:ff:ff:ff');
    expect(text).not.toContain('<img');
  });
});

describe('an image for many', () => {
  let runs: Machine;
  let fresh: string;
  let waiting: string;
  let moving: Machine;
  let macs: string[];
  beforeAll(async () => {
    runs = await (await new Machine(server).enrol()).installed();
    moving = await (await new Machine(server).enrol()).installed();
    fresh = await enrol();
    waiting = await enrol({ image: 'two' });
    await server.admin(`/api/v1/hosts/${moving.mac}/os`, { method: 'PUT', body: { image: 'two' } });
    const retired = await enrol();
    await server.admin(`/api/v1/hosts/${retired}/retire`, { method: 'POST', body: {} });
    macs = [runs.mac, moving.mac, fresh, waiting, retired];
  });
  const path = (to: string, more = '') => `/hosts/assign?who=ticked&${chosen(macs)}&to=${to}${more}`;

  test('is spelled out: who gets it from what, who is on the way, who is left alone and why', async () => {
    const { text } = await admin.look(path('two'));
    expect(text).toContain('Assign to 2 hosts now');
    expect(text).toMatch(/Get the order[\s\S]*Are on their way to it[\s\S]*Are left alone/);
    expect(text).toContain('the host is retired');
    expect((await hostOf(fresh)).attempt).toBeNull();
    const back = await admin.look(path('one'));
    expect(back.text).toContain('Run it already');
  });
  test('is ordered once however often it is sent, and the result says what came of each', async () => {
    const plan = await admin.look(path('two'));
    const hidden = hiddenFields(plan.text, '/hosts/assign');
    const [done, twice] = await Promise.all([
      admin.send(path('two'), '/hosts/assign', hidden),
      admin.send(path('two'), '/hosts/assign', hidden),
    ]);
    expect([done?.status, twice?.headers.location]).toEqual([303, done?.headers.location]);
    const { text } = await admin.look(done?.headers.location ?? '');
    expect(text).toMatch(/<strong>4<\/strong> .*ordered/);
    for (const mac of [runs.mac, fresh]) {
      const { attempts } = (await server.admin(`/api/v1/hosts/${mac}/attempts`)).json;
      expect(attempts.filter(({ image }: { image: string }) => image === 'two').length).toBe(1);
    }
  });
  test('who failed with it before begins nothing, and is named', async () => {
    const failed = await (await new Machine(server).enrol()).installed();
    const { json } = await server.admin(`/api/v1/hosts/${failed.mac}/os`, {
      method: 'PUT',
      body: { image: 'two' },
    });
    failed.attempt = json.attempt;
    await failed.report({ kind: 'failed', phase: 'write', reason: 'x' });
    const asked = (more = '') => `/hosts/assign?who=ticked&${chosen([failed.mac])}&to=two${more}`;
    const { text } = await admin.look(asked());
    expect(text).toContain('Failed with it before');
    expect(text).not.toContain('name="digest"');
    expect((await admin.look(asked('&fresh=yes'))).text).toContain('Assign to 1 host now');
  });
  test('a word that says nothing is never taken for all', async () => {
    expect((await admin.look('/hosts/assign?who=everyone&to=two')).text).toContain('No host is chosen.');
  });
  test('an image that is not there, none, and one whose tag was moved', async () => {
    expect((await admin.look(path('nothing'))).status).toBe(422);
    expect((await admin.look(path(encodeURIComponent(EVIL)))).text).not.toContain('<img');
    const none = await admin.look(`/hosts/assign?who=ticked&${chosen(macs)}`);
    expect(none.text).toContain('choose one');
    expect(() => hiddenFields(none.text, '/hosts/assign')).toThrow();
    const hidden = hiddenFields((await admin.look(path('one'))).text, '/hosts/assign');
    const moved = { ...hidden, digest: server.two.digest };
    const answer = await admin.send(path('one'), '/hosts/assign', moved);
    expect([answer.status, answer.text.includes('nothing was done')]).toEqual([412, true]);
  });
  test('a viewer who sends the form all the same changes nothing', async () => {
    const hidden = hiddenFields((await admin.look(path('one'))).text, '/hosts/assign');
    const { form = '' } = hiddenFields((await viewer.look('/hosts')).text, '/logout');
    const before = await hostOf(fresh);
    const sent = await post(viewer, '/hosts/assign', { ...hidden, form });
    const { text } = await viewer.look(sent.headers.location ?? '');
    expect(text).toContain('This needs a token of role operator');
    expect((await hostOf(fresh)).revision).toBe(before.revision);
  });
});

describe('a rollout', () => {
  let macs: string[];
  beforeAll(async () => {
    macs = [];
    for (let n = 0; n < 10; n += 1) macs.push(await enrol({ labels: { roll: 'out' } }));
  });
  const path = (more = '') => `/hosts/rollout?who=all&label=roll&to=two${more}`;

  test('asks for its course with the defaults of the API, and shows its waves before it begins', async () => {
    const form = await admin.look('/hosts/rollout?who=all&label=roll');
    for (const preset of ['10%, 50%, 100%', '5m', '5%', '10m'])
      expect(form.text).toContain(`placeholder="${preset}"`);
    const plan = await admin.look(path());
    expect(plan.text).toContain('Start the rollout to 10 hosts');
    expect((await server.admin('/api/v1/rollouts')).json.rollouts).toEqual([]);
  });
  test.each([
    ['&waves=x', 'Waves are numbers'],
    ['&soak=soon', 'Times are written'],
    ['&maxUnavailable=-1', 'are numbers of hosts'],
    ['&waves=50%25,10%25', ''],
  ])('%s is refused in words', async (more, words) => {
    const { status, text } = await admin.look(path(more));
    expect(status).toBe(422);
    expect(text).toContain(words);
  });
  test('begins as it was shown, once, and leads to its page', async () => {
    const asked = path(
      '&canary=2&waves=100%25&soak=90s&maxUnavailable=3&failureThreshold=2&name=spring&reason=why',
    );
    const hidden = hiddenFields((await admin.look(asked)).text, '/hosts/rollout');
    const begun = await admin.send(asked, '/hosts/rollout', hidden);
    expect(begun.headers.location).toMatch(/^\/rollouts\/\w+/);
    const again = await post(admin, '/hosts/rollout', hidden);
    expect(again.headers.location).toBe(begun.headers.location);
    const { rollouts } = (await server.admin('/api/v1/rollouts')).json;
    expect(rollouts.length).toBe(1);
    const { json } = await server.admin(`/api/v1/rollouts/${rollouts[0].id}`);
    expect(json).toMatchObject({
      name: 'spring',
      why: 'why',
      hosts: 10,
      soakSeconds: 90,
      maxUnavailable: 3,
      failureThreshold: 2,
      waves: [
        { upTo: 2, hosts: 2 },
        { upTo: '100%', hosts: 8 },
      ],
    });
    // Another that means the same hosts is refused before it is asked for.
    const second = await admin.look(path());
    expect([second.status, second.text.includes('which is not over')]).toEqual([422, true]);
  });
});

test('labels, reasons and slots of a host are text in the list', async () => {
  const mac = await enrol({ labels: { [EVIL]: EVIL, evil: '' } });
  await server.admin(`/api/v1/hosts/${mac}/hold`, { body: { reason: EVIL } });
  const { text } = await admin.look('/hosts?label=evil');
  expect(text).toContain(`${AS_TEXT}=${AS_TEXT}`);
  expect(text).toContain(`held: ${AS_TEXT}`);
  expect(text).not.toContain('<img');
  for (const name of ['name', 'value', 'who', 'mac', 'to', 'canary', 'waves', 'reason'])
    for (const what of ['label', 'rollout', 'assign'])
      expect(
        (await admin.look(`/hosts/${what}?who=all&label=evil&name=x&${name}=${encodeURIComponent(EVIL)}`))
          .text,
      ).not.toContain('<img');
});
