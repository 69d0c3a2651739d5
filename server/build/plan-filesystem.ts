import type { Recipe } from '../contract/image-json.ts';
import { type Ext4Profile, planExt4 } from '../filesystems/ext4/plan.ts';
import type { FileTree } from '../filesystems/file-tree.ts';
import type { FilesystemPlan } from '../filesystems/piece.ts';
import { planXfs } from '../filesystems/xfs/plan.ts';
import { BuildError } from './build-error.ts';

/**
 * One UUID for every image: metadata checksums are seeded with it, so equal blocks stay equal between images. Root is
 * addressed by PARTUUID, never by this.
 */
export const FILESYSTEM_UUID = '7761726d-626f-4f74-8000-000000000001';

/** Lays the files out on the filesystem that the recipe asks for. @throws BuildError `filesystem-full`, `layers` */
export function planFilesystem(
  tree: FileTree,
  { type, size: bytes }: Extract<Recipe, { kind: 'os' }>['filesystem'],
  ext4Profile: Ext4Profile,
): FilesystemPlan {
  const options = { bytes, uuid: FILESYSTEM_UUID };
  const planned =
    type === 'xfs' ? planXfs(tree, options) : planExt4(tree, { ...options, profile: ext4Profile });
  if (planned.ok) return planned.plan;
  if (planned.why === 'unsupported')
    throw new BuildError('layers', `The files can't be put on ${type}: ${planned.reason}.`);
  throw new BuildError(
    'filesystem-full',
    `The files do not fit: ${planned.reason}. Raise --size, or "size" in image.json, or remove files in the Dockerfile.`,
  );
}
