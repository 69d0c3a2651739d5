import { expect, test } from 'vitest';
import { z } from 'zod';
import { refusalOf } from '../../server/http/plain-words.ts';

test.each([
  [z.object({ limit: z.coerce.number() }), { limit: 'x' }, 'limit: is no number'],
  [z.object({ name: z.string().max(64) }), { name: 'y'.repeat(65) }, 'name: has more than 64 characters'],
  [z.object({ macs: z.array(z.string()).min(1) }), { macs: [] }, 'macs: is empty'],
  [z.object({ seq: z.number().min(1) }), { seq: 0 }, 'seq: is less than 1'],
  [z.object({ seq: z.number().int() }), { seq: 0.5 }, 'seq: is no whole number'],
  [z.object({ name: z.string() }), {}, 'name: is missing'],
  [z.object({ labels: z.record(z.string(), z.string()) }), { labels: ['a'] }, 'labels: is no object'],
  [z.object({ name: z.string() }), { name: ['a', 'b'] }, 'name: is no text'],
  [z.object({ wipe: z.boolean() }), { wipe: 'yes' }, 'wipe: is neither true nor false'],
  [z.strictObject({}), { colour: 1 }, 'the body: "colour" is not known'],
  [z.object({ switch: z.enum(['kexec', 'reboot']) }), { switch: 'x' }, 'switch: is none of kexec, reboot'],
  [z.record(z.string().max(1), z.string()), { ab: 'x' }, 'ab: its name has more than 1 characters'],
  [z.object({ from: z.string().regex(/^a/, 'is no name') }), { from: 'b' }, 'from: is no name'],
])('%#: what a schema refuses is said in plain words', (schema, value, words) => {
  const { error } = schema.safeParse(value);
  if (!error) throw new Error('taken');
  expect(refusalOf(error, 'the body').message).toBe(`The request cannot be taken: ${words}.`);
});

test('what a query names twice is said to be so', () => {
  const { error } = z.object({ state: z.string() }).safeParse({ state: ['a', 'b'] });
  if (!error) throw new Error('taken');
  expect(refusalOf(error, 'the request').message).toBe(
    'The request cannot be taken: state: is given more than once.',
  );
});
