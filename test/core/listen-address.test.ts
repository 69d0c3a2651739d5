import { expect, test } from 'vitest';
import { fromHere, hostPort } from '../../server/core/listen-address.ts';

test.each([
  ['0.0.0.0', '127.0.0.1:69'],
  ['::', '[::1]:69'],
  ['10.0.0.1', '10.0.0.1:69'],
  ['fd00::1', '[fd00::1]:69'],
])('what listens on %s is reached from the same machine at %s', (host, reached) => {
  expect(hostPort(fromHere({ host, port: 69 }))).toBe(reached);
});
