import { fileURLToPath } from 'node:url';

/** The superblock's dates and the inodes' creation time: 2000-01-01, before any clock a server wakes up with. */
const FILESYSTEM_TIME = '946684800';

/** What mke2fs and debugfs see of the environment, so that it changes no byte. Undefined removes a variable. */
export const PINNED_ENVIRONMENT = {
  LC_ALL: 'C.UTF-8',
  LANG: undefined,
  LANGUAGE: undefined,
  TZ: 'UTC',
  MKE2FS_CONFIG: fileURLToPath(new URL('./mke2fs.conf', import.meta.url)),
  // Not SOURCE_DATE_EPOCH: mke2fs sets every file younger than that back to it. This one leaves files alone.
  E2FSPROGS_FAKE_TIME: FILESYSTEM_TIME,
  SOURCE_DATE_EPOCH: undefined,
  MKE2FS_DEVICE_SECTSIZE: undefined,
  MKE2FS_DEVICE_PHYS_SECTSIZE: undefined,
  MKE2FS_FIRST_META_BG: undefined,
  MKE2FS_SYNC: undefined,
} as const;
