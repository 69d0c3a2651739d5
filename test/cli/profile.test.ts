import { expect, test } from 'vitest';
import { adminServer } from './admin-server.ts';
import { host, MAC } from './records.ts';
import { NOW, run } from './run.ts';

const r640 = {
  name: 'r640',
  layout: null,
  disk: null,
  append: 'console=ttyS1',
  switch: 'reboot',
  trialSeconds: 900,
  rate: 50 * 1024 ** 2,
  revision: 7,
  createdAt: NOW,
};

test('list and show', async () => {
  const server = await adminServer({
    'GET /api/v1/profiles': () => ({ profiles: [r640] }),
    'GET /api/v1/profiles/r640': () => r640,
  });
  const list = await run(['--server', server.url, 'profile', 'list']);
  expect(list.stdout).toMatch(/^PROFILE .*\nr640 +- +- +reboot +15 min +50 MiB\/s +- +console=ttyS1\n$/);
  const shown = await run(['--server', server.url, '--json', 'profile', 'show', 'r640']);
  expect(JSON.parse(shown.stdout)).toEqual(r640);
});

test('set says all of it, rm forgets it', async () => {
  const server = await adminServer({
    'PUT /api/v1/profiles/r640': () => r640,
    'DELETE /api/v1/profiles/r640': (_, response) => void response.writeHead(204).end(),
  });
  const args = ['--server', server.url, 'profile'];
  await run([
    ...args,
    'set',
    'r640',
    '--switch',
    'reboot',
    '--trial',
    '900',
    '--rate',
    '50MiB',
    '--append',
    '',
  ]);
  expect(server.asked[0]?.body).toEqual({
    switch: 'reboot',
    trialSeconds: 900,
    rate: 50 * 1024 ** 2,
    append: '',
  });
  expect((await run([...args, 'rm', 'r640'])).stdout).toBe('r640 is forgotten.\n');
});

test('settings of a host: given, given back, and the profile', async () => {
  const server = await adminServer({ [`PATCH /api/v1/hosts/${encodeURIComponent(MAC)}`]: () => host() });
  const args = ['--server', server.url, 'set', MAC];
  await run([...args, '--profile', 'r640', '--append', 'default', '--trial', 'default', '--rate', '20MiB']);
  expect(server.asked[0]?.body).toEqual({
    profile: 'r640',
    append: null,
    trialSeconds: null,
    rate: 20 * 1024 ** 2,
  });
  await run([...args, '--profile', 'none']);
  expect(server.asked[1]?.body).toEqual({ profile: null });
  const { code, stderr } = await run(args);
  expect([code, stderr]).toEqual([2, expect.stringContaining('Nothing is to be changed')]);
});
