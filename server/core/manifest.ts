import type { Digest } from './digest.ts';
import type { DiskLayout } from './disk-layout.ts';
import { filesTold } from './file-set.ts';
import type { Host } from './host.ts';
import type { NextStep } from './next-step.ts';
import { diskGuid, diskNames, type Sha256Hex, slotPartUuid } from './partition-guid.ts';
import { type Fleet, pollSeconds } from './poll.ts';
import { shellText } from './shell-text.ts';
import { slotArguments, trialArguments } from './slot-files.ts';

/** A file that the host fetches: its URL resolves against the manifest's own. */
export type ManifestFile = { readonly url: string; readonly sha256: string; readonly bytes: number };

/** The answer to "what now" for one host. `version` changes only if the meaning of a field does. */
export type Manifest = {
  readonly version: 1;
  /** Rises with every change; a host refuses a lower one than it has seen. */
  readonly serial: number;
  /** The host's first MAC. */
  readonly host: string;
  /** All its MACs: a machine that has lost its first card, or got another board, knows itself by another. */
  readonly macs: readonly string[];
  readonly attempt: string | null;
  readonly action: NextStep['action'];
  readonly reason: string;
  readonly image: { readonly name: string; readonly digest: Digest } | null;
  readonly slot: string | null;
  readonly root: string | null;
  readonly kernel: ManifestFile | null;
  readonly initrd: ManifestFile | null;
  /** The whole kernel command line of the slot. */
  readonly append: string | null;
  /** What a trial adds to it. */
  readonly trial: string | null;
  readonly switch: 'kexec' | 'reboot';
  /** Bytes per second that staging may take; null: no limit, and for every other action. */
  readonly rate: number | null;
  /** Whether a slot that was written is read back and compared; null where none is written. */
  readonly readBack: boolean | null;
  /** Seconds until the host asks again; it adds its own jitter. */
  readonly poll: number;
  readonly stage: { readonly index: string; readonly frames: string; readonly data: string } | null;
  readonly install: { readonly layout: string; readonly disk: string; readonly wipe: boolean } | null;
  /**
   * Where the files above are asked for first: this address with their paths behind it. A mirror that fails stops nobody: the
   * same paths are the server's own.
   */
  readonly mirror: string | null;
  /**
   * The host's own files, as a tar, at the server itself and for its token alone. They belong to the slot that is written or
   * switched to next; null: it has none.
   */
  readonly files: ManifestFile | null;
  /**
   * The database came back from a backup at that time (milliseconds since 1970), and the host has not said since what it is: it
   * says so again. Null: it has, or it never did.
   */
  readonly announce: number | null;
};

/** What a manifest needs to know of an image. */
export type ImageFacts = {
  readonly digest: Digest;
  readonly name: string;
  readonly append: string;
  readonly kernel: { readonly bytes: number; readonly sha256: string };
  readonly initrd: { readonly bytes: number; readonly sha256: string };
};

export type ManifestSettings = {
  readonly fleet: Fleet;
  /** The base URL of the mirror for these labels; null: none. */
  mirrorOf(labels: Readonly<Record<string, string>>): string | null;
  /** How long an image on trial may take to prove itself before the machine goes back; a host may have its own time. */
  readonly trialSeconds: number;
  /** When the database came back from a backup; left out: never. */
  readonly restoredAt?: number | null;
};

/**
 * Renders the manifest of a host. Nothing in it changes from one second to the next: the same state gives the same
 * bytes, so that its ETag holds.
 * @param image the image that `step` is about; null when none is
 * @param layout of the host; needed when the step is part of an install
 */
export function manifest(
  host: Host,
  step: NextStep,
  image: ImageFacts | null,
  layout: DiskLayout | null,
  settings: ManifestSettings,
  sha256Hex: Sha256Hex,
): Manifest {
  const { enrolment } = host;
  const disk = diskOf(host, step, layout, sha256Hex);
  const root = disk && step.slot ? `PARTUUID=${slotPartUuid(disk, step.slot, sha256Hex)}` : null;
  const folder = image ? `/boot/images/${image.digest}` : '';
  const trialSeconds = enrolment.trialSeconds ?? settings.trialSeconds;
  const { restoredAt = null } = settings;
  const isHeard = restoredAt === null || (host.observation?.at ?? 0) >= restoredAt;
  const writes = image !== null && (step.action === 'install' || step.action === 'stage');
  return {
    version: 1,
    serial: enrolment.serial,
    host: enrolment.macs[0] ?? '',
    macs: enrolment.macs,
    attempt: step.attempt?.id ?? null,
    action: step.action,
    reason: step.reason,
    image: image && { name: image.name, digest: image.digest },
    slot: step.slot,
    root,
    kernel: image && { url: `${folder}/kernel`, ...image.kernel },
    initrd: image && { url: `${folder}/initrd`, ...image.initrd },
    append: image && root && commandLine(host, step, image, root),
    trial: step.action === 'stage' || step.action === 'switch' ? trialArguments(trialSeconds) : null,
    switch: enrolment.switchMode,
    rate: step.action === 'stage' ? enrolment.rateBytes : null,
    readBack: writes ? enrolment.readBack : null,
    poll: pollSeconds(step.attempt !== null, settings.fleet),
    stage: writes
      ? { index: `${folder}/index.json`, frames: `${folder}/frames.json`, data: `${folder}/data` }
      : null,
    install:
      step.action === 'install'
        ? { layout: enrolment.layout, disk: enrolment.diskRule, wipe: step.attempt?.wipe ?? false }
        : null,
    files: filesOf(host),
    mirror: writes ? settings.mirrorOf(enrolment.labels) : null,
    announce: isHeard ? null : restoredAt,
  };
}

/**
 * The manifest as lines for a POSIX shell, every key in each: what is null is empty, so that a value read from an older
 * manifest never outlives it.
 */
export function manifestText(manifest: Manifest & { readonly trust?: number }): string {
  const file = { url: null, sha256: null, bytes: null };
  return shellText({
    ...manifest,
    macs: manifest.macs.join(' '),
    image: manifest.image ?? { name: null, digest: null },
    kernel: manifest.kernel ?? file,
    initrd: manifest.initrd ?? file,
    stage: manifest.stage ?? { index: null, frames: null, data: null },
    install: manifest.install ?? { layout: null, disk: null, wipe: null },
    files: manifest.files ?? file,
  });
}

/**
 * The same with the files of its image at another server's address; those that are somewhere else already stay there. The host's
 * own are secrets: they come from where the manifest comes from.
 */
export function filesAt(manifest: Manifest, base: string): Manifest {
  const at = (url: string) => (url.startsWith('/') ? base + url : url);
  const file = (one: ManifestFile | null) => one && { ...one, url: at(one.url) };
  const { stage } = manifest;
  return {
    ...manifest,
    kernel: file(manifest.kernel),
    initrd: file(manifest.initrd),
    stage: stage && { ...stage, index: at(stage.index), frames: at(stage.frames), data: at(stage.data) },
  };
}

function filesOf(host: Host): ManifestFile | null {
  const files = filesTold(host);
  return files && { url: `/boot/hosts/${host.enrolment.macs[0]}/files/${files.sha256}`, ...files };
}

/** The disk of an install follows from its attempt; that of every other step is the one the host reported. */
function diskOf(host: Host, step: NextStep, layout: DiskLayout | null, sha256Hex: Sha256Hex): string | null {
  if (step.attempt?.kind !== 'install') return host.observation?.disk ?? null;
  const guid = diskGuid(host.enrolment.id, step.attempt.id, sha256Hex);
  return layout ? diskNames(layout, guid, sha256Hex).identity : guid;
}

function commandLine(host: Host, step: NextStep, image: ImageFacts, root: string): string {
  const more = [image.append, host.enrolment.append];
  return slotArguments({ root, more, slot: step.slot ?? '', attempt: step.attempt?.id ?? null });
}
