import { expect, test } from 'vitest';
import { NO_LIMITS } from '../../server/core/transfer-limits.ts';
import { limitsFinding } from '../../server/doctor/limits.ts';

test('limits are told, and those under which no transfer would end are a problem', () => {
  expect(limitsFinding(NO_LIMITS)).toBeNull();
  expect(limitsFinding({ ...NO_LIMITS, rate: 50 * 1024 ** 2 })).toMatchObject({
    level: 'ok',
    what: '50 images are sent at once, 52428800 bytes per second together',
  });
  expect(limitsFinding({ ...NO_LIMITS, atOnce: 0 })).toMatchObject({ level: 'problem' });
});
