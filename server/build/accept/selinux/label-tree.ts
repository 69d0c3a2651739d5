import type { FileTree, TreeNode } from '../../../filesystems/file-tree.ts';
import type { Inode, Latin1 } from '../../../filesystems/node.ts';
import { readStart, readText } from '../../tree/tree-file.ts';
import { type CheckFailure, failure, installLine } from '../check.ts';
import type { OsRelease } from '../os-release.ts';
import { type ContextLookup, contextLookup } from './context-lookup.ts';
import { type ContextSpec, parseAliases, parseFileContexts } from './file-contexts.ts';

/** A distribution's file_contexts has less than 1 MiB. */
const MAX_POLICY_BYTES = 32 * 1024 * 1024;
const XATTR = 'security.selinux';

/**
 * Labels every file for SELinux, as `setfiles` on the host would, from the image's own policy: nothing has to be labelled at
 * a boot, which would restart a trial. Labels that came with the layers are a container's and are replaced. An image without
 * SELinux, or with it disabled, stays as it is.
 * @returns what keeps it from being done; empty when it is done or not wanted
 */
export function labelTree(tree: FileTree, os: OsRelease | null): CheckFailure[] {
  const config = readText(tree, 'etc/selinux/config');
  const mode = setting(config, 'SELINUX')?.toLowerCase();
  if (mode !== 'enforcing' && mode !== 'permissive') return [];
  const policy = setting(config, 'SELINUXTYPE') ?? 'targeted';
  const folder = `etc/selinux/${policy}/contexts/files`;
  const main = readPolicyFile(tree, `${folder}/file_contexts`);
  if (main === null) {
    // Without labels a permissive system runs; an enforcing one does not even start.
    if (mode === 'permissive') return [];
    return [
      failure(
        'selinux',
        `SELinux is enforcing, but /${folder}/file_contexts is missing, so nothing can be labelled and nothing would be allowed; make it permissive, or install the policy (${installLine(os, POLICY_PACKAGE)})`,
        "RUN sed -i 's/^SELINUX=.*/SELINUX=permissive/' /etc/selinux/config",
      ),
    ];
  }
  const specs: ContextSpec[] = [];
  for (const [suffix, text] of [
    ['', main],
    ['.homedirs', readPolicyFile(tree, `${folder}/file_contexts.homedirs`)],
    ['.warmboot', agentContexts(main)],
    ['.local', readPolicyFile(tree, `${folder}/file_contexts.local`)],
  ] as const) {
    const parsed = parseFileContexts(text ?? '', `/${folder}/file_contexts${suffix}`);
    const [fault] = parsed.faults;
    if (fault)
      return [
        failure(
          'selinux',
          `${fault.place} can't be used to label files (${fault.text})`,
          `RUN sed -i '${fault.place.split(':').pop()}d' ${fault.place.split(':')[0]}`,
        ),
      ];
    specs.push(...parsed.specs);
  }
  const aliases = (suffix: string) =>
    parseAliases(readPolicyFile(tree, `${folder}/file_contexts${suffix}`) ?? '');
  const lookup = contextLookup({
    specs,
    aliases: aliases('.subs'),
    distributionAliases: aliases('.subs_dist'),
  });
  applyLabels(tree, lookup);
  return [];
}

/**
 * No distribution's policy knows the agent. What lies in /usr/lib is a library to it, which systemd may map but not start; with
 * the label of programs it starts, and runs as services without a policy of their own do. `file_contexts.local` can say otherwise.
 */
function agentContexts(policy: Latin1): Latin1 {
  const program = /[ \t](\S+:object_r:bin_t(?::\S+)?)$/m.exec(policy)?.[1];
  return program === undefined
    ? ''
    : `/usr/lib/warmboot/(agent|early|fetch-run|init|label|mount-data|trial-guard|warmboot-helper)\t--\t${program}\n`;
}

const POLICY_PACKAGE = { debian: 'selinux-policy-default', redHat: 'selinux-policy-targeted' };

/** Puts the labels on, from the root down, by path. Names of one file share its label: that of the first. */
function applyLabels(tree: FileTree, lookup: ContextLookup): void {
  const done = new Map<Inode, Inode>();
  const alone = new Map<string, ReadonlyMap<Latin1, Latin1>>();
  const labelled = (inode: Inode, path: Latin1): Inode => {
    const context = lookup(path, inode.meta.type);
    if (context === null) return inode;
    // The kernel and all tools keep the zero behind it.
    const value = `${context}\0`;
    let xattrs = inode.meta.xattrs.size === 0 ? alone.get(value) : undefined;
    if (!xattrs) {
      xattrs = new Map([...inode.meta.xattrs, [XATTR, value]]);
      if (inode.meta.xattrs.size === 0) alone.set(value, xattrs);
    }
    return { ...inode, meta: { ...inode.meta, xattrs } };
  };
  const visit = (node: TreeNode, path: Latin1): void => {
    const known = done.get(node.inode);
    const inode = known ?? labelled(node.inode, path === '' ? '/' : path);
    if (!known && !node.children) done.set(node.inode, inode);
    node.inode = inode;
    const children = [...(node.children?.values() ?? [])].sort((a, b) => (a.name < b.name ? -1 : 1));
    for (const child of children) visit(child, `${path}/${child.name}`);
  };
  visit(tree.root, '');
}

/** `KEY=value` of /etc/selinux/config. */
function setting(config: string | null, key: string): string | null {
  const line = (config ?? '').split('\n').findLast((text) => text.startsWith(`${key}=`));
  return line?.slice(key.length + 1).trim() ?? null;
}

function readPolicyFile(tree: FileTree, path: Latin1): Latin1 | null {
  const found = tree.resolve(path);
  if (found?.node.inode.meta.type !== 'file') return null;
  return readStart(found.node.inode, MAX_POLICY_BYTES).toString('latin1');
}
