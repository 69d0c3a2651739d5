import { expect, test } from 'vitest';
import { adminServer, problem } from './admin-server.ts';
import { host, MAC } from './records.ts';
import { run } from './run.ts';

const enrolled = host({
  next: {
    action: 'install',
    reason: 'debian-13:latest is to be installed',
    until: 'something changes',
    hint: null,
    slot: 'a',
  },
});

test('every option is sent', async () => {
  const server = await adminServer({ 'POST /api/v1/hosts': () => enrolled });
  const args = ['enrol', MAC, '52:54:00:00:00:aa', '--image', 'debian-13', '--layout', 'two-slots'];
  args.push('--disk', 'serial=S4XF01', '--label', 'rack=b7', '--label', 'note=a=b', '--label', 'bare=');
  args.push('--wipe', '--append', 'mitigations=off nosmt', '--server', server.url);
  const { code, stdout } = await run(args);
  expect(server.asked[0]?.body).toEqual({
    macs: [MAC, '52:54:00:00:00:aa'],
    image: 'debian-13',
    layout: 'two-slots',
    disk: 'serial=S4XF01',
    labels: { rack: 'b7', note: 'a=b', bare: '' },
    wipe: true,
    append: 'mitigations=off nosmt',
  });
  expect([code, stdout]).toEqual([
    0,
    `${MAC} is enrolled for debian-13:latest: debian-13:latest is to be installed\n`,
  ]);
});

test('what was not given is not sent; --json is the host', async () => {
  const server = await adminServer({ 'POST /api/v1/hosts': () => enrolled });
  const { stdout } = await run(['enrol', MAC, '--json', '--server', server.url]);
  expect(server.asked[0]?.body).toEqual({ macs: [MAC] });
  expect(JSON.parse(stdout)).toEqual(enrolled);
});

test('a MAC that is taken: the sentence of the server', async () => {
  const detail = `${MAC} is enrolled already. Change that host, or remove it first.`;
  const server = await adminServer({
    'POST /api/v1/hosts': (_asked, response) => problem(response, 409, detail),
  });
  const { code, stderr } = await run(['enrol', MAC, '--server', server.url]);
  expect([code, stderr]).toEqual([1, `warmboot: ${detail}\n`]);
});

test('remove', async () => {
  const path = `/api/v1/hosts/${encodeURIComponent(MAC)}`;
  const server = await adminServer({
    [`DELETE ${path}`]: (_asked, response) => {
      response.writeHead(204).end();
    },
  });
  const { code, stdout } = await run(['remove', MAC, '--server', server.url]);
  expect([code, stdout]).toEqual([0, `${MAC} is forgotten; its disk stays as it is.\n`]);
  const again = await run(['remove', '52:54:00:00:00:09', '--server', server.url]);
  expect([again.code, again.stdout]).toEqual([1, '']);
});
