import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type SseEvent, SseParser, sseEvents } from '../../server/cli/sse.ts';

function parse(...pieces: string[]): SseEvent[] {
  const parser = new SseParser();
  return pieces.flatMap((piece) => parser.push(piece));
}

test('an event is dispatched at its blank line', () => {
  expect(parse('event: entry\ndata: {"a":1}\n\n')).toEqual([{ event: 'entry', data: '{"a":1}', id: '' }]);
  expect(parse('data: unfinished\n')).toEqual([]);
});

test('data lines are joined; one space after the colon is not data', () => {
  expect(parse('data:one\ndata:  two\ndata\n\n')).toEqual([
    { event: 'message', data: 'one\n two\n', id: '' },
  ]);
});

test('an id holds until the next; one with NUL does not count', () => {
  const ids = parse('id: 7\ndata: a\n\ndata: b\n\nid: 8\0\ndata: c\n\nid\ndata: d\n\n').map(({ id }) => id);
  expect(ids).toEqual(['7', '7', '7', '']);
});

test('comments, unknown fields and events without data are passed over', () => {
  expect(parse(': still here\n\nretry: 5\nevent: x\n\nnonsense\ndata: a\n\n')).toEqual([
    { event: 'message', data: 'a', id: '' },
  ]);
});

test('a byte order mark may begin the stream, once', () => {
  expect(parse('\ufeffdata: a\n\n')).toEqual([{ event: 'message', data: 'a', id: '' }]);
  expect(parse('\ufeff\ufeffdata: a\n\n')).toEqual([]);
});

test('CR, LF and CR LF end lines, wherever the pieces are cut', () => {
  expect(parse('data: a\r', '\n\r', '\ndata: b\r', '\r')).toEqual([
    { event: 'message', data: 'a', id: '' },
    { event: 'message', data: 'b', id: '' },
  ]);
});

test('what a stream says does not depend on where it is cut', () => {
  const line = fc.oneof(
    fc.constantFrom(
      '',
      '',
      'data',
      'data: x',
      'data:  ü😀',
      ':',
      ': c',
      'event: entry',
      'id: 3',
      'id:',
      'retry: 1',
    ),
    fc.string(),
  );
  const ending = fc.constantFrom('\n', '\r', '\r\n');
  const text = fc.array(fc.tuple(line, ending), { maxLength: 40 }).map((lines) => lines.flat().join(''));
  fc.assert(
    fc.property(text, fc.array(fc.nat(400), { maxLength: 12 }), (whole, cuts) => {
      const places = [...new Set(cuts.map((cut) => Math.min(cut, whole.length)))].sort((a, b) => a - b);
      const pieces = [0, ...places].map((from, at) => whole.slice(from, places[at] ?? whole.length));
      expect(pieces.join('')).toBe(whole);
      expect(parse(...pieces)).toEqual(parse(whole));
      expect(parse(...whole)).toEqual(parse(whole));
    }),
  );
});

test('an event that was written is read again', () => {
  const name = fc.string({ minLength: 1 }).filter((text) => !/[\r\n\0\ufeff]/.test(text));
  fc.assert(
    fc.property(fc.array(fc.tuple(name, fc.jsonValue(), name)), (events) => {
      const text = events.map(
        ([event, data, id]) => `event: ${event}\nid: ${id}\ndata: ${JSON.stringify(data)}\n\n`,
      );
      expect(parse(text.join(''))).toEqual(
        events.map(([event, data, id]) => ({ event, data: JSON.stringify(data), id })),
      );
    }),
  );
});

test('a character that is cut in the middle of its bytes is whole again', async () => {
  const bytes = new TextEncoder().encode('data: ü😀\n\n');
  const body = new ReadableStream<Uint8Array>({
    start(controller) {
      for (const byte of bytes) controller.enqueue(Uint8Array.of(byte));
      controller.close();
    },
  });
  const events: SseEvent[] = [];
  for await (const event of sseEvents(body)) events.push(event);
  expect(events).toEqual([{ event: 'message', data: 'ü😀', id: '' }]);
});

test('an event without end is refused before it fills the memory', () => {
  const parser = new SseParser();
  const line = `data: ${'x'.repeat(1 << 20)}\n`;
  expect(() => {
    for (let at = 0; at < 8; at += 1) parser.push(line);
  }).toThrow('too large');
});
