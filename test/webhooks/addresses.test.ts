import { expect, test } from 'vitest';
import { isRefused } from '../../server/webhooks/addresses.ts';
import { poster } from '../../server/webhooks/post.ts';

test.each([
  '169.254.169.254',
  '169.254.0.1',
  '0.0.0.0',
  '100.100.100.200',
  '224.0.0.1',
  '255.255.255.255',
  '::',
  'fe80::1',
  'fe80::1%eth0',
  'fd00:ec2::254',
  'ff02::1',
  '::ffff:169.254.169.254',
  '::ffff:a9fe:a9fe',
  '64:ff9b::a9fe:a9fe',
  'no address',
])('%s is refused', (address) => expect(isRefused(address)).toBe(true));

test.each([
  '127.0.0.1',
  '10.0.0.1',
  '192.168.1.1',
  '1.1.1.1',
  '::1',
  '2001:db8::1',
  'fd00::1',
  '::ffff:10.0.0.1',
])('%s may be asked', (address) => expect(isRefused(address)).toBe(false));

const never = new AbortController().signal;

test.each([
  'http://169.254.169.254/latest/meta-data/',
  'http://[fe80::1]/',
  'http://[::ffff:169.254.169.254]/',
  // The URL parser knows more ways to write an address than people do.
  'http://2852039166/',
  'http://0xa9.0xfe.0xa9.0xfe/',
  'http://0/',
])('%s is not asked', async (url) => {
  const { post, close } = poster(false, 2_000);
  expect(await post(url, {}, '{}', never)).toEqual({
    error: expect.stringContaining('which no webhook may ask'),
  });
  close();
});

test('it may be allowed', async () => {
  const { post, close } = poster(true, 500);
  const sent = await post('http://169.254.1.2:9/', {}, '{}', never);
  expect(JSON.stringify(sent)).not.toContain('which no webhook may ask');
  close();
});
