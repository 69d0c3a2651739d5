import { afterAll, beforeAll, expect, test } from 'vitest';
import { saidInventory } from '../fixtures/inventories.ts';
import { Machine } from '../fixtures/machine.ts';
import { newMac, runningServer, type TestServer } from '../fixtures/running-server.ts';

let server: TestServer;
beforeAll(async () => {
  server = await runningServer();
});
afterAll(() => server.close());

let names = 0;
const newName = () => `profile-${++names}`;
const put = (name: string, body: object, headers: Record<string, string> = {}) =>
  server.admin(`/api/v1/profiles/${name}`, { method: 'PUT', body, headers });
const host = async (mac: string) => (await server.admin(`/api/v1/hosts/${mac}`)).json;
const patch = (mac: string, body: object) => server.admin(`/api/v1/hosts/${mac}`, { method: 'PATCH', body });
const enrol = async (facts: object = {}) => {
  const mac = newMac();
  expect((await server.admin('/api/v1/hosts', { body: { macs: [mac], ...facts } })).status).toBe(201);
  return mac;
};

test('a host takes from its profile what it does not say itself, and says where from', async () => {
  const profile = newName();
  await put(profile, { append: 'quiet', switch: 'reboot', rate: 1_000_000 });
  const mac = await enrol({ profile, append: 'console=ttyS1' });
  expect(await host(mac)).toMatchObject({
    profile,
    append: 'console=ttyS1',
    switch: 'reboot',
    rate: 1_000_000,
    layout: 'two-slots',
    from: { append: 'own', switch: 'profile', rate: 'profile', layout: 'default', disk: 'default' },
  });
  await patch(mac, { append: null });
  expect(await host(mac)).toMatchObject({ append: 'quiet', from: { append: 'profile' } });
  await patch(mac, { profile: null });
  expect(await host(mac)).toMatchObject({ profile: null, append: '', switch: 'kexec', rate: null });
});

test('kernel arguments reach the machine: in its manifest behind those of the image, and where it netboots', async () => {
  const profile = newName();
  await put(profile, { append: 'console=ttyS1,115200n8' });
  const machine = await new Machine(server).enrol({ image: 'one', profile });
  const told = async () => {
    const [manifest, text, script] = await Promise.all([
      machine.ask('manifest'),
      machine.ask('manifest', { headers: { accept: 'text/plain' } }),
      server.boot(`/boot/script?mac=${machine.mac}`),
    ]);
    expect(text.text).toContain(`\nAPPEND='${manifest.json.append}'\n`);
    return { append: manifest.json.append as string, script: script.text };
  };
  expect((await told()).append).toMatch(
    /^root=PARTUUID=\S+ rw console=ttyS0,115200n8 console=ttyS1,115200n8 panic=10 (\S+ )*warmboot\.slot=a /,
  );
  expect((await told()).script).toContain(' console=ttyS1,115200n8');
  await patch(machine.mac, { append: 'console=ttyS2 quiet' });
  const own = await told();
  expect(own.append).toContain(' console=ttyS0,115200n8 console=ttyS2 quiet panic=10 ');
  expect(own.append).not.toContain('ttyS1');
  expect(own.script).toContain(' console=ttyS2 quiet');
  await patch(machine.mac, { append: null });
  expect((await told()).append).toContain('console=ttyS1,115200n8');
  const tooLong = 'x'.repeat(513);
  expect((await patch(machine.mac, { append: tooLong })).status).toBe(400);
  expect((await put(profile, { append: tooLong })).status).toBe(400);
});

test('a change of the profile changes all its hosts, and raises the serial only where the manifest changes', async () => {
  const profile = newName();
  await put(profile, { append: 'quiet' });
  const [takes, own, other] = [
    await enrol({ profile }),
    await enrol({ profile, append: 'own' }),
    await enrol(),
  ];
  const before = await Promise.all([takes, own, other].map(host));
  await put(profile, { append: 'loud' });
  const after = await Promise.all([takes, own, other].map(host));
  expect(after.map(({ append }) => append)).toEqual(['loud', 'own', '']);
  expect(after.map(({ serial }, at) => serial > before[at].serial)).toEqual([true, false, false]);
  expect(after.map(({ revision }, at) => revision > before[at].revision)).toEqual([true, false, false]);
});

test('a waiting manifest is told of it at once', async () => {
  const profile = newName();
  await put(profile, {});
  const mac = await enrol({ profile });
  const path = `/boot/hosts/${mac}/manifest`;
  const etag = (await server.boot(path)).headers.etag ?? '';
  const waiting = server.boot(`${path}?wait=50`, { headers: { 'if-none-match': etag } });
  await put(profile, { switch: 'reboot' });
  expect((await waiting).json).toMatchObject({ switch: 'reboot' });
});

test('two operators race on one profile: one wins', async () => {
  const name = newName();
  expect((await put(name, {}, { 'if-none-match': '*' })).status).toBe(200);
  expect((await put(name, {}, { 'if-none-match': '*' })).status).toBe(412);
  const etag = (await server.admin(`/api/v1/profiles/${name}`)).headers.etag ?? '';
  const answers = await Promise.all(
    ['a', 'b', 'c'].map((append) => put(name, { append }, { 'if-match': etag })),
  );
  expect(answers.map(({ status }) => status).sort()).toEqual([200, 412, 412]);
  expect((await put('nobody-made-it', {}, { 'if-match': '"1"' })).status).toBe(412);
});

test('one that is in use stays; another goes', async () => {
  const profile = newName();
  await put(profile, {});
  const mac = await enrol({ profile });
  const path = `/api/v1/profiles/${profile}`;
  const refused = await server.admin(path, { method: 'DELETE' });
  expect([refused.status, refused.json.detail]).toEqual([409, expect.stringContaining('1 hosts have')]);
  await server.admin(`/api/v1/hosts/${mac}`, { method: 'DELETE' });
  expect((await server.admin(path, { method: 'DELETE' })).status).toBe(204);
  expect((await server.admin(path)).status).toBe(404);
});

test('are listed by name, and survive a restart with their hosts', async () => {
  const profile = newName();
  await put(profile, { trialSeconds: 900, disk: 'first-empty' });
  const mac = await enrol({ profile });
  await server.restart();
  const { profiles } = (await server.admin('/api/v1/profiles')).json;
  expect(profiles.map(({ name }: { name: string }) => name)).toEqual(
    profiles.map(({ name }: { name: string }) => name).sort(),
  );
  expect(profiles.find(({ name }: { name: string }) => name === profile)).toMatchObject({
    trialSeconds: 900,
  });
  expect(await host(mac)).toMatchObject({ disk: 'first-empty', from: { disk: 'profile' } });
  const { hosts } = (await server.admin(`/api/v1/hosts?profile=${profile}`)).json;
  expect(hosts.map((one: { mac: string }) => one.mac)).toEqual([mac]);
});

test('approving takes one too', async () => {
  const [profile, mac] = [newName(), newMac()];
  await put(profile, { switch: 'reboot' });
  await server.boot(`/boot/hosts/${mac}/inventory`, {
    body: saidInventory({ nics: [] }),
  });
  const { json } = await server.admin(`/api/v1/hosts/${mac}/approve`, { body: { profile } });
  expect(json).toMatchObject({ profile, switch: 'reboot' });
});

test.each([
  ['Web', {}, 400],
  ['web', { append: 'a;b' }, 422],
  ['web', { layout: 'nope' }, 422],
  ['web', { rate: 1 }, 400],
  ['web', { labels: {} }, 400],
])('refused: %s %j', async (name, body, status) => {
  expect((await put(name, body)).status).toBe(status);
});

test('a host with a profile that does not exist is 422', async () => {
  const answer = await server.admin('/api/v1/hosts', { body: { macs: [newMac()], profile: 'nope' } });
  expect([answer.status, answer.json.detail]).toEqual([422, expect.stringContaining('no profile nope')]);
});

test('If-None-Match of a PUT with tags is refused: it is no condition that is looked at', async () => {
  const profile = newName();
  expect((await put(profile, {}, { 'if-none-match': '*' })).status).toBe(200);
  for (const tag of ['"1"', 'W/"1"', '1', ''])
    expect([tag, (await put(profile, { append: 'quiet' }, { 'if-none-match': tag })).status]).toEqual([
      tag,
      400,
    ]);
  expect((await server.admin(`/api/v1/profiles/${profile}`)).json.append).toBe(null);
});
