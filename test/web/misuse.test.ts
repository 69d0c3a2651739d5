import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { at } from '../../server/web/api.ts';
import { Machine } from '../fixtures/machine.ts';
import { runningServer, type TestServer } from '../fixtures/running-server.ts';
import {
  type Fields,
  FORM,
  FROM_HERE,
  formBody,
  hiddenFields,
  loggedIn,
  loggedInAs,
  type PageClient,
} from './page-client.ts';

let server: TestServer;
let admin: PageClient;
let viewer: PageClient;
beforeAll(async () => {
  server = await runningServer();
  admin = await loggedIn(server);
  viewer = await loggedInAs(server, 'viewer', 'looker');
});
afterAll(() => server.close());

const enrolled = async () => (await new Machine(server).enrol()).mac;
const hostOf = async (mac: string) => (await server.admin(`/api/v1/hosts/${mac}`)).json;
const post = (path: string, fields: Fields, client = admin) =>
  client.look(path, { method: 'POST', body: formBody(fields), headers: { ...FORM, ...FROM_HERE } });
const formOf = async (client: PageClient) => {
  const { form = '' } = hiddenFields((await client.look('/events')).text, '/logout');
  return form;
};

describe('a form that no page made', () => {
  test('dots lead nowhere', async () => {
    expect(new URL(at`/api/v1/hosts/${'..'}/approve`, 'http://localhost').pathname).toBe(
      '/api/v1/hosts/%252e%252e/approve',
    );
    expect(new URL(at`/api/v1/images/${'.'}`, 'http://localhost').pathname).toBe('/api/v1/images/%252e');
    const { text } = await post('/discovery/approve', { form: await formOf(admin), machine: '../1' });
    expect(text).toContain('is not a MAC');
  });

  test.each([
    ['a line end', 'a\r\nx-evil: y'],
    ['what no header holds', '€ü'],
    ['quotation marks', '1", "2'],
  ])('with a number or a revision that has %s is refused, and breaks nothing', async (_, text) => {
    const mac = await enrolled();
    const form = await formOf(admin);
    const { revision } = await hostOf(mac);
    const outdated = await post(`/hosts/${mac}/hold`, { form, once: 'once-1', revision: text });
    expect(outdated.status).toBe(412);
    const { status } = await post(`/hosts/${mac}/hold`, { form, once: text, revision: String(revision) });
    expect(status).toBe(303);
  });
});

describe('a double click', () => {
  const twice = async (path: string, fields: Fields) => {
    const [one, two] = await Promise.all([post(path, fields), post(path, fields)]);
    return [one, two, await post(path, fields)].map(({ status, text, headers }) => ({
      status,
      text,
      to: headers.location,
    }));
  };

  test('on Save says that it was saved, not that somebody was faster', async () => {
    const mac = await enrolled();
    const path = `/hosts/${mac}/settings`;
    const hidden = hiddenFields((await admin.look(path)).text, path);
    for (const { status, to } of await twice(path, { ...hidden, labels: 'rack=r1' }))
      expect([status, to]).toEqual([303, `/hosts/${mac}`]);
    expect((await hostOf(mac)).labels).toEqual({ rack: 'r1' });
  });

  test('makes one token, and shows it', async () => {
    const hidden = hiddenFields((await admin.look('/tokens')).text, '/tokens');
    const [one, ...others] = await twice('/tokens', { ...hidden, name: 'twice', role: 'viewer' });
    expect(one).toMatchObject({ status: 200, text: expect.stringContaining('The token &quot;twice&quot;') });
    for (const other of others) expect(other.text).toBe(one?.text);
    const { json } = await server.admin('/api/v1/tokens');
    expect(json.tokens.filter(({ name }: { name: string }) => name === 'twice')).toHaveLength(1);
  });

  test('another session with the same form is not answered with this one', async () => {
    const hidden = hiddenFields((await admin.look('/tokens')).text, '/tokens');
    const fields = { ...hidden, name: 'mine', role: 'viewer' };
    expect((await post('/tokens', fields)).status).toBe(200);
    expect((await post('/tokens', fields, viewer)).status).toBe(403);
    const again = await post('/tokens', { ...fields, form: await formOf(viewer) }, viewer);
    expect([again.status, again.text.includes('class="code secret"')]).toEqual([403, false]);
  });

  test('what was refused can be sent again', async () => {
    const mac = await enrolled();
    const path = `/hosts/${mac}/hold`;
    const fields = hiddenFields((await admin.look(path)).text, path);
    await server.admin(`/api/v1/hosts/${mac}`, { method: 'PATCH', body: { labels: { a: 'b' } } });
    const faster = await post(path, fields);
    expect([faster.status, faster.text.includes('Somebody was faster')]).toEqual([412, true]);
    expect((await hostOf(mac)).held).toBe(null);
    expect((await post(path, hiddenFields(faster.text, path))).status).toBe(303);
  });
});

test('a tag that went to another image meanwhile is not taken from that one', async () => {
  const imageOf = async (ref: string) => (await server.admin(`/api/v1/images/${ref}`)).json;
  const [one, two] = [await imageOf('one'), await imageOf('two')];
  const path = `/images/${one.digest}/remove`;
  const late = await post(path, { form: await formOf(admin), once: 'once-tag', tag: 'two:latest' });
  expect([late.status, late.text.includes('another image by now')]).toEqual([412, true]);
  expect((await imageOf('two')).tags).toEqual(two.tags);
});

describe('a viewer', () => {
  test('who goes to the page of a deed sees what it would do, and no button', async () => {
    const mac = await enrolled();
    for (const deed of ['retire', 'remove', 'hold', 'approve']) {
      const { status, text } = await viewer.look(`/hosts/${mac}/${deed}`);
      expect([status, text.includes('of role viewer, which only looks')]).toEqual([200, true]);
      expect(text).not.toContain(`action="/hosts/${mac}/${deed}"`);
    }
  });

  test('who sends its form all the same is told that he may not', async () => {
    const mac = await enrolled();
    const { revision } = await hostOf(mac);
    const form = await formOf(viewer);
    for (const deed of ['retire', 'remove', 'hold', 'approve', 'settings', 'reinstall', 'release']) {
      const fields = {
        form,
        once: `once-${deed}`,
        revision: String(revision),
        name: deed === 'remove' ? mac : '',
      };
      const answer = await post(`/hosts/${mac}/${deed}`, fields, viewer);
      expect([deed, answer.status]).toEqual([deed, 403]);
      expect(answer.text).toContain('This needs a token of role operator');
    }
    expect((await hostOf(mac)).revision).toBe(revision);
  });
});

test('a session that is over leads to the login, however many wrong tokens came from its address', async () => {
  const wrong = (token: string) =>
    admin.look('/login', {
      method: 'POST',
      body: formBody({ token }),
      headers: { ...FORM, ...FROM_HERE, cookie: '' },
    });
  const guesses = [];
  for (let guess = 0; guess < 25; guess++) guesses.push((await wrong(`guess-${guess}`)).status);
  expect(guesses).toContain(429);
  const over = await admin.look('/hosts', { headers: { cookie: 'warmboot-session=gone' } });
  expect([over.status, over.headers.location]).toEqual([303, '/login?to=%2Fhosts']);
  expect((await wrong(server.token)).status).toBe(303);
  expect((await admin.look('/hosts')).status).toBe(200);
});
