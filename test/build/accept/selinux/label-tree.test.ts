import { readdirSync, readFileSync, statSync } from 'node:fs';
import { afterAll, expect, test } from 'vitest';
import { labelTree } from '../../../../server/build/accept/selinux/label-tree.ts';
import type { FileTree } from '../../../../server/filesystems/file-tree.ts';
import type { Member } from '../../tree/tar-maker.ts';
import { layerFolder } from '../../tree/tree-maker.ts';

const { stack, remove } = layerFolder();
afterAll(remove);

const FILES = 'etc/selinux/targeted/contexts/files';
const POLICY: readonly Member[] = ['', '.subs', '.subs_dist', '.homedirs', '.local'].map((suffix) => ({
  path: `${FILES}/file_contexts${suffix}`,
  content: readFileSync(`test/fixtures/selinux/file_contexts${suffix}`, 'latin1'),
}));
const config = (mode: string): Member => ({
  path: 'etc/selinux/config',
  content: `# SELINUX= words\nSELINUX=${mode}\nSELINUXTYPE=targeted\n`,
});

function labelOf(tree: FileTree, path: string): string | undefined {
  return tree.find(path)?.inode.meta.xattrs.get('security.selinux');
}

test.each(['enforcing', 'permissive', 'Enforcing'])('%s: every file is labelled, the root too', (mode) => {
  const tree = stack([
    config(mode),
    ...POLICY,
    { path: 'a/b', content: 'x', xattrs: { 'user.note': 'kept' } },
    {
      path: 'al',
      type: 'directory',
      xattrs: { 'security.selinux': 'system_u:object_r:container_file_t:s0\0' },
    },
    { path: 'a/link', type: 'symlink', link: 'b' },
    'none/x',
  ]);
  expect(labelTree(tree, null)).toEqual([]);
  expect(labelOf(tree, '')).toBe('system_u:object_r:root_t:s0\0');
  expect(labelOf(tree, 'a/b')).toBe('system_u:object_r:late_t:s0\0');
  expect(tree.find('a/b')?.inode.meta.xattrs.get('user.note')).toBe('kept');
  expect(labelOf(tree, 'al')).toBe('system_u:object_r:a_t:s0\0');
  expect(labelOf(tree, 'a/link')).toBe('system_u:object_r:locallink_t:s0\0');
  expect(labelOf(tree, 'none/x')).toBeUndefined();
  expect(labelOf(tree, 'etc/selinux')).toBe('system_u:object_r:default_t:s0\0');
});

test('the agent’s programs are programs, whatever the policy thinks of /usr/lib; the image’s own file_contexts.local decides', () => {
  const policy = (name: string, content: string): Member => ({ path: `${FILES}/${name}`, content });
  const main = [
    '/usr/lib(/.*)?\tsystem_u:object_r:lib_t:s0',
    '/usr/bin(/.*)?\tsystem_u:object_r:bin_t:s0',
    '/usr/lib/.*\t--\tsystem_u:object_r:lib_t:s0\n',
  ].join('\n');
  const agent = ['usr/lib/warmboot/agent', 'usr/lib/warmboot/disk.sh', 'usr/lib/warmboot/warmboot-helper'];
  const labels = (...more: Member[]) => {
    const tree = stack([config('enforcing'), policy('file_contexts', main), ...more, ...agent]);
    expect(labelTree(tree, null)).toEqual([]);
    return agent.map((path) => labelOf(tree, path)?.split(':')[2]);
  };
  expect(labels()).toEqual(['bin_t', 'lib_t', 'bin_t']);
  const own = policy('file_contexts.local', '/usr/lib/warmboot/agent\t--\tsystem_u:object_r:mine_t:s0\n');
  expect(labels(own)).toEqual(['mine_t', 'lib_t', 'bin_t']);
  // What can be executed of the agent is in no policy, so none may be forgotten here.
  const here = 'images/agent/rootfs/usr/lib/warmboot';
  const programs = readdirSync(here).filter((name) => (statSync(`${here}/${name}`).mode & 0o111) !== 0);
  const tree = stack([
    config('enforcing'),
    policy('file_contexts', main),
    ...programs.map((name) => `usr/lib/warmboot/${name}`),
  ]);
  labelTree(tree, null);
  expect(programs).toContain('early');
  for (const name of programs) expect(labelOf(tree, `usr/lib/warmboot/${name}`), name).toContain('bin_t');
});

test('names of one file stay names of one file, labelled by the first', () => {
  const tree = stack([
    config('enforcing'),
    ...POLICY,
    { path: 'x', content: 'data' },
    { path: 'a/b', type: 'hardlink', link: 'x' },
  ]);
  labelTree(tree, null);
  expect(tree.find('a/b')?.inode).toBe(tree.find('x')?.inode);
  expect(labelOf(tree, 'x')).toBe('system_u:object_r:late_t:s0\0');
});

test('without SELinux, or with it disabled, nothing is touched', () => {
  for (const layer of [
    ['a/b'],
    [config('disabled'), ...POLICY, 'a/b'],
    [{ path: 'etc/selinux/config', content: '' }],
  ]) {
    const tree = stack(layer);
    expect(labelTree(tree, null)).toEqual([]);
    expect(labelOf(tree, 'a/b')).toBeUndefined();
  }
});

test('enforcing without a policy is refused, permissive is not', () => {
  const [failure] = labelTree(stack([config('enforcing')]), null);
  expect(failure).toMatchObject({ check: 'selinux', line: expect.stringContaining('SELINUX=permissive') });
  expect(failure?.message).toContain(`/${FILES}/file_contexts is missing`);
  expect(labelTree(stack([config('permissive')]), null)).toEqual([]);
});

test('a line of the policy that cannot be used is named', () => {
  const bad = { path: `${FILES}/file_contexts.local`, content: '/ok x:ok\n/a++ x:a\n' };
  const [failure] = labelTree(stack([config('enforcing'), ...POLICY], [bad]), null);
  expect(failure).toMatchObject({
    message: expect.stringContaining(`/${FILES}/file_contexts.local:2`),
    line: `RUN sed -i '2d' /${FILES}/file_contexts.local`,
  });
});
