import { expect, test } from 'vitest';
import { SESSION_MS, tokenCases } from '../../server/control/tokens.ts';
import type { TokenWish } from '../../server/core/token.ts';
import { newToken, sha256Hex } from '../../server/keys/tokens.ts';
import { ALICE, NOW } from '../fixtures/hosts.ts';
import { memoryStore } from '../fixtures/stores.ts';

const FIRST = 'the-secret-of-the-first-token';

/** Tokens on a database in memory, with the first one admitted and a clock that stands still. */
async function world() {
  const time = { now: NOW };
  const store = memoryStore(() => time.now);
  let ids = 0;
  const tokens = tokenCases({
    tokens: store.tokens,
    clock: () => time.now,
    newId: () => `id-${++ids}`,
    newSecret: newToken,
    sha256Hex,
  });
  await tokens.admitFirst(FIRST);
  const make = (wish: Partial<TokenWish> = {}) =>
    tokens.create(ALICE, { name: 'ci', role: 'operator', expiresInMs: null, ...wish });
  const kinds = async () =>
    (await store.events({ limit: 100 })).map(({ kind, by, data }) => [kind, by, data.name]);
  return { time, store, tokens, make, kinds };
}

test('a token is known by its secret, and by nothing else', async () => {
  const { tokens, make } = await world();
  const { token, secret } = await make();
  expect(await tokens.owner(secret)).toMatchObject({ name: 'ci', role: 'operator', tokenId: token.id });
  for (const wrong of ['', 'x', secret.slice(1), `${secret}x`, token.id, sha256Hex(secret)])
    expect(await tokens.owner(wrong)).toBeNull();
  expect(JSON.stringify(await tokens.list())).not.toContain(secret);
  expect(JSON.stringify(await tokens.list())).not.toContain(sha256Hex(secret));
});

test('it ends when it expires, to the millisecond, and its name is free then', async () => {
  const { time, tokens, make, kinds } = await world();
  const { secret } = await make({ expiresInMs: 1000 });
  time.now += 999;
  const principal = await tokens.owner(secret);
  expect(principal?.expiresAt).toBe(NOW + 1000);
  await expect(make()).rejects.toThrow(/There is a token "ci" already/);
  time.now += 1;
  expect(await tokens.owner(secret)).toBeNull();
  await tokens.flush();
  expect(principal?.over.aborted).toBe(true);
  await make();
  expect((await tokens.list()).map(({ name }) => name)).toEqual(['first', 'ci']);
  expect((await kinds()).slice(2)).toEqual([
    ['token-revoked', 'alice', 'ci'],
    ['token-created', 'alice', 'ci'],
  ]);
});

test('what is revoked ends at once, with its sessions and streams', async () => {
  const { tokens, make } = await world();
  const { token, secret } = await make();
  const login = await tokens.login(secret);
  const principal = await tokens.owner(secret);
  await tokens.revoke(ALICE, token.id);
  expect(await tokens.owner(secret)).toBeNull();
  expect(await tokens.ofSession(login?.session ?? '')).toBeNull();
  expect([principal?.over.aborted, login?.principal.over.aborted]).toEqual([true, true]);
  await expect(tokens.revoke(ALICE, token.id)).rejects.toMatchObject({ code: 'not-found' });
  await expect(tokens.find(token.id)).rejects.toMatchObject({ code: 'not-found' });
});

test('the last admin that does not expire stays', async () => {
  const { tokens, make } = await world();
  const [first] = await tokens.list();
  await make({ name: 'passing', role: 'admin', expiresInMs: 1000 });
  await make({ name: 'worker', role: 'operator' });
  await expect(tokens.revoke(ALICE, first?.id ?? '')).rejects.toMatchObject({ code: 'conflict' });
  const { token } = await make({ name: 'second', role: 'admin' });
  await tokens.revoke(ALICE, first?.id ?? '');
  await expect(tokens.revoke(ALICE, token.id)).rejects.toThrow(/"second" is the last admin token/);
});

test('two admins who revoke each other at once: one of them stays', async () => {
  const { tokens, make } = await world();
  const { token } = await make({ name: 'second', role: 'admin' });
  const [first] = await tokens.list();
  const ends = await Promise.allSettled([
    tokens.revoke({ name: 'second' }, first?.id ?? ''),
    tokens.revoke({ name: 'first' }, token.id),
  ]);
  expect(ends.map(({ status }) => status).toSorted()).toEqual(['fulfilled', 'rejected']);
  expect(await tokens.list()).toHaveLength(1);
});

test('the file’s token is admitted once, and a revoked one never again', async () => {
  const { tokens, make, kinds } = await world();
  expect(await tokens.owner(FIRST)).toMatchObject({ name: 'first', role: 'admin', expiresAt: null });
  expect(await tokens.admitFirst(FIRST)).toBe(true);
  expect(await tokens.list()).toHaveLength(1);
  expect(await kinds()).toEqual([['token-created', null, 'first']]);
  await make({ name: 'second', role: 'admin' });
  const [first] = await tokens.list();
  await tokens.revoke(ALICE, first?.id ?? '');
  expect(await tokens.admitFirst(FIRST)).toBe(false);
  expect(await tokens.owner(FIRST)).toBeNull();
});

test('who removes the file gets another one beside the first', async () => {
  const { tokens } = await world();
  expect(await tokens.admitFirst('a-new-file')).toBe(true);
  expect(await tokens.admitFirst('another-new-file')).toBe(true);
  expect((await tokens.list()).map(({ name }) => name)).toEqual(['first', 'first-2', 'first-3']);
});

test.each(['', ' ', '-x', 'a b', 'a/b', 'a\nb', '$(id)', "o'x", 'ü', 'x'.repeat(64)])(
  'the name %j is refused',
  async (name) => {
    const { make } = await world();
    await expect(make({ name })).rejects.toMatchObject({ code: 'invalid' });
  },
);

test('uses are written down by the flush, the latest of each', async () => {
  const { time, tokens, make } = await world();
  const { token, secret } = await make();
  time.now += 5;
  await tokens.owner(secret);
  time.now += 5;
  await tokens.owner(secret);
  expect((await tokens.find(token.id)).lastUsedAt).toBeNull();
  await tokens.flush();
  expect((await tokens.find(token.id)).lastUsedAt).toBe(NOW + 10);
  time.now -= 100;
  await tokens.owner(secret);
  await tokens.flush();
  expect((await tokens.find(token.id)).lastUsedAt).toBe(NOW + 10);
});

test('a session ends after its time, with its token, or when it is ended', async () => {
  const { time, tokens, make } = await world();
  const { secret } = await make();
  const passing = await make({ name: 'passing', expiresInMs: 60_000 });
  const login = async (with_: string) => (await tokens.login(with_))?.session ?? '';
  const [long, short, ended] = [await login(secret), await login(passing.secret), await login(secret)];
  expect(await tokens.ofSession(long)).toMatchObject({ name: 'ci', expiresAt: NOW + SESSION_MS });
  expect(await tokens.ofSession(short)).toMatchObject({ name: 'passing', expiresAt: NOW + 60_000 });
  await tokens.logout(ended);
  expect(await tokens.ofSession(ended)).toBeNull();
  time.now += 60_000;
  expect(await tokens.ofSession(short)).toBeNull();
  time.now = NOW + SESSION_MS;
  expect(await tokens.ofSession(long)).toBeNull();
  expect(await tokens.login('wrong')).toBeNull();
  expect(await tokens.ofSession(secret)).toBeNull();
});

test('a token keeps its newest twenty sessions', async () => {
  const { time, tokens } = await world();
  const sessions: string[] = [];
  for (let i = 0; i < 22; i += 1) {
    time.now += 1;
    sessions.push((await tokens.login(FIRST))?.session ?? '');
  }
  const alive = await Promise.all(sessions.map((session) => tokens.ofSession(session)));
  expect(alive.map((principal) => principal !== null)).toEqual([false, false, ...Array(20).fill(true)]);
});
