/** The part of the tests that the default tier leaves to `--all`, and what changes ask for it. */

/** Paths from the top of the checkout; what begins with one belongs to it. */
const HOST = ['images/', 'lab/', 'ipxe/', 'server/disks/', 'test/e2e/'];
const BOOT = ['server/tftp/', 'server/dhcp/', 'server/udp/', 'server/core/ipxe', 'server/core/boot-choice'];
const DECISIONS = [
  'server/core/next-step',
  'server/core/manifest',
  'server/core/apply-report',
  'server/core/attempt',
];
const DATABASE = ['server/store/', 'migrations/', 'server/control/', 'server/app'];
const IMAGE_STORE = ['server/blobs/', 'server/build/', 'server/filesystems/', 'server/docker-context/'];
const PACKAGING = ['packaging/', 'warmboot', 'package-lock.json'];

export interface LongFile {
  /** Or a folder, by its name with `/` behind it. */
  readonly file: string;
  /** `whole`: not in the default tier at all. `counts`: there with small counts. */
  readonly what: 'whole' | 'counts';
  /** How long it takes with full counts on two cores, measured. */
  readonly seconds: number;
  readonly touchedBy: readonly string[];
}

const whole = (file: string, seconds: number, ...touchedBy: readonly string[][]): LongFile => ({
  file: `test/${file}${file.endsWith('/') ? '' : '.test.ts'}`,
  what: 'whole',
  seconds,
  touchedBy: touchedBy.flat(),
});
const counts = (file: string, seconds: number, ...touchedBy: readonly string[][]): LongFile => ({
  ...whole(file, seconds, ...touchedBy),
  what: 'counts',
});

export const LONG_FILES: readonly LongFile[] = [
  counts('e2e/broken-new-system', 900, HOST, DECISIONS),
  whole('e2e/broken-interruption', 900, HOST, DECISIONS),
  whole('e2e/broken-network', 900, HOST, DECISIONS),
  whole('e2e/broken-disk', 900, HOST, IMAGE_STORE),
  whole('e2e/way-back', 900, HOST, DECISIONS),
  whole('e2e/bad-stream', 330, HOST, IMAGE_STORE),
  whole('e2e/identity', 440, HOST, ['server/core/file-set']),
  whole('e2e/boot-paths', 600, HOST, BOOT),
  whole('e2e/discovery', 170, HOST, BOOT, ['server/core/discovery', 'server/control/discovery']),
  whole('e2e/dashboard', 280, HOST, ['server/web/']),
  whole('e2e/installer', 600, HOST),
  whole('e2e/composed-disks', 300, HOST, IMAGE_STORE),
  whole('e2e/server-killed', 130, HOST, DATABASE),
  counts('e2e/main-job', 900, HOST, BOOT, DECISIONS),
  whole('e2e/moved-host', 600, HOST),
  whole('e2e/disk-not-started', 600, HOST),
  whole('e2e/debian-11-13-12-11', 900, HOST),
  whole('e2e/many-switches', 900, HOST),
  whole('interop/moved-host', 240, HOST),
  counts('host/', 180, HOST),
  counts('interop/power-cut', 900, HOST),
  counts('interop/grub-torn', 300, HOST),
  counts('interop/grub-read-only', 30, HOST),
  counts('interop/tftp', 90, BOOT),
  counts('interop/build-options', 70, IMAGE_STORE),
  counts('interop/ext4', 50, IMAGE_STORE),
  counts('interop/xfs', 50, IMAGE_STORE),
  counts('interop/disks', 25, HOST, IMAGE_STORE),
  counts('interop/web/misuse', 30, ['server/web/']),
  whole('interop/server-container', 380, PACKAGING),
  whole('interop/build-killed', 300, IMAGE_STORE),
  whole('interop/build-reproducible', 45, IMAGE_STORE),
  whole('interop/store-killed', 35, IMAGE_STORE),
  whole('interop/hard-tar', 60, IMAGE_STORE),
  whole('interop/rollout-killed', 35, DATABASE),
  whole('interop/restore-killed', 35, DATABASE),
  whole('interop/restore-fleet', 15, DATABASE),
  whole('interop/once-killed', 60, DATABASE),
  counts('interop/server-killed-100', 240, DATABASE),
  counts('store/released-schemas', 60, DATABASE),
  whole('interop/mass-download', 15, IMAGE_STORE, ['server/http/']),
  whole('interop/web/fleet', 110, ['server/web/', 'server/http/']),
  whole('interop/monitoring', 5, PACKAGING, ['server/metrics/']),
];

/** Those that a change of these files asks for, in the order of the table. */
export function longFilesFor(changed: readonly string[]): readonly LongFile[] {
  return LONG_FILES.filter(({ file, touchedBy }) =>
    changed.some((path) => path === file || touchedBy.some((area) => path.startsWith(area))),
  );
}

/** Those that fit into this time, and those that do not. A file that does not fit leaves room for a shorter one. */
export function fitInto(
  files: readonly LongFile[],
  seconds: number,
): { readonly run: readonly LongFile[]; readonly left: readonly LongFile[] } {
  let free = seconds;
  const run = files.filter((file) => {
    if (file.seconds > free) return false;
    free -= file.seconds;
    return true;
  });
  return { run, left: files.filter((file) => !run.includes(file)) };
}
