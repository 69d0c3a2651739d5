import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { tarHeader, tarPadding } from '../../server/contract/image-archive.ts';
import { runningServer, type TestServer } from '../fixtures/running-server.ts';
import { adminServer } from './admin-server.ts';
import { type Ran, run } from './run.ts';

let source: TestServer;
let target: TestServer;
let folder: string;
beforeAll(async () => {
  [source, target] = await Promise.all([runningServer(), runningServer()]);
  folder = mkdtempSync(join(tmpdir(), 'warmboot-cli-image-'));
});
afterAll(async () => {
  rmSync(folder, { recursive: true, force: true });
  await Promise.all([source.close(), target.close()]);
});

const on = (server: TestServer, ...argv: string[]): Promise<Ran> =>
  run([...argv, '--server', server.running.adminUrl, '--token', server.token]);
/** On a terminal. */
const at = (server: TestServer, ...argv: string[]): Promise<Ran> =>
  run([...argv, '--server', server.running.adminUrl, '--token', server.token], { columns: 100 });
const file = (name: string) => join(folder, name);

/** The target has no image `one`. */
beforeEach(async () => {
  const images = (await target.admin('/api/v1/images')).json.images as { digest: string; tags: string[] }[];
  for (const { digest, tags } of images)
    if (tags.some((tag) => /^(one|other)/.test(tag)))
      await target.admin(`/api/v1/images/${digest}`, { method: 'DELETE' });
});

test('export and import: the same image on another server, its digest on stdout', async () => {
  const exported = await on(source, 'image', 'export', 'one', file('one.tar'));
  expect(exported).toEqual({ code: 0, stdout: '', stderr: '' });
  expect(readdirSync(folder)).toEqual(['one.tar']);
  const told = await on(source, 'image', 'export', 'one', file('one.tar'), '--json');
  const { size } = statSync(file('one.tar'));
  expect(JSON.parse(told.stdout)).toEqual({ digest: source.one.digest, file: file('one.tar'), bytes: size });
  const both = await on(source, 'image', 'export', 'one', '-', '--json');
  expect([both.code, both.stdout, both.stderr]).toEqual([
    2,
    '',
    expect.stringContaining('both want standard'),
  ]);
  const imported = await on(target, 'image', 'import', file('one.tar'));
  expect(imported).toEqual({ code: 0, stdout: `${source.one.digest}\n`, stderr: '' });
  const raw = await target.boot(`/boot/images/${source.one.digest}/raw`);
  expect(raw.body.equals(source.one.files.raw ?? Buffer.alloc(0))).toBe(true);
  const again = await on(target, 'image', 'import', file('one.tar'), '--name', 'other:v2', '--json');
  expect(JSON.parse(again.stdout)).toMatchObject({
    digest: source.one.digest,
    tags: ['one:latest', 'other:v2'],
  });
  const twice = await on(source, 'image', 'export', source.one.digest, file('again.tar'));
  expect(twice.code).toBe(0);
  expect(readFileSync(file('again.tar')).equals(readFileSync(file('one.tar')))).toBe(true);
});

test('push --to: from the server to another one, with its own token', async () => {
  const to = ['--to', target.running.adminUrl];
  const refused = await on(source, 'image', 'push', 'one', ...to);
  expect(refused.code).toBe(1);
  expect(refused.stderr).toContain('--to-token or WARMBOOT_TO_TOKEN');
  const { code, stdout } = await on(source, 'image', 'push', 'one', ...to, '--to-token', target.token);
  expect([code, stdout]).toEqual([0, `${source.one.digest}\n`]);
});

test('push of what is not there: the sentence of the server', async () => {
  const to = ['--to', target.running.adminUrl, '--to-token', target.token];
  const { code, stderr } = await on(source, 'image', 'push', 'nope', ...to);
  expect([code, stderr]).toEqual([1, expect.stringMatching(/^warmboot: There is no image nope\./)]);
});

test('Ctrl-C during a push: nothing of it stays at the target', async () => {
  const stop = new AbortController();
  const argv = ['image', 'push', 'one', '--server', source.running.adminUrl, '--token', source.token];
  const { code } = await run([...argv, '--to', target.running.adminUrl, '--to-token', target.token], {
    signal: stop.signal,
    columns: 100,
    onStderr: (text) => {
      if (text.includes('send')) stop.abort();
    },
  });
  expect(code).toBe(130);
  const left = ['images', 'packs'].flatMap((name) => readdirSync(join(target.dataDir, name)));
  expect(left.filter((name) => name.includes('tmp'))).toEqual([]);
});

test.each([
  ['before anything is sent', 'POST /api/v1/uploads'],
  ['when it is stored', 'POST /api/v1/uploads/u1/commit'],
])('a digest that the target makes up is not passed on, %s', async (_when, liar) => {
  const { digest } = source.one;
  const lie = `sha256:${'0'.repeat(64)}`;
  const said = (path: string) => (path === liar ? lie : digest);
  const image = (await source.admin('/api/v1/images/one')).json;
  const upload = { id: 'u1', status: 'open', missing: [], missingChunks: 0, missingBytes: 0, files: [] };
  const fake = await adminServer({
    'POST /api/v1/uploads': () => ({ ...upload, digest: said('POST /api/v1/uploads') }),
    'POST /api/v1/uploads/u1/commit': () => ({ ...image, digest: said('POST /api/v1/uploads/u1/commit') }),
    'DELETE /api/v1/uploads/u1': (_, response) => void response.writeHead(204).end(),
  });
  const { code, stdout, stderr } = await on(
    source,
    'image',
    'push',
    'one',
    '--to',
    fake.url,
    '--to-token',
    't',
  );
  expect([code, stdout]).toEqual([1, '']);
  expect(stderr).toContain(`the server calls the image ${lie}, but its index has the digest ${digest}`);
});

test('push --server: from the data folder to the server named; its token is not given away', async () => {
  const note = readFileSync(join(source.dataDir, 'server.json'), 'utf8');
  const world = { files: { 'data/server.json': note, 'data/admin.token': `${source.token}\n` } };
  const argv = ['image', 'push', 'one', '--server', target.running.adminUrl];
  const refused = await run(argv, world);
  expect([refused.code, refused.stdout]).toEqual([1, '']);
  expect(refused.stderr).toContain('No token was given: give --token');
  const { code, stdout, stderr } = await run([...argv, '--token', target.token], world);
  expect([code, stdout, stderr]).toEqual([0, `${source.one.digest}\n`, '']);
  const nowhere = await run(['image', 'push', 'one'], world);
  expect([nowhere.code, nowhere.stderr]).toEqual([2, expect.stringContaining('say where the image goes')]);
});

test('on a terminal each says how far it is, and at its end what it has done', async () => {
  const exported = await at(source, 'image', 'export', 'one', file('one.tar'));
  expect(exported.stderr).toMatch(/^\rexport .*100%/s);
  expect(exported.stderr).toContain(`one is in ${file('one.tar')}.`);
  const imported = await at(target, 'image', 'import', file('one.tar'));
  expect(imported.stderr).toMatch(/\rsend .*100%/s);
  expect(imported.stderr).toContain('3 of 3 chunks were sent');
  const pushed = await at(
    source,
    'image',
    'push',
    'one',
    '--to',
    target.running.adminUrl,
    '--to-token',
    target.token,
  );
  expect(pushed.stderr).toContain('0 of 3 chunks were sent');
  const verified = await at(target, 'image', 'verify');
  expect(verified.stderr).toContain('all is as it was stored');
});

test('rm, as `image` and as `images`; what is in use and what is not there', async () => {
  await on(source, 'image', 'push', 'one', '--to', target.running.adminUrl, '--to-token', target.token);
  const removed = await on(target, 'images', 'rm', 'one');
  expect([removed.code, removed.stderr]).toEqual([0, '']);
  expect(removed.stdout).toMatch(/^one is removed\. \d+ KiB are free again\.\n$/);
  const none = await on(target, 'image', 'rm', 'one');
  expect([none.code, none.stderr]).toEqual([
    1,
    'warmboot: There is no image one. Build it, or see which there are with warmboot images.\n',
  ]);
  await target.admin('/api/v1/hosts', { body: { macs: ['52:54:00:00:99:01'], image: 'two' } });
  const used = await on(target, 'image', 'rm', 'two', '--json');
  expect([used.code, used.stderr]).toEqual([
    1,
    expect.stringContaining('52:54:00:00:99:01 is assigned to it'),
  ]);
});

test('verify: 0 when all is whole, 1 with the damage named', async () => {
  expect(await on(target, 'images', 'verify')).toEqual({ code: 0, stdout: '', stderr: '' });
  await on(source, 'image', 'push', 'one', '--to', target.running.adminUrl, '--to-token', target.token);
  const kernel = join(target.dataDir, 'images', source.one.digest.slice(7), 'kernel');
  writeFileSync(kernel, 'damaged');
  const { code, stdout } = await on(target, 'image', 'verify', '--json');
  expect(code).toBe(1);
  expect(JSON.parse(stdout)).toMatchObject({ affected: [source.one.digest] });
  expect((await on(target, 'images')).stdout).toContain('one:latest (damaged)');
  await on(source, 'image', 'push', 'one', '--to', target.running.adminUrl, '--to-token', target.token);
  expect((await on(target, 'image', 'verify')).code).toBe(0);
});

test('a file that cannot be written or read is said in a sentence', async () => {
  const written = await on(source, 'image', 'export', 'one', join(folder, 'none/x.tar'));
  expect([written.code, written.stderr]).toEqual([1, expect.stringContaining('none does not exist')]);
  const device = await on(source, 'image', 'export', 'one', '/dev/null');
  expect([device.code, device.stderr]).toEqual([1, expect.stringContaining('/dev/null is a device')]);
  expect(statSync('/dev/null').isCharacterDevice()).toBe(true);
  expect((await on(source, 'image', 'export', 'none', file('none.tar'))).code).toBe(1);
  expect(readdirSync(folder).filter((name) => /none|part/.test(name))).toEqual([]);
  const read = await on(target, 'image', 'import', file('missing.tar'));
  expect([read.code, read.stderr]).toEqual([1, expect.stringContaining('cannot be read: ENOENT')]);
});

test.each([
  ['a chunk', () => join(source.dataDir, 'packs', 'build-two.pack')],
  ['the kernel', () => join(source.dataDir, 'images', source.two.digest.slice(7), 'kernel')],
  ['the index', () => join(source.dataDir, 'images', source.two.digest.slice(7), 'index.json')],
])('what is stored with a wrong byte is never written as an image or a disk: %s', async (what, path) => {
  const whole = readFileSync(path());
  const wrong = Buffer.from(whole);
  wrong[40] = (wrong[40] ?? 0) ^ 1;
  writeFileSync(path(), wrong);
  try {
    const exported = ['image', 'export', 'two', file('two.tar')];
    const disks = ['', '--zst'].map((zst) =>
      ['disk', 'two-slots', '--slot', 'a=two', '-o', file('two.img'), zst].filter(Boolean),
    );
    for (const argv of what === 'the index' ? [exported] : [exported, ...disks]) {
      const { code, stderr } = await on(source, ...argv);
      expect([code, stderr], argv.join(' ')).toEqual([
        1,
        expect.stringMatching(
          /broke off in the middle of its answer .*Its log says why; `warmboot image verify`/,
        ),
      ]);
    }
    expect(readdirSync(folder).filter((name) => name.startsWith('two') || name.startsWith('.'))).toEqual([]);
  } finally {
    writeFileSync(path(), whole);
  }
});

/** A tar of these members. */
function tar(members: readonly (readonly [string, Buffer])[]): Buffer {
  const parts = members.flatMap(([name, content]) => [
    tarHeader(name, content.length),
    content,
    Buffer.alloc(tarPadding(content.length)),
  ]);
  return Buffer.concat([...parts, Buffer.alloc(1024)]);
}

const hostile: [string, (members: [string, Buffer][]) => Buffer, RegExp][] = [
  ['nothing', () => Buffer.alloc(0), /ends too early/],
  ['text', () => Buffer.alloc(2048, 'x'), /no plain file/],
  [
    'a path that escapes',
    (all) => tar(all.map(([name, x]) => [name.replace(/^kernel$/, '../../kernel'), x])),
    /holds "\.\.\/\.\.\/kernel"/,
  ],
  [
    'an absolute path',
    (all) => tar(all.map(([name, x]) => [name.replace(/^initrd$/, '/etc/passwd'), x])),
    /holds "\/etc\/passwd"/,
  ],
  ['a member more', (all) => tar([...all, ['evil', Buffer.from('x')]]), /something follows/],
  [
    'a member less',
    (all) => tar(all.filter(([name]) => name !== 'kernel')),
    /holds "initrd" where kernel belongs/,
  ],
  ['its end missing', (all) => tar(all).subarray(0, -700), /ends/],
  ['half of it missing', (all) => tar(all).subarray(0, 20_000), /ends within|ends too early/],
  [
    'a symbolic link',
    (all) => {
      const bytes = tar(all);
      bytes[156] = 0x32;
      return bytes;
    },
    /no plain file/,
  ],
  [
    'a wrong checksum',
    (all) => {
      const bytes = tar(all);
      bytes[0] = 0x78;
      return bytes;
    },
    /no plain file/,
  ],
  [
    'a size beyond everything',
    (all) => Buffer.concat([tarHeader('warmboot-image.json', 2 ** 50), tar(all)]),
    /ends within/,
  ],
  [
    'a header that is too large',
    (all) => tar(all.map(([name, x], i) => [name, i === 0 ? Buffer.alloc(70_000, ' ') : x])),
    /too large/,
  ],
  [
    'another version',
    (all) =>
      tar(
        all.map(([name, x], i) => [
          name,
          i === 0 ? Buffer.from(String(x).replace('"version":1', '"version":2')) : x,
        ]),
      ),
    /newer version/,
  ],
  [
    'frames beyond data',
    (all) =>
      tar(
        all.map(([name, x]) => [
          name,
          name === 'frames.json' ? Buffer.from(String(x).replace(/"offset":0/, '"offset":99999999')) : x,
        ]),
      ),
    /beyond data/,
  ],
  [
    'frames that are none',
    (all) => tar(all.map(([name, x]) => [name, name === 'frames.json' ? Buffer.from('{"version":1}') : x])),
    /frames.json is not understood/,
  ],
  [
    'less data than frames',
    (all) => tar(all.map(([name, x]) => [name, name === 'data' ? x.subarray(1) : x])),
    /data is not as long/,
  ],
  [
    'data with a flipped bit',
    (all) =>
      tar(
        all.map(([name, x]) => [
          name,
          name === 'data' ? Buffer.from(x.map((byte, i) => (i === 900 ? byte ^ 1 : byte))) : x,
        ]),
      ),
    /is not the image|the chunk/,
  ],
  [
    'a kernel with a flipped bit',
    (all) =>
      tar(
        all.map(([name, x]) => [
          name,
          name === 'kernel' ? Buffer.from(x.map((byte, i) => (i === 9 ? byte ^ 1 : byte))) : x,
        ]),
      ),
    /kernel .*damaged/,
  ],
  [
    'shell code in its index',
    (all) =>
      tar(
        all.map(([name, x]) => [
          name,
          name === 'index.json' ? Buffer.from(String(x).replace('console=ttyS0', '$(reboot)')) : x,
        ]),
      ),
    /append holds/,
  ],
];

test.each(hostile)('a file with %s is refused, and nothing of it stays', async (_what, make, why) => {
  const header = {
    format: 'warmboot-image',
    version: 1,
    digest: source.one.digest,
    name: 'one',
    tag: 'latest',
  };
  const members: [string, Buffer][] = [
    ['warmboot-image.json', Buffer.from(`${JSON.stringify(header)}\n`)],
    ...['index.json', 'kernel', 'initrd', 'frames.json', 'data'].map((name): [string, Buffer] => [
      name,
      source.one.files[name] ?? Buffer.alloc(0),
    ]),
  ];
  const list = () =>
    ['images', 'packs'].map((name) =>
      readdirSync(join(target.dataDir, name), { recursive: true, encoding: 'utf8' }).sort(),
    );
  const before = list();
  writeFileSync(file('hostile.tar'), make(members));
  const { code, stdout, stderr } = await on(target, 'image', 'import', file('hostile.tar'));
  expect([code, stdout]).toEqual([1, '']);
  expect(stderr).toMatch(why);
  expect(list()).toEqual(before);
});

test('a size of more than 8 GiB is written as GNU tar does', () => {
  const header = tarHeader('data', 9 * 2 ** 30);
  expect(header[124]).toBe(0x80);
  expect(Buffer.from(header).readBigUInt64BE(128)).toBe(9n * 2n ** 30n);
});
