import { verify } from 'node:crypto';
import { expect, test } from 'vitest';
import { manifestKey, newManifestKeyPem } from '../../server/keys/manifest-key.ts';

const key = manifestKey(newManifestKeyPem());

test('signs exactly these bytes, the same way each time', async () => {
  const body = Buffer.from('{"version":1}\n');
  const signature = await key.sign(body);
  const holds = (bytes: Buffer) =>
    verify('sha256', bytes, { key: key.publicPem, dsaEncoding: 'der' }, Buffer.from(signature, 'base64'));
  expect(holds(body)).toBe(true);
  expect(holds(Buffer.from('{"version":1}'))).toBe(false);
  expect(await key.sign(Buffer.from(body))).toBe(signature);
  expect(await key.sign(Buffer.from('other'))).not.toBe(signature);
  expect(signature).toMatch(/^[A-Za-z0-9+/]+=*$/);
});

test('the public half is public, the key is the same from its file', () => {
  const pem = newManifestKeyPem();
  expect(manifestKey(pem).publicPem).toBe(manifestKey(pem).publicPem);
  expect(manifestKey(pem).publicPem).toMatch(/^-----BEGIN PUBLIC KEY-----\n/);
  expect(newManifestKeyPem()).not.toBe(pem);
});
