import { afterAll, expect, test } from 'vitest';
import { bzImageRelease, compareVersions, findKernel } from '../../../server/build/accept/kernel.ts';
import { layerFolder } from '../tree/tree-maker.ts';

const { stack, remove } = layerFolder();
afterAll(remove);

/** The first bytes of an x86 kernel, as far as boot.rst describes them. */
function bzImage(release: string): string {
  const image = Buffer.alloc(0x400);
  image.write('HdrS', 0x202, 'latin1');
  image.writeUInt16LE(0x100, 0x20e);
  image.write(`${release} (builder@example) #1 SMP\0`, 0x300, 'latin1');
  return image.toString('latin1');
}

test('the newest kernel that has an initrd', () => {
  const tree = stack([
    'boot/vmlinuz-6.1.0-9-amd64',
    'boot/initrd.img-6.1.0-9-amd64',
    'boot/vmlinuz-6.1.0-10-amd64',
    'boot/initrd.img-6.1.0-10-amd64',
    'boot/vmlinuz-6.12.1-amd64',
  ]);
  expect(findKernel(tree)).toMatchObject({
    release: '6.1.0-10-amd64',
    kernel: { path: 'boot/vmlinuz-6.1.0-10-amd64' },
    initrd: { path: 'boot/initrd.img-6.1.0-10-amd64' },
  });
});

test('without any initrd the newest, so that the check can name it', () => {
  expect(findKernel(stack(['boot/vmlinuz-5', 'boot/vmlinuz-10']))).toMatchObject({
    release: '10',
    initrd: null,
  });
});

test('dracut’s names', () => {
  expect(findKernel(stack(['boot/vmlinuz-5.14.0', 'boot/initramfs-5.14.0.img']))?.initrd?.path).toBe(
    'boot/initramfs-5.14.0.img',
  );
});

test('the release stands in the kernel, whatever its file is called', () => {
  const tree = stack([{ path: 'boot/vmlinuz', content: bzImage('6.12.48+deb13-amd64') }, 'boot/initrd.img']);
  expect(findKernel(tree)).toMatchObject({
    release: '6.12.48+deb13-amd64',
    kernel: { path: 'boot/vmlinuz' },
  });
});

test('links from the top lead to the kernel', () => {
  const tree = stack([
    'boot/vmlinuz-x',
    'boot/initrd.img-y',
    { path: 'vmlinuz', type: 'symlink', link: 'boot/vmlinuz-x' },
    { path: 'initrd.img', type: 'symlink', link: '/boot/initrd.img-y' },
  ]);
  expect(findKernel(tree)).toMatchObject({
    kernel: { path: 'boot/vmlinuz-x' },
    initrd: { path: 'boot/initrd.img-y' },
  });
});

test('nothing, an empty file, a link to nowhere: no kernel', () => {
  expect(findKernel(stack(['etc/']))).toBeNull();
  expect(findKernel(stack([{ path: 'boot/vmlinuz-1', content: '' }]))).toBeNull();
  expect(findKernel(stack([{ path: 'vmlinuz', type: 'symlink', link: 'boot/none' }]))).toBeNull();
});

test('other formats have no release inside', () => {
  expect(bzImageRelease(Buffer.alloc(0x400))).toBeNull();
  expect(bzImageRelease(Buffer.from('short'))).toBeNull();
  const pointsBeyond = Buffer.from(bzImage('6.1'), 'latin1');
  pointsBeyond.writeUInt16LE(0xfff0, 0x20e);
  expect(bzImageRelease(pointsBeyond)).toBeNull();
});

test('versions order by their numbers', () => {
  const versions = ['6.1.0-10', '6.1.0-9', '6.12', '6.2', '5.10.0', '6.1.0-9-rt'];
  expect(versions.sort(compareVersions)).toEqual([
    '5.10.0',
    '6.1.0-9',
    '6.1.0-9-rt',
    '6.1.0-10',
    '6.2',
    '6.12',
  ]);
});
