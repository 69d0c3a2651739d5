import { expect, test } from 'vitest';
import { adminServer } from './admin-server.ts';
import { image, TWO } from './records.ts';
import { run } from './run.ts';

const images = [
  image({ tags: ['debian-13:latest', 'debian-13:v2'] }),
  image({ digest: TWO, tags: [], kind: 'installer', os: '', filesystemBytes: null, dataBytes: 0 }),
];

test('a table for people; a pipe gets the whole digest', async () => {
  const server = await adminServer({ 'GET /api/v1/images': () => ({ images }) });
  const { code, stdout, stderr } = await run(['images', '--server', server.url]);
  expect(stdout).toMatchInlineSnapshot(`
    "IMAGE                           KIND       OS                            KERNEL                  SLOT  TRANSFER  BUILT    DIGEST
    debian-13:latest, debian-13:v2  os         Debian GNU/Linux 13 (trixie)  6.12.48+deb13-amd64  2.0 GiB   165 MiB  3 h ago  sha256:1111111111111111111111111111111111111111111111111111111111111111
    -                               installer  -                             6.12.48+deb13-amd64        -       0 B  3 h ago  sha256:2222222222222222222222222222222222222222222222222222222222222222
    "
  `);
  expect([code, stderr]).toEqual([0, '']);
});

test('a terminal of 110 columns', async () => {
  const server = await adminServer({ 'GET /api/v1/images': () => ({ images }) });
  const { stdout } = await run(['images', '--server', server.url], { columns: 110 });
  expect(stdout).toMatchInlineSnapshot(`
    "IMAGE                          KIND       OS        KERNEL       SLOT  TRANSFER  BUILT    DIGEST
    debian-13:latest, debian-13:…  os         Debian …  6.12.48…  2.0 GiB   165 MiB  3 h ago  sha256:111111111111…
    -                              installer  -         6.12.48…        -       0 B  3 h ago  sha256:222222222222…
    "
  `);
});

test('--json is what the API said', async () => {
  const server = await adminServer({ 'GET /api/v1/images': () => ({ images }) });
  const { stdout } = await run(['images', '--json', '--server', server.url]);
  expect(JSON.parse(stdout)).toEqual({ images });
});

test('none: how to get one, and JSON stays JSON', async () => {
  const server = await adminServer({ 'GET /api/v1/images': () => ({ images: [] }) });
  expect(await run(['images', '--server', server.url])).toEqual({
    code: 0,
    stdout: '',
    stderr: 'There are no images. Build one: warmboot build NAME\n',
  });
  expect(JSON.parse((await run(['images', '--json', '--server', server.url])).stdout)).toEqual({
    images: [],
  });
});
