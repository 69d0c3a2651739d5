import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { Screen } from '../../lab/screen.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

test('while something is waited for, no ten seconds pass without a word', () => {
  let said = '';
  const out = { write: (text: string) => (said += text) } as unknown as NodeJS.WriteStream;
  const screen = new Screen(Date.now(), out);
  screen.line('one', 'power on');
  screen.waits('one', 'waiting for its kernel');
  vi.advanceTimersByTime(20_000);
  screen.line('one', 'its kernel starts');
  vi.advanceTimersByTime(20_000);
  expect(said.split('\n')).toEqual([
    '    0.0  one: power on',
    '    9.0  one: … waiting for its kernel, for 9 s now',
    '   18.0  one: … waiting for its kernel, for 18 s now',
    '   20.0  one: its kernel starts',
    '',
  ]);
});
