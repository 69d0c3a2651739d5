import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { newMac, runningServer, type TestServer } from '../fixtures/running-server.ts';
import { loggedIn, loggedInAs, type PageClient } from './page-client.ts';

const EVIL = `"><img src=x onerror=alert(1)>'&`;
const SHOWN = '&quot;&gt;&lt;img src=x onerror=alert(1)&gt;&#39;&amp;';

let server: TestServer;
let admin: PageClient;
let viewer: PageClient;
const macs = Array.from({ length: 4 }, newMac);

beforeAll(async () => {
  server = await runningServer();
  admin = await loggedIn(server);
  viewer = await loggedInAs(server, 'viewer', 'looks');
  for (const mac of macs) {
    await server.admin('/api/v1/hosts', { body: { macs: [mac], labels: { pool: 'web', note: EVIL } } });
    await server.boot(`/boot/hosts/${mac}/manifest`);
  }
});
afterAll(() => server.close());

const begin = async (wish: object = {}) => {
  const body = { image: 'one', macs, waves: [1, '100%'], maxUnavailable: '100%', soakSeconds: 60, ...wish };
  return (await server.admin('/api/v1/rollouts', { body })).json.id as string;
};
const abort = (id: string) => server.admin(`/api/v1/rollouts/${id}/abort`, { body: {} });

test('no rollout yet: the page says what one is, and leads to a new one', async () => {
  const { status, text } = await admin.look('/rollouts');
  expect([status, text.includes('No rollout yet.'), text.includes('href="/rollouts/new"')]).toEqual([
    200,
    true,
    true,
  ]);
  expect((await viewer.look('/rollouts')).text).not.toContain('/rollouts/new');
});

describe('a new one', () => {
  test('its form, its plan with the waves, its beginning', async () => {
    const form = await admin.look('/rollouts/new?image=one:latest&selector=pool%3Dweb');
    expect(form.text).toContain('value="pool=web"');
    const path = '/rollouts/new?selector=pool%3Dweb&to=one:latest&name=spring&soak=90s';
    const plan = await admin.look(path);
    expect(plan.text).toContain('For hosts with the labels pool=web.');
    expect(plan.text).toContain('4 hosts to');
    for (const mac of macs) expect(plan.text).toContain(mac);
    const begun = await admin.send(path, '/rollouts/new');
    expect(begun.status).toBe(303);
    const { text } = await admin.look(begun.headers.location ?? '');
    expect(text).toContain('The rollout has begun, with 4 hosts.');
    const id = String(begun.headers.location).split('/').at(-1) ?? '';
    expect((await server.admin(`/api/v1/rollouts/${id}`)).json).toMatchObject({
      name: 'spring',
      soakSeconds: 90,
      hosts: 4,
      image: { digest: server.one.digest },
    });
    const again = await admin.look(path);
    expect([again.status, again.text.includes(`belong to rollout ${id}`)]).toEqual([422, true]);
    await abort(id);
  });

  test.each([
    ['a selector that is none', '?selector=pool%3D%3D%3Dx(&to=one', 'selector'],
    ['hosts that are none', '?selector=pool%3Dnope&to=one', 'No host'],
    ['an image that is none', '?selector=&to=nope', 'There is no image nope'],
    ['waves that are none', '?selector=&to=one&waves=x', 'Waves are numbers'],
  ])('%s: the form again, with the reason', async (_, query, said) => {
    const { status, text } = await admin.look(`/rollouts/new${query}`);
    expect([status, text.includes(said), text.includes('name="selector"')]).toEqual([422, true, true]);
  });

  test('by the names of hosts is the business of the page of hosts', async () => {
    const { status, headers } = await admin.look(`/rollouts/new?mac=${macs[0]}&image=one`);
    expect([status, headers.location]).toEqual([
      303,
      `/hosts/rollout?who=ticked&mac=${encodeURIComponent(macs[0] ?? '')}&to=one`,
    ]);
  });

  test('is not for a viewer, whatever its browser sends', async () => {
    const { status } = await viewer.look('/rollouts/new?selector=&to=one');
    expect(status).toBe(403);
  });
});

describe('one that runs', () => {
  test('its waves, hosts, what comes next and what can be done; each deed with a page before it', async () => {
    const id = await begin({ name: EVIL, reason: EVIL });
    const path = `/rollouts/${id}`;
    await expect.poll(async () => (await admin.look(path)).text).toContain('1 of 1 hosts are not there yet');
    const { text } = await admin.look(path);
    expect(text).toContain(SHOWN);
    expect(text).not.toContain('<img');
    expect(text).toContain('then wave 2 of 2 begins, with 3 hosts more');
    expect(text).toContain('soaks for 1 min');
    expect(text).toMatch(/<svg class="shares".*<rect class="share-moving"/s);
    for (const mac of macs) expect(text).toContain(`href="/hosts/${encodeURIComponent(mac)}"`);
    expect(text).toContain(`href="${path}/pause"`);
    expect((await viewer.look(path)).text).not.toContain(`href="${path}/pause"`);
    const waiting = await admin.look(`${path}?state=waiting`);
    expect([
      waiting.text.includes(macs[1] ?? ''),
      waiting.text.match(/data-key="[\w-]+"><th scope="row"/g)?.length,
    ]).toEqual([true, 5]);
    expect((await admin.look(`${path}?state=${encodeURIComponent(EVIL)}`)).status).toBe(200);

    const asked = await admin.look(`${path}/pause`);
    expect(asked.text).toContain('1 host on the way: the order stands');
    expect(asked.text).toContain('3 hosts not ordered yet');
    const paused = await admin.send(`${path}/pause`, `${path}/pause`, { reason: EVIL });
    expect([paused.status, paused.headers.location]).toEqual([303, path]);
    const after = await admin.look(path);
    expect(after.text).toContain('The rollout is paused');
    expect(after.text).toContain('Nothing is ordered until somebody resumes it.');
    expect(after.text).not.toContain('<img');
    expect(after.text).not.toContain(`href="${path}/pause"`);

    expect((await admin.send(`${path}/resume`, `${path}/resume`)).status).toBe(303);
    const late = await admin.send(`${path}/resume`, `${path}/resume`);
    expect([late.status, late.text.includes('it cannot become running')]).toEqual([409, true]);

    const ending = await admin.look(`${path}/abort`);
    expect(ending.text).toContain('1 host installing: taken back where no installer has begun');
    expect((await admin.send(`${path}/abort`, `${path}/abort`)).status).toBe(303);
    const over = await admin.look(path);
    expect(over.text).toContain('not begun');
    expect(over.text).not.toContain(`href="${path}/abort"`);
    const back = await admin.send(`${path}/rollback`, `${path}/rollback`);
    expect([back.status, back.text.includes('nothing to roll back')]).toEqual([409, true]);
  });

  test('who was left out is named with the reason', async () => {
    const gone = newMac();
    await server.admin('/api/v1/hosts', { body: { macs: [gone], labels: { pool: 'old' } } });
    await server.admin(`/api/v1/hosts/${gone}/retire`, { method: 'POST' });
    const id = await begin({ macs: [...macs, gone] });
    const { text } = await admin.look(`/rollouts/${id}`);
    expect(text).toContain('1 host was left out at the beginning');
    expect(text).toMatch(new RegExp(`${gone}</a> <span>[^<]*retired`));
    await abort(id);
  });

  test('stands first in the list, over those that are over', async () => {
    const id = await begin({ name: 'going' });
    const { text } = await admin.look('/rollouts');
    const [going = '', over = ''] = text.split('id="h-over"');
    expect([going.includes(`/rollouts/${id}"`), over.includes(`/rollouts/${id}"`)]).toEqual([true, false]);
    expect(over).toContain('aborted');
    expect(text).not.toContain('<img');
    expect((await admin.look('/')).text).toContain(`/rollouts/${id}"`);
    await abort(id);
  });

  test('that nobody knows is not found', async () => {
    expect((await admin.look('/rollouts/nope')).status).toBe(404);
    expect((await admin.look('/rollouts/nope/abort')).status).toBe(404);
    expect((await admin.look(`/rollouts/${encodeURIComponent(EVIL)}`)).text).not.toContain('<img');
  });
});
