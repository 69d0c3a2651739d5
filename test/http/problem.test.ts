import { Hono } from 'hono';
import { expect, test } from 'vitest';
import { problemOf } from '../../server/http/problem.ts';

const logged: string[] = [];
const log = (_fields: object, text: string) => void logged.push(text);
const logger = { debug: log, info: log, warn: log, error: log };

async function answerTo(error: Error): Promise<{ status: number; detail: string }> {
  const app = new Hono();
  app.onError((thrown, c) => problemOf(c, thrown, logger));
  app.get('/', () => {
    throw error;
  });
  const response = await app.request('/');
  return (await response.json()) as { status: number; detail: string };
}

test.each(['SQLITE_FULL', 'ENOSPC', 'EDQUOT'])('a full disk is said, whatever meets it: %s', async (code) => {
  const { status, detail } = await answerTo(Object.assign(new Error('full'), { code }));
  expect(status).toBe(503);
  expect(detail).toBe(
    'The disk of the data folder is full. Remove images, or give it more room, then try again.',
  );
  expect(logged.at(-1)).toBe('the disk is full');
});

test('what nobody foresaw is told without its stack', async () => {
  const { status, detail } = await answerTo(new TypeError('oh'));
  expect([status, detail]).toEqual([500, expect.stringContaining('its log says how')]);
  expect(logged.at(-1)).toBe('request failed');
});
