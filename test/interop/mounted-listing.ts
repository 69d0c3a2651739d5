import { execFileSync, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { closeSync, openSync, readSync } from 'node:fs';
import type { FileTree, TreeNode } from '../../server/filesystems/file-tree.ts';
import type { ContentRun, NodeType } from '../../server/filesystems/node.ts';

/** What a kernel says of each path, bytes as Latin-1. `content`: digest of all blocks that are not zero, each with its place. */
export interface Listed {
  readonly type: NodeType;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** Nanoseconds since 1970. */
  readonly mtime: string;
  readonly links: number;
  readonly size: number | null;
  readonly link: string;
  readonly device: string;
  readonly content: string;
  readonly xattrs: Readonly<Record<string, string>>;
}

const LIST = String.raw`
import hashlib, json, os, stat, struct, sys
top = os.fsencode(sys.argv[1])
kinds = {stat.S_IFREG: 'file', stat.S_IFDIR: 'directory', stat.S_IFLNK: 'symlink', stat.S_IFCHR: 'character', stat.S_IFBLK: 'block', stat.S_IFIFO: 'fifo'}
def text(data): return os.fsencode(data).decode('latin1')
def content(path, size):
    digest = hashlib.sha256()
    with open(path, 'rb', buffering=0) as file:
        at = 0
        while at < size:
            try: at = file.seek(at, os.SEEK_DATA)
            except OSError: break
            end = file.seek(at, os.SEEK_HOLE)
            at -= at % 4096
            file.seek(at)
            while at < end:
                data = file.read(min(1 << 20, end - at))
                for i in range(0, len(data), 4096):
                    block = data[i:i + 4096].ljust(4096, b'\0')
                    if block.count(0) != 4096: digest.update(struct.pack('<Q', at + i) + block)
                at += len(data)
    return digest.hexdigest()
def one(path):
    s = os.lstat(path)
    kind = kinds[stat.S_IFMT(s.st_mode)]
    device = kind in ('character', 'block')
    print(json.dumps([text(path[len(top) + 1:]), {
        'type': kind, 'mode': stat.S_IMODE(s.st_mode), 'uid': s.st_uid, 'gid': s.st_gid, 'mtime': str(s.st_mtime_ns),
        'links': s.st_nlink, 'size': s.st_size if kind == 'file' else None,
        'link': text(os.readlink(path)) if kind == 'symlink' else '',
        'device': '%d:%d' % (os.major(s.st_rdev), os.minor(s.st_rdev)) if device else '',
        'content': content(path, s.st_size) if kind == 'file' else '',
        'xattrs': {text(name): os.getxattr(path, name, follow_symlinks=False).decode('latin1') for name in os.listxattr(path, follow_symlinks=False) if not name.startswith('trusted.SGI_ACL_')},
    }]))
def walk(path):
    one(path)
    if stat.S_ISDIR(os.lstat(path).st_mode):
        for name in os.listdir(path): walk(path + b'/' + name)
walk(top)
`;

/** Runs a shell command with the filesystem mounted at `$M`, in a mount namespace of its own. */
export function withMount(file: string, command: string, options = 'ro,nouuid'): string {
  const script = `M=$(mktemp -d) && mount -o loop,${options} "$1" "$M" && { ( ${command} ); R=$?; umount "$M" && rmdir "$M" && exit $R; }`;
  return execFileSync('unshare', ['-m', 'sh', '-c', script, 'sh', file, LIST], {
    encoding: 'utf8',
    maxBuffer: 2 ** 30,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
}

/** Whether this machine lets us mount (root, loop devices, the filesystem in its kernel). */
export function canMount(file: string): boolean {
  const script =
    'M=$(mktemp -d) && mount -o loop,ro,nouuid "$1" "$M" && umount "$M"; R=$?; rmdir "$M"; exit $R';
  return spawnSync('unshare', ['-m', 'sh', '-c', script, 'sh', file]).status === 0;
}

/** Every path of a mounted filesystem; the root is ''. XFS shows ACLs a second time, by its own names: left out. */
export function listMounted(file: string): Map<string, Listed> {
  const lines = withMount(file, 'python3 -c "$2" "$M"').split('\n');
  return new Map(lines.filter((line) => line !== '').map((line) => JSON.parse(line) as [string, Listed]));
}

/** What the kernel should say of a tree. */
export function expectedListing(tree: FileTree): Map<string, Listed> {
  const names = new Map<unknown, number>();
  const all = [{ path: '', node: tree.root }, ...tree.inLayerOrder()];
  for (const { node } of all) names.set(node.inode, (names.get(node.inode) ?? 0) + 1);
  return new Map(all.map(({ path, node }) => [path, expected(node, names.get(node.inode) ?? 0)]));
}

function expected({ inode, children }: TreeNode, names: number): Listed {
  const { meta } = inode;
  const isDevice = meta.type === 'character' || meta.type === 'block';
  const folders = [...(children?.values() ?? [])].filter((child) => child.children).length;
  return {
    type: meta.type,
    mode: meta.type === 'symlink' ? 0o777 & meta.mode : meta.mode,
    uid: meta.uid,
    gid: meta.gid,
    mtime: String(BigInt(meta.mtime) * 1_000_000_000n + BigInt(meta.mtimeNanos)),
    links: children ? 2 + folders : names,
    size: meta.type === 'file' ? meta.size : null,
    link: meta.link,
    device: isDevice ? `${meta.major}:${meta.minor}` : '',
    content: meta.type === 'file' ? contentDigest(inode.content) : '',
    xattrs: Object.fromEntries(meta.xattrs),
  };
}

function contentDigest(runs: readonly ContentRun[]): string {
  const digest = createHash('sha256');
  const place = Buffer.alloc(8);
  for (const run of runs) {
    const data = Buffer.alloc(Math.ceil(run.bytes / 4096) * 4096);
    const file = openSync(run.file, 'r');
    readSync(file, data, 0, run.bytes, run.offset);
    closeSync(file);
    for (let at = 0; at < data.length; at += 4096) {
      const block = data.subarray(at, at + 4096);
      if (block.every((byte) => byte === 0)) continue;
      place.writeBigUInt64LE(BigInt(run.at + at));
      digest.update(place).update(block);
    }
  }
  return digest.digest('hex');
}
