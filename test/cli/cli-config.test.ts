import { expect, test } from 'vitest';
import { adminServer } from './admin-server.ts';
import { run } from './run.ts';

const routes = { 'GET /api/v1/images': () => ({ images: [] }) };
const CONFIG = '/home/me/.config/warmboot/config.json';
const env = { HOME: '/home/me' };

async function twoServers() {
  const [lab, hall] = [await adminServer(routes), await adminServer(routes)];
  const files = {
    [CONFIG]: JSON.stringify({
      server: 'hall',
      servers: {
        lab: { server: lab.url, token: 'of-lab' },
        hall: { server: hall.url, token: 'of-hall' },
        open: { server: lab.url },
      },
    }),
    'data/admin.token': 'of-data',
  };
  const sent = () => [lab, hall].map(({ asked }) => asked.map(({ headers }) => headers.authorization));
  return { lab, hall, files, sent };
}

test('servers by name: as a rule, by variable, by flag; each gets its own token', async () => {
  const { files, sent } = await twoServers();
  await run(['images'], { files, env });
  await run(['images'], { files, env: { ...env, WARMBOOT_SERVER: 'lab' } });
  await run(['images', '--server', 'lab'], { files, env: { ...env, WARMBOOT_SERVER: 'hall' } });
  expect(sent()).toEqual([['Bearer of-lab', 'Bearer of-lab'], ['Bearer of-hall']]);
});

test('the token of a server that a flag names goes before the one of the environment; --token before both', async () => {
  const { files, sent } = await twoServers();
  const given = { files, env: { ...env, WARMBOOT_TOKEN: 'of-env' } };
  await run(['images', '--server', 'lab'], given);
  await run(['images', '--server', 'open'], given);
  await run(['images', '--server', 'lab', '--token', 'of-flag'], given);
  await run(['images'], given);
  expect(sent()).toEqual([['Bearer of-lab', 'Bearer of-env', 'Bearer of-flag'], ['Bearer of-env']]);
});

test('a name that is not there, and an entry that is none', async () => {
  const { files } = await twoServers();
  const unknown = await run(['images', '--server', 'attic'], { files, env });
  expect([unknown.code, unknown.stderr]).toEqual([
    2,
    'warmboot: --server is "attic", which is no address. Write it as http://HOST:PORT, or a name in your config file.\n',
  ]);
  for (const servers of [[], { lab: 'http://x' }, { lab: { server: 7 } }]) {
    const bad = { [CONFIG]: JSON.stringify({ server: 'lab', servers }) };
    const { code, stderr } = await run(['images', '--server', 'lab'], { files: bad, env });
    expect([code, stderr], JSON.stringify(servers)).toEqual([
      1,
      expect.stringContaining(`${CONFIG} is not understood.`),
    ]);
  }
});

test('an entry without a server says what is missing', async () => {
  const files = { [CONFIG]: JSON.stringify({ servers: { lab: { token: 't' } } }) };
  const { code, stderr } = await run(['images', '--server', 'lab'], { files, env });
  expect([code, stderr]).toEqual([2, expect.stringContaining(`"server" in ${CONFIG} is ""`)]);
});
