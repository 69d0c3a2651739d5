import { Hono } from 'hono';
import { expect, test } from 'vitest';
import { WarmbootError } from '../../server/core/errors.ts';
import { problemOf } from '../../server/http/problem.ts';

const logged: string[] = [];
const log = (_fields: object, text: string) => void logged.push(text);
const logger = { debug: log, info: log, warn: log, error: log };

async function answerTo(
  error: Error,
  incoming: { readonly destroyed: boolean } = { destroyed: false },
): Promise<{ status: number; detail: string; retryAfter: string | null }> {
  const app = new Hono();
  app.onError((thrown, c) => problemOf(c, thrown, logger));
  app.get('/', () => {
    throw error;
  });
  const response = await app.request('/', {}, { incoming });
  const retryAfter = response.headers.get('retry-after');
  return { ...((await response.json()) as { status: number; detail: string }), retryAfter };
}

test.each(['SQLITE_FULL', 'ENOSPC', 'EDQUOT'])('a full disk is said, whatever meets it: %s', async (code) => {
  const { status, detail } = await answerTo(Object.assign(new Error('full'), { code }));
  expect(status).toBe(503);
  expect(detail).toBe(
    'The disk of the data folder is full. Remove images, or give it more room, then try again.',
  );
  expect(logged.at(-1)).toBe('the disk refuses to be written');
});

test.each([
  [1, '1'],
  [1000, '1'],
  [1001, '2'],
  [null, null],
])('what may be asked again after %s ms says so in whole seconds', async (waitMs, seconds) => {
  const answer = await answerTo(new WarmbootError('too-many', 'Too often.', waitMs));
  expect([answer.status, answer.retryAfter]).toEqual([429, seconds]);
});

test('what a client breaks off is no failure of the server; what breaks off behind the server is', async () => {
  const reset = Object.assign(new Error('aborted'), { code: 'ECONNRESET' });
  const before = logged.length;
  expect((await answerTo(reset, { destroyed: true })).status).toBe(400);
  expect(logged).toHaveLength(before);
  expect((await answerTo(reset)).status).toBe(500);
  expect((await answerTo(new Error('oh'), { destroyed: true })).status).toBe(500);
  expect(logged).toHaveLength(before + 2);
});

test('what nobody foresaw is told without its stack', async () => {
  const { status, detail } = await answerTo(new TypeError('oh'));
  expect([status, detail]).toEqual([500, expect.stringContaining('its log says how')]);
  expect(logged.at(-1)).toBe('request failed');
});
