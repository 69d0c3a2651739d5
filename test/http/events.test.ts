import { once } from 'node:events';
import { type ClientRequest, type IncomingMessage, request } from 'node:http';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { type EventView, eventListSchema, eventSchema } from '../../server/contract/events.ts';
import { MOST_FOLLOWERS } from '../../server/http/event-routes.ts';
import { LARGE_BODIES } from '../../server/http/listen.ts';
import { openDatabase } from '../../server/store/database.ts';
import { MIGRATIONS, newMac, runningServer, type TestServer } from '../fixtures/running-server.ts';

let server: TestServer;
beforeAll(async () => {
  server = await runningServer();
});
afterAll(() => server.close());

const EVENTS = '/api/v1/events';
const list = async (query = '') => eventListSchema.parse((await server.admin(`${EVENTS}${query}`)).json);

async function enrol(): Promise<string> {
  const mac = newMac();
  expect((await server.admin('/api/v1/hosts', { body: { macs: [mac], image: 'one' } })).status).toBe(201);
  return mac;
}

type Open = { readonly call: ClientRequest; readonly answer: IncomingMessage; text(): string };

async function open(path: string, headers: Record<string, string>): Promise<Open> {
  const { hostname, port } = new URL(server.running.adminUrl);
  const sent = { authorization: `Bearer ${server.token}`, ...headers };
  const call = request({ hostname, port, path, headers: sent, agent: false });
  onTestFinished(() => void call.destroy());
  call.on('error', () => {}).end();
  const [answer] = (await once(call, 'response')) as [IncomingMessage];
  let text = '';
  answer.setEncoding('utf8').on('data', (part: string) => {
    text += part;
  });
  return { call, answer, text: () => text };
}
const follow = (query = '', headers: Record<string, string> = {}) =>
  open(`${EVENTS}${query}`, { accept: 'text/event-stream', ...headers });
const idsIn = (text: string) => [...text.matchAll(/^id: (\d+)$/gm)].map(([, id]) => Number(id));

describe('filters', () => {
  test('by host, kinds, actor, token, attempt and time; a filter that cannot be is 400', async () => {
    const before = Date.now();
    const mac = await enrol();
    const own = await list(`?host=${mac}`);
    expect(own.events.map(({ kind, by, actor }) => [kind, by, actor])).toEqual([
      ['host-enrolled', 'first', 'operator'],
      ['attempt-began', 'first', 'operator'],
    ]);
    const attempt = own.events[1]?.attempt;
    expect((await list(`?attempt=${attempt}&after=0`)).events.map(({ kind }) => kind)).toContain(
      'attempt-began',
    );
    const both = await list(
      `?after=0&kind=host-enrolled&kind=attempt-began&since=${before}&by=first&actor=operator`,
    );
    expect(both.events).toEqual(own.events);
    expect((await list(`?kind=host-enrolled&until=${before}&host=${mac}`)).events).toEqual([]);
    expect((await list(`?since=${new Date(before).toISOString()}&host=${mac}`)).events).toHaveLength(2);
    expect((await list('?by=nobody')).events).toEqual([]);
    for (const wrong of ['kind=nothing', 'actor=me', 'since=yesterday', 'until=', 'after=x'])
      expect((await server.admin(`${EVENTS}?${wrong}`)).status, wrong).toBe(400);
  });
});

describe('a stream', () => {
  test('followers, who hold their connections for ever, leave room for others', () => {
    expect(MOST_FOLLOWERS).toBeLessThanOrEqual(LARGE_BODIES.maxConnections / 2);
  });

  test('goes on after Last-Event-ID with what fits; many follow at once', async () => {
    const { next } = await list('?limit=1');
    const streams = await Promise.all(
      Array.from({ length: 30 }, () => follow('?kind=host-enrolled', { 'last-event-id': String(next) })),
    );
    await enrol();
    await enrol();
    for (const { text } of streams) await expect.poll(() => idsIn(text()).length).toBe(2);
    const [first] = streams;
    const data = [...(first?.text() ?? '').matchAll(/^data: (.*)$/gm)].map(([, json = '']) =>
      JSON.parse(json),
    );
    expect(data.map((event: EventView) => eventSchema.parse(event).kind)).toEqual([
      'host-enrolled',
      'host-enrolled',
    ]);
  });

  test.each(['x', '-1', '1.5', '0x10', '1e3', '9007199254740993', '1, 2'])(
    'an id that is none is refused, not taken for the beginning: %s',
    async (id) => {
      const headers = { accept: 'text/event-stream', 'last-event-id': id };
      const { status, json } = await server.admin(EVENTS, { headers });
      expect([status, json.detail]).toEqual([400, expect.stringContaining('Last-Event-ID')]);
    },
  );

  test('an id that this log never gave: a gap is told, and it goes on with what comes', async () => {
    const { next } = await list('?limit=1');
    const { text } = await follow('', { 'last-event-id': String(next + 1000) });
    await expect.poll(text).toContain('event: gap');
    expect(text()).toContain(`id: ${next}\nevent: gap\ndata: {"after":${next + 1000},"next":${next + 1}`);
    await enrol();
    await expect.poll(() => idsIn(text())).toEqual([next, next + 1, next + 2]);
  });

  test('an id whose followers were removed: a gap first, then what is kept', async () => {
    await enrol();
    const { next } = await list('?limit=1');
    const db = openDatabase(`${server.dataDir}/warmboot.db`, MIGRATIONS, () => {});
    db.exec(`UPDATE event_log SET pruned_to = ${next - 1}; DELETE FROM events WHERE id < ${next}`);
    db.close();
    const { text } = await follow('', { 'last-event-id': '1' });
    await expect.poll(() => idsIn(text())).toEqual([next - 1, next]);
    expect(text()).toMatch(
      new RegExp(`^id: ${next - 1}\nevent: gap\ndata: {"after":1,"next":${next},"reason":"events before`),
    );
    expect(await list('?after=1')).toMatchObject({ first: next, next });
    // Who begins at the beginning misses nothing that he had.
    const { text: whole } = await follow('?after=0');
    await expect.poll(() => idsIn(whole())).toEqual([next]);
    expect(whole()).not.toContain('gap');
  });

  test('ends when the server stops', async () => {
    const { answer } = await follow();
    const ended = once(answer.resume(), 'end');
    await server.restart();
    await ended;
  });
});

test('an event names its host by the MAC to ask for it, until the host is gone', async () => {
  const mac = await enrol();
  const [{ id = 0, host } = {}] = (await list(`?host=${mac}`)).events;
  const named = async () => (await list(`?after=${id - 1}&limit=1`)).events[0];
  expect(await named()).toMatchObject({ id, host, mac });
  await server.admin(`/api/v1/hosts/${mac}`, { method: 'DELETE' });
  expect(await named()).toMatchObject({ id, host, mac: null });
});

test('the log is read backwards by `before`, also with filters', async () => {
  const mac = await enrol();
  const all = (await list('?limit=1000')).events.map(({ id }) => id);
  const pages: number[][] = [];
  for (let before = ''; ; ) {
    const page = (await list(`?limit=3${before}`)).events.map(({ id }) => id);
    if (page.length === 0) break;
    pages.unshift(page);
    before = `&before=${page[0]}`;
  }
  expect(pages.flat()).toEqual(all);
  const [first, second] = (await list(`?host=${mac}`)).events.map(({ id }) => id);
  expect((await list(`?host=${mac}&before=${second}`)).events.map(({ id }) => id)).toEqual([first]);
  expect((await list(`?after=${first}&before=${second}&host=${mac}`)).events).toEqual([]);
});

describe('an export', () => {
  test('is every event that fits, one a line, in order, in a file whose end is known', async () => {
    const mac = await enrol();
    const { answer, text } = await open(`${EVENTS}?host=${mac}`, { accept: 'application/x-ndjson' });
    await once(answer, 'end');
    expect([answer.headers['content-type'], answer.complete]).toEqual(['application/x-ndjson', true]);
    const events = text()
      .trim()
      .split('\n')
      .map((line) => eventSchema.parse(JSON.parse(line)));
    expect(events).toEqual((await list(`?host=${mac}`)).events);
    const all = await open(`${EVENTS}?after=0`, { accept: 'application/x-ndjson' });
    await once(all.answer, 'end');
    const { first, next } = await list('?limit=1');
    expect(
      all
        .text()
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line).id),
    ).toEqual(Array.from({ length: next - (first ?? 1) + 1 }, (_, at) => (first ?? 1) + at));
  });
});
