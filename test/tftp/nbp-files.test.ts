import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { TftpFiles } from '../../server/tftp/files.ts';
import { nbpFolder } from '../../server/tftp/nbp-files.ts';

let root: string;
let packaged: string;
let own: string;
const from = { address: '192.0.2.1', port: 2000, options: [] };

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'warmboot-nbp-'));
  packaged = join(root, 'packaged');
  own = join(root, 'own');
  await mkdir(packaged);
  await mkdir(join(own, 'snponly.efi'), { recursive: true });
  await writeFile(join(root, 'secret'), 'secret');
  await writeFile(join(packaged, 'ipxe-amd64.efi'), 'efi');
  await symlink('ipxe-amd64.efi', join(packaged, 'ipxe.efi'));
  await writeFile(join(packaged, 'undionly.kpxe'), 'bios');
  await writeFile(join(packaged, 'other.efi'), 'not allowed');
  await symlink(join(root, 'secret'), join(own, 'ipxe.pxe'));
  await symlink(join(packaged, 'undionly.kpxe'), join(own, 'ipxe.lkrn'));
  await writeFile(join(own, 'undionly.kpxe'), 'own bios');
});
afterAll(() => rm(root, { recursive: true }));

async function content(files: TftpFiles, name: string): Promise<string | object | null> {
  const answer = await files(name, from);
  if (answer === null || 'refused' in answer) return answer;
  return (await answer.read(0, answer.bytes)).toString();
}

test('the first folder that has it wins; links stay inside the folders', async () => {
  const nbp = nbpFolder([own, join(root, 'absent'), packaged]);
  expect(await content(nbp.files, 'undionly.kpxe')).toBe('own bios');
  expect(await content(nbp.files, 'ipxe.efi')).toBe('efi');
  expect(await content(nbp.files, 'ipxe.lkrn')).toBe('bios');
  expect(await nbp.find('ipxe.pxe')).toBeNull(); // a link to elsewhere
  expect(await nbp.find('snponly.efi')).toBeNull(); // a folder
  expect(await nbp.find('other.efi')).toBeNull(); // there, but not on the list
  expect(await nbp.missing()).toEqual(['ipxe-arm64.efi']);
});

test('not served and not installed are two things', async () => {
  const nbp = nbpFolder([packaged]);
  expect(await content(nbp.files, 'pxelinux.0')).toEqual({
    refused: 'pxelinux.0 is not served here',
    code: 1,
  });
  expect(await content(nbp.files, 'snponly.efi')).toEqual({
    refused: 'snponly.efi is not installed on the server',
    code: 1,
  });
});

test('a changed file is read again, an unchanged one is shared', async () => {
  const folder = await mkdtemp(join(root, 'changing-'));
  const nbp = nbpFolder([folder]);
  await writeFile(join(folder, 'ipxe.pxe'), 'first');
  expect(await content(nbp.files, 'ipxe.pxe')).toBe('first');
  await writeFile(join(folder, 'ipxe.pxe'), 'second');
  expect(await content(nbp.files, 'ipxe.pxe')).toBe('second');
});

test.each(['../secret', '/ipxe.efi', '..\\secret', 'ipxe\0.efi', '', 'toString'])(
  '%j is no file',
  async (name) => {
    const nbp = nbpFolder([packaged]);
    expect(await nbp.find(name)).toBeNull();
    expect(await content(nbp.files, name)).toMatchObject({ code: 1 });
  },
);
