import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { needPrograms } from '../../lab/child.ts';
import { newWebhookSecret, signWebhook } from '../../server/keys/webhook-signature.ts';

/** The receiver that docs/webhooks.md shows, as it stands there, with OpenSSL. */
const page = readFileSync(join(import.meta.dirname, '../../docs/webhooks.md'), 'utf8');
const script = page
  .slice(page.indexOf('    #!/bin/sh'))
  .split('\n')
  .map((line) => line.slice(4))
  .join('\n');

// Without it the script refuses all.
needPrograms('openssl');

function verify(secret: string, env: Record<string, string>, body: string): number | null {
  const ran = spawnSync('sh', ['-c', script, 'verify', secret], {
    input: body,
    env: { ...process.env, ...env },
  });
  return ran.status;
}

test('takes what is signed, and nothing else', () => {
  const secret = newWebhookSecret();
  const seconds = Math.floor(Date.now() / 1000);
  const body = '{"type":"test","data":{"ü":"✓"}}\n\n';
  const sent = (at = seconds) => ({
    ID: 'msg_1',
    TIME: String(at),
    SIGNATURE: `v1,${'A'.repeat(43)}= ${signWebhook(secret, 'msg_1', at, body)}`,
  });
  expect(verify(secret, sent(), body)).toBe(0);
  expect(verify(secret, sent(), body.trimEnd())).toBe(1);
  expect(verify(newWebhookSecret(), sent(), body)).toBe(1);
  expect(verify(secret, { ...sent(), ID: 'msg_2' }, body)).toBe(1);
  expect(verify(secret, sent(seconds - 301), body)).toBe(1);
});
