import { connect, type Socket } from 'node:net';
import type { HttpBindings } from '@hono/node-server';
import { Hono } from 'hono';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { listen } from '../../server/http/listen.ts';
import { type Answer, longPolls, type Question } from '../../server/http/long-poll.ts';
import { problem } from '../../server/http/problem.ts';

/** What a host of the question says when it is asked; null: nothing new. */
let say: (isOver: boolean) => Promise<Answer | null> = async () => null;
let change = () => {};
let listening = 0;
let looks = 0;
let settled: () => Promise<void> | null = () => null;
let stopping = new AbortController();
/** Longer than anything here is waited for: what comes at the end of a question's time came too late. */
const FOR_EVER_MS = 3_600_000;
let forMs = FOR_EVER_MS;
let refused = 0;
let at: Awaited<ReturnType<typeof listen>>;
const sockets: Socket[] = [];

const news = (text: string): Answer => ({
  status: 200,
  headers: { etag: '"2"' },
  body: new TextEncoder().encode(text),
});
const nothing: Answer = { status: 304, headers: { etag: '"1"' }, body: null };

beforeEach(async () => {
  say = async (isOver) => (isOver ? nothing : null);
  [listening, looks, refused, forMs] = [0, 0, 0, FOR_EVER_MS];
  [settled, stopping] = [() => null, new AbortController()];
  const hold = longPolls({
    stopping: stopping.signal,
    settled: () => settled(),
    refuse: (c, error) => {
      refused += 1;
      return problem(c, 409, (error as Error).message);
    },
  });
  const question = (): Question => ({
    forMs,
    listen: async (onChange) => {
      listening += 1;
      change = onChange;
      let isOn = true;
      return () => {
        if (isOn) listening -= 1;
        isOn = false;
        change = () => {};
      };
    },
    answer: (isOver) => {
      looks += 1;
      return say(isOver);
    },
  });
  const app = new Hono<{ Bindings: HttpBindings }>();
  app.onError((error, c) => problem(c, 409, error.message));
  // As on the boot plane: what comes through a middleware is kept by the context.
  app.use((_, next) => next());
  app.get('/', (c) => hold(c, question()));
  at = await listen(app, { host: '127.0.0.1', port: 0 });
});
afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy();
  await at.close();
});

/** A client that waits, and what it has been told. */
function ask() {
  const socket = connect(at.port, '127.0.0.1').on('error', () => {});
  sockets.push(socket);
  let text = '';
  socket.on('data', (data) => {
    text += data;
  });
  socket.write('GET / HTTP/1.1\r\nhost: x\r\n\r\n');
  return { socket, text: () => text, status: () => text.slice(9, 12) };
}

/** Waits, and has looked once. */
async function waiting() {
  const client = ask();
  await expect.poll(() => looks).toBe(1);
  await new Promise((resolve) => setTimeout(resolve, 10));
  expect(client.text()).toBe('');
  return client;
}

/** There are news, and the disk does not have them until it is said. @returns what says it */
async function newsOnTheirWayToTheDisk(): Promise<() => void> {
  let done: (() => void) | null = null;
  settled = () =>
    new Promise((resolve) => {
      done = resolve;
    });
  say = async () => news('x');
  change();
  await expect.poll(() => done).not.toBeNull();
  expect(looks).toBe(2);
  return () => done?.();
}

test('what is there already is answered at once', async () => {
  say = async () => news('now');
  const client = ask();
  await expect.poll(client.status).toBe('200');
  expect(client.text()).toMatch(/etag: "2".*content-length: 3\r\n.*\r\n\r\nnow$/is);
  expect([listening, looks]).toEqual([0, 1]);
});

test('news are told when they come, on a connection that goes on to be used', async () => {
  const client = await waiting();
  change();
  await expect.poll(() => looks).toBe(2);
  expect(client.text()).toBe('');
  say = async () => news('then');
  change();
  await expect.poll(client.text).toMatch(/^HTTP\/1.1 200 OK\r\n.*content-length: 4\r\n.*\r\n\r\nthen$/is);
  expect([listening, looks]).toEqual([0, 3]);
  change();
  client.socket.write('GET / HTTP/1.1\r\nhost: x\r\n\r\n');
  await expect.poll(() => client.text().split('then').length).toBe(3);
});

test('a change while it looks is not missed, the first time and later', async () => {
  let go = () => {};
  const slowly = () =>
    new Promise<null>((resolve) => {
      go = () => resolve(null);
    });
  say = slowly;
  const client = ask();
  for (const look of [1, 2]) {
    await expect.poll(() => looks).toBe(look);
    change();
    change();
    go();
  }
  say = async () => news('at last');
  await expect.poll(client.status).toBe('200');
  expect(looks).toBe(3);
  expect(listening).toBe(0);
});

test('when its time is over, or the server stops, it is told what there is', async () => {
  forMs = 30;
  const late = ask();
  await expect.poll(late.status).toBe('304');
  forMs = FOR_EVER_MS;
  looks = 0;
  const client = await waiting();
  stopping.abort();
  await expect.poll(client.status).toBe('304');
  // One that comes now need not wait.
  await expect.poll(ask().status).toBe('304');
  expect(listening).toBe(0);
});

test('nobody is told what the disk does not have', async () => {
  const client = await waiting();
  const done = await newsOnTheirWayToTheDisk();
  await new Promise((resolve) => setTimeout(resolve, 10));
  expect(client.text()).toBe('');
  done();
  await expect.poll(client.status).toBe('200');
});

test('what goes wrong is told, at once and later', async () => {
  say = () => Promise.reject(new Error('There is none.'));
  await expect.poll(ask().status).toBe('409');
  say = async () => null;
  looks = 0;
  const client = await waiting();
  say = () => Promise.reject(new Error('It was removed.'));
  change();
  await expect
    .poll(client.text)
    .toMatch(/^HTTP\/1.1 409 .*application\/problem\+json.*"detail":"It was removed."}$/s);
  expect(listening).toBe(0);
});

test('of a client that has gone nothing is left', async () => {
  const client = await waiting();
  client.socket.destroy();
  await expect.poll(() => listening).toBe(0);
  change();
  expect(looks).toBe(1);
});

test('a client that goes while it is looked for it is told nothing', async () => {
  const client = await waiting();
  let go = () => {};
  say = () =>
    new Promise((resolve) => {
      go = () => resolve(news('late'));
    });
  change();
  client.socket.destroy();
  await expect.poll(() => listening).toBe(0);
  go();
  await new Promise((resolve) => setTimeout(resolve, 10));
  expect([listening, looks]).toEqual([0, 2]);
});

test.each([0, 1, 2, 3, 4, 5])(
  'a change %i turns after the answer is known makes no second one',
  async (turns) => {
    const changeLater = async () => {
      for (let i = 0; i < turns; i += 1) await null;
      change();
    };
    say = async () => {
      void changeLater();
      return news('now');
    };
    const atOnce = ask();
    await expect.poll(atOnce.text).toMatch(/now$/);
    expect(looks).toBe(1);
    say = async () => null;
    looks = 0;
    const client = await waiting();
    say = async () => {
      void changeLater();
      return news('then');
    };
    change();
    await expect.poll(client.text).toMatch(/then$/);
    await new Promise((resolve) => setTimeout(resolve, 10));
    expect([looks, refused, listening]).toEqual([2, 0, 0]);
  },
);

test('a client that goes while the disk is waited for is told nothing', async () => {
  const client = await waiting();
  const done = await newsOnTheirWayToTheDisk();
  client.socket.destroy();
  await new Promise((resolve) => setTimeout(resolve, 20));
  done();
  await new Promise((resolve) => setTimeout(resolve, 10));
  expect([listening, refused]).toEqual([0, 0]);
});

test('of requests that wait behind another one of their connection nothing is left when it is gone', async () => {
  const { socket } = await waiting();
  socket.write('GET / HTTP/1.1\r\nhost: x\r\n\r\n'.repeat(3));
  await expect.poll(() => listening).toBe(4);
  socket.destroy();
  await expect.poll(() => listening).toBe(0);
});

test('what is refused later says nothing of how it is made', async () => {
  const client = await waiting();
  say = () => Promise.reject(new Error('It was removed.'));
  change();
  await expect.poll(client.status).toBe('409');
  expect(client.text()).not.toMatch(/x-hono/i);
});

test('HEAD waits, too, and is told the length alone; HTTP/1.0 is told all and closed', async () => {
  const told = async (request: string, isClosedThen: boolean) => {
    looks = 0;
    say = async () => null;
    const socket = connect(at.port, '127.0.0.1').on('error', () => {});
    sockets.push(socket);
    let text = '';
    let isClosed = false;
    socket.on('data', (data) => {
      text += data;
    });
    socket.on('close', () => {
      isClosed = true;
    });
    socket.write(request);
    await expect.poll(() => looks).toBe(1);
    say = async () => news('then');
    await new Promise((resolve) => setTimeout(resolve, 10));
    change();
    await expect.poll(() => text).toMatch(/content-length: 4/i);
    if (isClosedThen) await expect.poll(() => isClosed).toBe(true);
    else await new Promise((resolve) => setTimeout(resolve, 20));
    return { text, isClosed };
  };
  const head = await told('HEAD / HTTP/1.1\r\nhost: x\r\n\r\n', false);
  expect(head).toEqual({ text: expect.stringMatching(/^HTTP\/1.1 200 .*\r\n\r\n$/s), isClosed: false });
  const old = await told('GET / HTTP/1.0\r\n\r\n', true);
  expect(old).toEqual({ text: expect.stringMatching(/\r\n\r\nthen$/), isClosed: true });
});
