import { Webhook as StandardWebhook } from 'standardwebhooks';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { webhookDelivery } from '../../server/control/webhook-delivery.ts';
import { webhookCases } from '../../server/control/webhooks.ts';
import type { NewEvent } from '../../server/core/events.ts';
import type { WebhookWish } from '../../server/core/use-cases.ts';
import { newWebhookSecret, signWebhook } from '../../server/keys/webhook-signature.ts';
import { poster } from '../../server/webhooks/post.ts';
import { enrolment } from '../fixtures/hosts.ts';
import { type Received, receiver } from '../fixtures/receiver.ts';
import { memoryStore } from '../fixtures/stores.ts';

const BY = { name: 'ann' };
const closers: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

const FOR_EVER_MS = 600_000;
/** @param timeoutMs for an answer, until `waits.isPatient` */
async function world(timeoutMs = FOR_EVER_MS) {
  const time = { now: Date.now() };
  const store = memoryStore(() => time.now);
  const quick = poster(false, timeoutMs);
  const patient = poster(false, FOR_EVER_MS);
  const waits = { isPatient: false };
  const post: typeof quick.post = (...how) => (waits.isPatient ? patient : quick).post(...how);
  const close = () => {
    quick.close();
    patient.close();
  };
  const errors: unknown[] = [];
  let ids = 0;
  const shared = { store, clock: () => time.now, post, sign: signWebhook };
  const start = () => {
    const delivery = webhookDelivery({
      ...shared,
      chance: () => 0.5,
      onError: (error) => errors.push(error),
    });
    closers.push(delivery.stop);
    return delivery;
  };
  const cases = webhookCases({ ...shared, newId: () => `hook${++ids}`, newSecret: newWebhookSecret });
  const target = await receiver();
  closers.push(close, target.close);
  const add = (...events: Partial<NewEvent>[]) =>
    store.change({}, () => ({ answer: undefined, events: events.map((facts) => ({ ...EVENT, ...facts })) }));
  const hook = (wish: WebhookWish = {}) => cases.add(BY, { url: target.url, ...wish });
  return { time, waits, store, cases, target, add, hook, errors, start, delivery: start() };
}
const EVENT: NewEvent = {
  kind: 'report',
  hostId: null,
  attempt: null,
  actor: 'server',
  by: null,
  reason: '',
  data: {},
};
const reasons = (got: readonly Received[]) => got.map(({ body }) => JSON.parse(body).data.reason);

let w: Awaited<ReturnType<typeof world>>;
beforeEach(async () => {
  w = await world();
});

test('events come in order, each verified by another implementation of Standard Webhooks; a wrong secret is not', async () => {
  const { secret } = await w.hook();
  await w.add({ reason: 'one', data: { ü: '✓' } }, { reason: 'two' }, { reason: 'three' });
  await w.delivery.look();
  await expect.poll(() => reasons(w.target.got)).toEqual(['added', 'one', 'two', 'three']);
  const right = new StandardWebhook(secret);
  for (const { body, headers } of w.target.got)
    expect(right.verify(body, headers)).toMatchObject({ type: JSON.parse(body).data.kind });
  const [first] = w.target.got;
  const wrong = new StandardWebhook(newWebhookSecret());
  expect(() => wrong.verify(first?.body ?? '', first?.headers ?? {})).toThrow();
  expect(() => right.verify(`${first?.body} `, first?.headers ?? {})).toThrow();
  expect(first?.headers['content-type']).toBe('application/json');
  expect(new Set(w.target.got.map(({ headers }) => headers['webhook-id'])).size).toBe(4);
});

test.each<[string, (message: Received, response: import('node:http').ServerResponse) => void, string]>([
  ['500', (_m, response) => void response.writeHead(500).end('x'.repeat(100_000)), 'it answered 500'],
  [
    'a redirect',
    (_m, response) => void response.writeHead(307, { location: '/elsewhere' }).end(),
    'it answered 307; redirects are not followed',
  ],
  ['a reset', (_m, response) => void response.socket?.resetAndDestroy(), 'ECONNRESET'],
  ['silence', () => {}, 'it did not answer within 1.5 s'],
  ['no HTTP', (_m, response) => void response.socket?.end('what?\r\n\r\n'), 'Parse Error'],
])(
  '%s: it is tried again later, with growing waits, and what comes after waits in its place',
  async (_name, answer, error) => {
    // Not so short that a busy machine has not even sent it.
    const slow = await world(error.includes('1.5 s') ? 1_500 : FOR_EVER_MS);
    const good = slow.target.answer;
    slow.target.answer = answer;
    await slow.add({ reason: 'before' });
    const { id } = await slow.hook({ kinds: ['report'] });
    await slow.add({ reason: 'one' }, { reason: 'two' });
    const waits: number[] = [];
    for (let failures = 1; failures <= 3; failures += 1) {
      await slow.delivery.look();
      await expect.poll(async () => (await slow.cases.find(id)).failures).toBe(failures);
      const { nextAt, lastError } = await slow.cases.find(id);
      expect(lastError).toContain(error);
      waits.push((nextAt ?? 0) - slow.time.now);
      // Before its time nothing is sent.
      await slow.delivery.look();
      slow.time.now = nextAt ?? 0;
    }
    expect(waits).toEqual([5_000, 10_000, 20_000]);
    expect(reasons(slow.target.got)).toEqual(['one', 'one', 'one']);
    expect(new Set(slow.target.got.map(({ headers }) => headers['webhook-id'])).size).toBe(1);
    slow.target.answer = good;
    slow.waits.isPatient = true;
    await slow.delivery.look();
    await expect.poll(() => reasons(slow.target.got)).toEqual(['one', 'one', 'one', 'one', 'two']);
    await expect.poll(async () => (await slow.cases.find(id)).delivered).toBe(2);
    expect(await slow.cases.find(id)).toMatchObject({
      failures: 0,
      nextAt: null,
      lastError: null,
      lastStatus: 204,
    });
    expect(slow.errors).toEqual([]);
  },
);

test('Retry-After is kept; waits grow no longer than an hour', async () => {
  const { id } = await w.hook({ kinds: ['report'] });
  w.target.answer = (_m, response) => void response.writeHead(503, { 'retry-after': '120' }).end();
  await w.add({});
  await w.delivery.look();
  await expect.poll(async () => (await w.cases.find(id)).nextAt).toBe(w.time.now + 120_000);
  for (let failures = 2; failures < 14; failures += 1) {
    w.time.now = (await w.cases.find(id)).nextAt ?? 0;
    await w.delivery.look();
    await expect.poll(async () => (await w.cases.find(id)).failures).toBe(failures);
  }
  expect(((await w.cases.find(id)).nextAt ?? 0) - w.time.now).toBe(3_600_000);
});

test('410 disables it, with an event; enabled again it goes on where it was', async () => {
  const { id } = await w.hook({ kinds: ['report'] });
  const good = w.target.answer;
  w.target.answer = (_m, response) => void response.writeHead(410).end();
  await w.add({ reason: 'one' });
  await w.delivery.look();
  await expect.poll(async () => (await w.cases.find(id)).status).toBe('disabled');
  const events = await w.store.events({ newest: true, limit: 1 });
  expect(events).toMatchObject([{ kind: 'webhook-disabled', reason: 'the receiver answered 410 Gone' }]);
  await w.delivery.look();
  w.target.answer = good;
  await w.cases.change(BY, id, { enabled: true });
  await w.delivery.look();
  await expect.poll(() => reasons(w.target.got)).toEqual(['one', 'one']);
});

test('only kinds and hosts that are meant; the others are passed over', async () => {
  await w.store.change({}, () => ({
    answer: undefined,
    hosts: [{ enrolment: enrolment({ id: 'h1', labels: { rack: 'r1' } }), attempt: null, observation: null }],
  }));
  const { id } = await w.hook({ kinds: ['assigned', 'host-removed'], selector: 'rack in (r1, r2)' });
  await w.add(
    { kind: 'assigned', hostId: 'h1', reason: 'here' },
    { kind: 'report', hostId: 'h1' },
    { kind: 'assigned', hostId: 'gone' },
    { kind: 'assigned' },
    { kind: 'host-removed', hostId: 'gone', reason: 'was here', data: { labels: { rack: 'r2' } } },
    ...Array.from({ length: 120 }, () => ({ kind: 'assigned' as const })),
  );
  await w.delivery.look();
  await expect.poll(() => reasons(w.target.got)).toEqual(['here', 'was here']);
  const { last } = await w.store.log.bounds();
  await expect.poll(async () => (await w.cases.find(id)).cursor).toBe(last);
});

test('a hook that fails holds up no other', async () => {
  const bad = await receiver();
  closers.push(bad.close);
  bad.answer = () => {};
  await w.cases.add(BY, { url: bad.url });
  await w.hook({ kinds: ['report'] });
  await w.add({ reason: 'one' });
  await w.delivery.look();
  await expect.poll(() => reasons(w.target.got)).toEqual(['one']);
  await w.add({ reason: 'two' });
  await w.delivery.look();
  await expect.poll(() => reasons(w.target.got)).toEqual(['one', 'two']);
});

test('a stop breaks a try off, which is no failure; another run goes on from the place that is kept', async () => {
  const { id } = await w.hook({ kinds: ['report'] });
  const good = w.target.answer;
  await w.add({ reason: 'one' }, { reason: 'two' });
  w.target.answer = ({ body }, response) => {
    if (body.includes('"one"')) response.writeHead(200).end();
  };
  await w.delivery.look();
  await expect.poll(() => reasons(w.target.got)).toEqual(['one', 'two']);
  await w.delivery.stop();
  expect(await w.cases.find(id)).toMatchObject({ failures: 0, delivered: 1 });
  w.target.answer = good;
  await w.start().look();
  await expect.poll(() => reasons(w.target.got)).toEqual(['one', 'two', 'two']);
});

test('events that retention removes before they were delivered are counted, and that is said', async () => {
  const { id } = await w.hook({ kinds: ['report'] });
  w.target.answer = (_m, response) => void response.writeHead(500).end();
  await w.add(...Array.from({ length: 10 }, (_, at) => ({ reason: `r${at}` })));
  await w.store.log.prune({ before: 0, count: 3 }, 4);
  await w.store.log.prune({ before: 0, count: 3 }, 4);
  const hook = await w.cases.find(id);
  expect([hook.cursor, hook.lost]).toEqual([8, 8]);
  const told = await w.store.events({ kinds: ['webhook-lost'], limit: 10 });
  expect(told).toHaveLength(1);
  w.target.answer = (_m, response) => void response.writeHead(200).end();
  await w.delivery.look();
  await expect.poll(() => reasons(w.target.got)).toEqual(['r7', 'r8', 'r9']);
});

test('a test message is sent and verified, and moves nothing', async () => {
  const { id, secret, cursor } = await w.hook();
  const never = new AbortController().signal;
  expect(await w.cases.test(id, never)).toMatchObject({ isTaken: true, status: 204, error: null });
  const [got] = w.target.got;
  expect(new StandardWebhook(secret).verify(got?.body ?? '', got?.headers ?? {})).toMatchObject({
    type: 'test',
  });
  expect((await w.cases.find(id)).cursor).toBe(cursor);
  w.target.answer = (_m, response) => void response.writeHead(302, { location: 'http://x/' }).end();
  expect(await w.cases.test(id, never)).toMatchObject({ isTaken: false, status: 302 });
  await w.target.close();
  closers.pop();
  expect(await w.cases.test(id, never)).toMatchObject({ isTaken: false, status: null });
});

test.each([
  ['ftp://x/', 'is no http or https address'],
  ['/hook', 'is no http or https address'],
  ['http://me:secret@x/', 'holds a user name or a password'],
  ['http://x/#y', 'has a part after #'],
])('%s is refused as an address', async (url, why) => {
  await expect(w.cases.add(BY, { url })).rejects.toThrow(why);
  const { id } = await w.hook();
  await expect(w.cases.change(BY, id, { url })).rejects.toThrow(why);
});
