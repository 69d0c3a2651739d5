import type { Inode, Latin1 } from '../node.ts';
import type { Attribute } from './attributes.ts';
import { attributesOf } from './attributes.ts';
import { BLOCK } from './geometry.ts';
import { MAX_LINK } from './symlink.ts';

const MAX_NAME = 255;
/** Numbers of devices as System V had them; of the major number's 14 bits, Linux reads 9 from XFS. */
const MAX_MAJOR = 2 ** 9 - 1;
const MAX_MINOR = 2 ** 18 - 1;
const MAX_ID = 2 ** 32 - 1;

/** What XFS cannot hold of an inode, as a clause; or its attributes, when it can hold everything. */
export function checkInode(name: Latin1, inode: Inode): readonly Attribute[] | string {
  const { meta } = inode;
  if (name.length > MAX_NAME) return `its name has ${name.length} bytes, and ${MAX_NAME} are possible`;
  if (meta.uid > MAX_ID || meta.gid > MAX_ID) return 'its owner or group is above 4,294,967,295';
  if (meta.type === 'symlink' && (meta.link.length === 0 || meta.link.length > MAX_LINK))
    return `its target has ${meta.link.length} bytes, and XFS takes 1 to ${MAX_LINK}`;
  if (meta.major > MAX_MAJOR || meta.minor > MAX_MINOR)
    return `device ${meta.major}:${meta.minor} is above ${MAX_MAJOR}:${MAX_MINOR}`;
  if (!runsAreAligned(inode)) return `its holes do not begin and end at multiples of ${BLOCK} bytes`;
  return attributesOf(meta);
}

/** Data reaches the partition by whole blocks: each run begins at one, and only the gap behind it may begin within one. */
function runsAreAligned({ content }: Inode): boolean {
  let end = 0;
  return content.every(({ at, bytes }) => {
    const fits = at % BLOCK === 0 && at >= end;
    end = at + bytes;
    return fits;
  });
}
