import { expect, test } from 'vitest';
import { type AdminServer, adminServer, problem } from './admin-server.ts';
import { run } from './run.ts';

const CONFIG = '/home/me/.config/warmboot/config.json';
const env = { HOME: '/home/me' };
const routes = { 'GET /api/v1/images': () => ({ images: [] }) };
const sent = (server: AdminServer): string | undefined => server.asked.at(-1)?.headers.authorization;

test('flag before environment before config file before the file of the server', async () => {
  const server = await adminServer(routes);
  const args = ['images', '--server', server.url];
  const files = { [CONFIG]: '{"token": "of-config"}', 'data/admin.token': 'of-data\n' };
  await run([...args, '--token', 'of-flag'], { files, env: { ...env, WARMBOOT_TOKEN: 'of-env' } });
  expect(sent(server)).toBe('Bearer of-flag');
  await run(args, { files, env: { ...env, WARMBOOT_TOKEN: 'of-env' } });
  expect(sent(server)).toBe('Bearer of-env');
  await run(args, { files, env });
  expect(sent(server)).toBe('Bearer of-config');
  await run(args, { files: { 'data/admin.token': 'of-data\n' }, env });
  expect(sent(server)).toBe('Bearer of-data');
});

test('the token of a config file that names a server goes to no other', async () => {
  const mine = await adminServer(routes);
  const other = await adminServer(routes);
  const files = {
    [CONFIG]: JSON.stringify({ server: mine.url, token: 'of-config' }),
    'data/admin.token': 'of-data',
  };
  await run(['images'], { files, env });
  expect(sent(mine)).toBe('Bearer of-config');
  await run(['images', '--server', other.url], { files, env });
  expect(sent(other)).toBe('Bearer of-data');
});

test('without any token the refusal says where one was looked for', async () => {
  const server = await adminServer({
    'GET /api/v1/images': (_asked, response) => problem(response, 401, 'The admin plane needs a token.'),
  });
  const args = ['images', '--server', server.url];
  const none = await run(args, { files: {} });
  expect(sent(server)).toBeUndefined();
  expect([none.code, none.stderr]).toEqual([
    1,
    'warmboot: The admin plane needs a token. No token was given, and there is no data/admin.token: give --token or WARMBOOT_TOKEN.\n',
  ]);
  const denied = await run(args, { denied: ['data/admin.token'] });
  expect(denied.stderr).toContain('data/admin.token may not be read by this user');
  const wrong = await run([...args, '--token', 'wrong']);
  expect(wrong.stderr).toBe('warmboot: The admin plane needs a token. (The token came from --token.)\n');
});

test('a token with characters that no header takes is refused before it is sent', async () => {
  const server = await adminServer(routes);
  const { code, stderr } = await run(['images', '--server', server.url, '--token', 'a\nb']);
  expect([code, stderr]).toEqual([
    2,
    'warmboot: the token from --token is empty or holds characters that no token has.\n',
  ]);
  expect(server.asked).toEqual([]);
});
