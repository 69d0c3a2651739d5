import { execFileSync } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { checkedCertificate, newAuthority } from '../../server/keys/certificates.ts';
import { openTlsFolder } from '../../server/keys/tls-folder.ts';

let data: string;
beforeEach(() => {
  data = mkdtempSync(join(tmpdir(), 'warmboot-tls-'));
});
afterEach(() => rmSync(data, { recursive: true }));

const NAMES = ['boot.example.com', '10.0.0.1', 'fd00::1', 'localhost'];
const NOW = Date.parse('2026-11-25T12:00:00Z');
const DAY_MS = 86_400_000;
const openssl = (...args: string[]) => execFileSync('openssl', args, { encoding: 'utf8' });
const folder = () => openTlsFolder(data, 'Warmboot host.example');

test('OpenSSL takes the certificate for each of its names, and for no other', async () => {
  const tls = await folder();
  const leaf = join(data, 'leaf.pem');
  writeFileSync(leaf, (await tls.certificate('agent', NAMES, true, NOW)).certPem);
  const verify = (...args: string[]) =>
    openssl('verify', '-x509_strict', '-purpose', 'sslserver', '-CAfile', tls.caFile, ...args, leaf);
  expect(verify('-verify_hostname', 'boot.example.com')).toMatch(/: OK/);
  expect(verify('-verify_ip', '10.0.0.1')).toMatch(/: OK/);
  expect(verify('-verify_ip', 'fd00::1')).toMatch(/: OK/);
  expect(() => verify('-verify_ip', '10.0.0.2')).toThrow(/IP address mismatch/);
  expect(() => verify('-verify_hostname', 'example.com')).toThrow(/hostname mismatch/i);
  expect(openssl('x509', '-in', leaf, '-noout', '-text')).toMatch(/NIST CURVE: P-256/);
});

test.each([
  ['1970-01-01T00:00:10Z', 'agent', true],
  ['2099-01-01T00:00:00Z', 'agent', true],
  ['1970-01-01T00:00:10Z', 'admin', false],
  ['2099-01-01T00:00:00Z', 'admin', false],
])('at %s the certificate "%s" is valid: %s', async (time, name, isValid) => {
  const tls = await folder();
  const leaf = join(data, 'leaf.pem');
  writeFileSync(leaf, (await tls.certificate(name, NAMES, name === 'agent', NOW)).certPem);
  const verify = () =>
    openssl('verify', '-attime', String(Date.parse(time) / 1000), '-CAfile', tls.caFile, leaf);
  if (isValid) expect(verify()).toMatch(/: OK/);
  else expect(verify).toThrow(/not yet valid|expired/);
});

test('a certificate stays until it is about to end or a name is new; the authority stays for ever', async () => {
  const tls = await folder();
  const first = await tls.certificate('admin', NAMES, false, NOW);
  expect(await (await folder()).certificate('admin', NAMES, false, NOW + 300 * DAY_MS)).toEqual(first);
  const renewed = await tls.certificate('admin', NAMES, false, NOW + 370 * DAY_MS);
  expect(renewed.certPem).not.toBe(first.certPem);
  const wider = await tls.certificate('admin', [...NAMES, '10.0.0.9'], false, NOW + 370 * DAY_MS);
  expect(new X509Certificate(wider.certPem).checkIP('10.0.0.9')).toBe('10.0.0.9');
  expect((await folder()).caPem).toBe(tls.caPem);
});

test('an authority that is another makes certificates anew; keys are for their owner alone', async () => {
  const first = await (await folder()).certificate('agent', NAMES, true, NOW);
  const authority = join(data, 'keys/tls/authority.pem');
  expect(statSync(authority).mode & 0o777).toBe(0o600);
  expect(statSync(join(data, 'keys/tls/agent.pem')).mode & 0o777).toBe(0o600);
  const other = await newAuthority('another');
  writeFileSync(authority, other.keyPem + other.certPem);
  const tls = await folder();
  expect(tls.caPem).toBe(other.certPem);
  expect(readFileSync(tls.caFile, 'utf8')).toBe(other.certPem);
  expect((await tls.certificate('agent', NAMES, true, NOW)).certPem).not.toBe(first.certPem);
});

test('a damaged authority is not replaced: machines hold the old one', async () => {
  await folder();
  writeFileSync(join(data, 'keys/tls/authority.pem'), 'rest of a crash');
  await expect(folder()).rejects.toThrow(/holds no key and certificate/);
});

test('a key of another certificate is refused, and a certificate that has ended', async () => {
  const [one, other] = [await newAuthority('one'), await newAuthority('other')];
  expect(() => checkedCertificate({ ...one, keyPem: other.keyPem }, NOW)).toThrow(/does not belong/);
  const tls = await folder();
  const short = await tls.certificate('admin', NAMES, false, NOW);
  expect(() => checkedCertificate(short, NOW + 400 * DAY_MS)).toThrow(/has ended/);
  expect(checkedCertificate(short, NOW)).toBe(short);
});
