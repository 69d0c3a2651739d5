import { type Attempt, isOpen } from '../core/attempt.ts';
import { bootChoice } from '../core/boot-choice.ts';
import { mayBeClaimed } from '../core/claim.ts';
import { type Digest, parseImageRef } from '../core/digest.ts';
import { placePartitions, sfdiskScript } from '../core/disk-layout.ts';
import { type DisksTold, givesDiskUp } from '../core/disk-starts.ts';
import { WarmbootError } from '../core/errors.ts';
import { type Host, slotNames } from '../core/host.ts';
import type { HostBoot } from '../core/host-script.ts';
import { type ImageFacts, type Manifest, manifest } from '../core/manifest.ts';
import { type NextStep, nextStep } from '../core/next-step.ts';
import { diskGuid, diskNames, partitionIds, tableIds } from '../core/partition-guid.ts';
import { requireRoom } from '../core/slot-room.ts';
import type { Caller, MachineUseCases } from '../core/use-cases.ts';
import { type Context, layoutOf, slotCountOf } from './context.ts';
import { findHost, macOf } from './one-host.ts';
import { authorize, hasLostToken } from './reports.ts';

/** Of so many installs a machine is told what tables they may have left on its disks. */
const EARLIER_INSTALLS = 32;

/** An install that may have left a disk half made; one that succeeded left a whole one, which knows its host. */
function cameToNothing({ kind, outcome }: Attempt): boolean {
  return kind === 'install' && (outcome === 'failed' || outcome === 'superseded');
}

/** What machines ask. Nothing here changes anything: boot protocols repeat themselves. */
export function manifestCases(context: Context): Omit<MachineUseCases, 'claim' | 'report' | 'takeInventory'> {
  const { store, wakes, library, sha256Hex } = context;
  const find = (macText: string) => findHost(context, macText);

  async function render(host: Host): Promise<Manifest> {
    const step = nextStep(host, slotCountOf(context, host));
    const layout = context.layouts.get(host.enrolment.layout) ?? null;
    const settings = {
      trialSeconds: context.trialSeconds,
      fleet: context.census.now(),
      mirrorOf: context.mirrorOf,
      restoredAt: context.restoredAt ?? null,
    };
    return manifest(host, step, await imageFacts(host, step), layout, settings, sha256Hex);
  }

  async function imageFacts(host: Host, step: NextStep): Promise<ImageFacts | null> {
    if (step.digest === null) return null;
    const index = await library.index(step.digest);
    if (index === null) return null;
    const { digest } = step;
    const { append, kernel, initrd } = index;
    return {
      digest,
      name: await nameOf(host, digest),
      append,
      kernel: { sha256: kernel.sha256, bytes: kernel.bytes },
      initrd: { sha256: initrd.sha256, bytes: initrd.bytes },
    };
  }

  /** The name an operator used for the image, else one of its tags, else the digest itself. */
  async function nameOf(host: Host, digest: Digest): Promise<string> {
    const used = [host.attempt, host.enrolment.assignment].find((named) => named?.digest === digest);
    const ref = used ? parseImageRef(used.ref) : null;
    if (ref?.kind === 'tag') return ref.name;
    const image = await store.image({ kind: 'digest', digest });
    return image?.tags[0]?.name ?? digest;
  }

  const disksTold: DisksTold = new Map();
  /** Its disk, unless that was tried and did not start. The installer would start it by kexec, which some machines do not survive. */
  function diskOf({ enrolment, observation }: Host, boot: HostBoot): HostBoot {
    if (enrolment.status !== 'approved' || enrolment.switchMode === 'reboot') return boot;
    const start = { hostId: enrolment.id, heardAt: observation?.at ?? 0, now: context.clock() };
    if (!givesDiskUp(disksTold, start)) return boot;
    const reason = 'its disk was booted four times and nothing was heard of it, so the installer boots it';
    return { ...boot, kind: 'discovery', reason };
  }

  return {
    hostOfToken: (tokenHash) => store.lookups.hostOfToken(tokenHash),

    async manifest(macText, caller) {
      const host = await find(macText);
      // The installer has no token yet.
      if (!mayBeClaimed(host, hasLostToken(context, host, context.clock()))) authorize(host, caller);
      return render(host);
    },

    async files(macText, sha256, caller) {
      const host = await find(macText);
      requireOwn(host, caller);
      const { files } = host.enrolment;
      const tar = files?.sha256 === sha256 ? await store.fileSet(sha256) : null;
      if (tar !== null) return tar;
      throw new WarmbootError(
        'not-found',
        'These are not the files of this host, or not any more. Read the manifest again: it names those that are.',
      );
    },

    async listen(macText, onChange) {
      const { enrolment } = await find(macText);
      return wakes.listen(enrolment.id, onChange);
    },

    async bootChoice(macText) {
      const host = await store.host({ mac: macOf(macText) });
      // By TFTP, too, nobody is told what a power cut could take back.
      await store.settled();
      const boot = bootOf(context, host);
      return host === null || boot.kind !== 'disk' ? boot : diskOf(host, boot);
    },

    async partitionTable(macText, attemptId, disk, caller) {
      const host = await find(macText);
      authorize(host, caller);
      const { attempt, enrolment } = host;
      if (!isOpen(attempt) || attempt.kind !== 'install' || (attemptId !== null && attempt.id !== attemptId))
        throw new WarmbootError('conflict', 'No such install of this host is open: read the manifest again.');
      const layout = layoutOf(context, enrolment.layout);
      const index = await library.index(attempt.digest);
      const imageBytes = index?.filesystem?.bytes ?? 0;
      requireRoom(attempt.ref, imageBytes, layout, context.layouts);
      const guid = diskGuid(enrolment.id, attempt.id, sha256Hex);
      const ids = partitionIds(layout.table, guid, sha256Hex);
      const placed = placePartitions(layout, disk, slotNames(layout.slots), ids);
      if ('neededBytes' in placed)
        throw new WarmbootError(
          'invalid',
          `The disk has ${disk.bytes} bytes, layout "${layout.name}" needs ${placed.neededBytes}. Choose another disk, or a layout with smaller or fewer slots.`,
        );
      const earlier = (await store.attempts(enrolment.id))
        .filter((each) => each.id !== attempt.id && cameToNothing(each))
        .slice(-EARLIER_INSTALLS)
        .flatMap(({ id }) => tableIds(diskGuid(enrolment.id, id, sha256Hex), sha256Hex));
      return sfdiskScript(layout.table, diskNames(layout, guid, sha256Hex), disk, placed.partitions, earlier);
    },
  };
}

/** Secrets are for a host that has shown its token, not for one that has none yet. */
function requireOwn(host: Host, caller: Caller): void {
  const { status, claim } = host.enrolment;
  if (status === 'retired')
    throw new WarmbootError('not-found', 'The host is retired: there is nothing for it here.');
  if (status !== 'approved' || claim === null || caller.tokenHash === null)
    throw new WarmbootError(
      'unauthorized',
      'A host\'s own files are for its token alone: claim the host, and send the token as "Authorization: Bearer TOKEN".',
    );
  authorize(host, caller);
}

/** What a machine gets when it netboots. @param host null for one that nobody knows */
export function bootOf(context: Context, host: Host | null): HostBoot {
  const choice = bootChoice(host, host ? slotCountOf(context, host) : 0);
  return { ...choice, append: host?.enrolment.append ?? '' };
}
