import type { Attempt } from './attempt.ts';
import type { BuildOrder, BuildProgress, BuildRecord } from './build-ports.ts';
import type { Digest } from './digest.ts';
import type { DiscoveryDecision, DiscoveryPolicy, PolicyEdition } from './discovery.ts';
import type { Disk } from './disk-layout.ts';
import type { Event } from './events.ts';
import type { Host } from './host.ts';
import type { HostBoot } from './host-script.ts';
import type { SaidInventory } from './inventory.ts';
import type { Manifest } from './manifest.ts';
import type { NextStep } from './next-step.ts';
import type { ByteSource, InventoryRecord, StoredImage } from './ports.ts';
import type { Report, Verdict } from './report.ts';

/**
 * What Warmboot can be asked to do. `control/` does it; HTTP, TFTP and whatever comes ask for it through these types.
 * MACs and image references come as the text that was sent; every function throws a WarmbootError for what is wrong with them.
 */

/** What an operator says to enrol a host; what is left out takes the default. */
export type NewHost = {
  readonly macs: readonly string[];
  /** With an image, enrolling is the order to install it. */
  readonly image?: string | undefined;
  readonly layout?: string | undefined;
  readonly disk?: string | undefined;
  readonly labels?: Readonly<Record<string, string>> | undefined;
  readonly wipe?: boolean | undefined;
  readonly append?: string | undefined;
  readonly switch?: 'kexec' | 'reboot' | undefined;
};
export type HostChanges = Partial<Pick<NewHost, 'layout' | 'disk' | 'labels' | 'append' | 'switch'>>;

/** `attempt` is null when the host runs the image already. */
export type Reassigned = { readonly host: Host; readonly attempt: Attempt | null };

export type HostUseCases = {
  list(): Promise<readonly Host[]>;
  find(mac: string): Promise<Host>;
  attempts(mac: string): Promise<readonly Attempt[]>;
  /** The same for a host at hand. */
  stepOf(host: Host): NextStep;
  enrol(wish: NewHost): Promise<Host>;
  /** Changes what operators say about a host. Its image is changed by `reassign`. */
  update(mac: string, changes: HostChanges): Promise<Host>;
  remove(mac: string): Promise<void>;
  /** Gives the host another image; the reference is resolved now and frozen. */
  reassign(mac: string, image: string, fresh: boolean): Promise<Reassigned>;
  /** Tries the assigned image once more after a failure or a rollback. */
  retry(mac: string): Promise<Reassigned>;
  /** Installs from the start, at the machine's next netboot. `wipe` allows to overwrite foreign data. */
  reinstall(mac: string, wipe: boolean): Promise<Reassigned>;
  events(query: {
    afterId?: number;
    newest?: boolean;
    mac?: string;
    limit: number;
  }): Promise<readonly Event[]>;
};

/** What an operator says to approve a machine that was discovered; what is left out takes the default. */
export type Approval = Omit<NewHost, 'macs'>;

/** What a machine would be told now, and why: by its manifest, by iPXE, and by the rules for discovery. */
export type Told = {
  /** False for a MAC that no host has. */
  readonly isKnown: boolean;
  readonly step: NextStep;
  readonly boot: HostBoot;
  /** Null for a host that was approved. */
  readonly discovery: DiscoveryDecision | null;
};

export type DiscoveryUseCases = {
  policy(): Promise<PolicyEdition>;
  /**
   * Sets the rules and asks them about every machine that waits.
   * @param expected the edition that they replace
   * @returns the new edition, or null when another one is in force by now
   */
  setPolicy(policy: DiscoveryPolicy, expected: number): Promise<PolicyEdition | null>;
  /** Lets a machine take part; with an image, that is the order to install it. */
  approve(mac: string, wish: Approval): Promise<Host>;
  /** By hand: the machine is left to its disk, or waits again. Rules pass over it from then on. */
  setIgnored(mac: string, ignored: boolean): Promise<Host>;
  inventory(mac: string): Promise<InventoryRecord | null>;
  next(mac: string): Promise<Told>;
};

/** How a host proves that it is that host: the sha256 of the token it sent. */
export type Caller = { readonly tokenHash: string | null };

/** `new` token taken, the `same` once more, or `refused` because another holds the host. */
export type ClaimAnswer = 'new' | 'same' | 'refused';
export type ReportAnswer = { readonly verdict: Verdict; readonly why: string; readonly serial: number };

/** Something a waiting request can sleep on. */
export type Wait = {
  /** Resolves when the host's manifest may have changed, after `timeoutMs`, or when `signal` aborts. */
  changed(timeoutMs: number, signal: AbortSignal): Promise<void>;
  stop(): void;
};

/** What machines ask and say. Only `claim`, `report` and `takeInventory` change anything. */
export type MachineUseCases = {
  manifest(mac: string, caller: Caller): Promise<Manifest>;
  /** Begins to listen at once: whoever reads the manifest after this misses no change. */
  listen(mac: string): Promise<Wait>;
  /** What a machine that netboots gets; an unknown one is sent to discovery. */
  bootChoice(mac: string): Promise<HostBoot>;
  /** The partition table for the disk that the host's open install attempt has chosen, for sfdisk(8). */
  partitionTable(mac: string, attempt: string | null, disk: Disk, caller: Caller): Promise<string>;
  claim(mac: string, claim: { readonly attempt: string; readonly tokenHash: string }): Promise<ClaimAnswer>;
  /** `bodyHash` tells a repetition from a contradiction. */
  report(mac: string, report: Report, bodyHash: string, caller: Caller): Promise<ReportAnswer>;
  /**
   * Takes what a machine says of itself; a machine that nobody knows is discovered by it.
   * @param address from which it was sent
   * @returns the host as it is now
   */
  takeInventory(mac: string, said: SaidInventory, address: string, caller: Caller): Promise<Host>;
};

/** The entries of one build's log count from 1, live and afterwards: who knows some can tell what is new. */
export type NumberedProgress = BuildProgress & { readonly number: number };
/** What is new of a build: an entry of its log, or while it waits for its turn how many builds must end before it begins. */
export type BuildNews = NumberedProgress | { readonly buildsBefore: number };

/** A whole disk that somebody wants. */
export type DiskWish = {
  /** Name of a file in `images/disks/`. */
  readonly layout: string;
  /** Slot letter → `NAME[:TAG]` or digest; slots left out stay empty, `a` is needed. */
  readonly slots: Readonly<Record<string, string>>;
  /** 512 or 4096. */
  readonly sectorBytes: number;
  /** Any text: disks with different ones differ in all their GUIDs, so that both may be in one machine. */
  readonly seed: string;
};

export type DiskUseCases = {
  /**
   * The disk's bytes, composed while they are read: as they are, or as zstd frames.
   * @throws WarmbootError `not-found` for the layout, `invalid` for what cannot be put together, `unavailable` without installer
   */
  open(wish: DiskWish, format: 'img' | 'img.zst'): Promise<ByteSource>;
};

export type BuildUseCases = {
  /** Begins a build, or lets it wait in line while enough others run. */
  start(order: BuildOrder): Promise<BuildRecord>;
  find(id: string): Promise<BuildRecord>;
  /** The newest, in the order in which they began. */
  list(limit: number): Promise<readonly BuildRecord[]>;
  /** What the build said so far and what it will say, until it ends or `signal` aborts. */
  log(id: string, signal: AbortSignal): AsyncIterable<BuildNews>;
  images(): Promise<readonly StoredImage[]>;
  /** @param ref `NAME[:TAG]` or digest */
  image(ref: string): Promise<StoredImage>;
  /** Ends what runs and what waits, and waits for it. */
  stop(): Promise<void>;
};

/** What a removal came to. */
export type Removed = {
  readonly digest: Digest;
  readonly tagsRemoved: number;
  /** False while another tag names it, a host holds it in a slot, or a build or upload counts on it. */
  readonly isGone: boolean;
  /** By how much the store became smaller. */
  readonly freedBytes: number;
  /** Hosts that still need it, by MAC. */
  readonly keptFor: readonly string[];
};

export type StoreCheckResult = {
  readonly images: number;
  readonly chunks: number;
  readonly bytes: number;
  /** What was found, in words, with the images that it damages. */
  readonly damage: readonly { readonly what: string; readonly images: readonly Digest[] }[];
  /** Every image that is damaged, once. */
  readonly affected: readonly Digest[];
};

export type StoreUseCases = {
  /** @param ref a tag, which alone goes, or a digest, whose tags all go */
  remove(ref: string): Promise<Removed>;
  /** Reads all that is stored; damaged chunks are forgotten, so that they can be stored anew. */
  check(
    onProgress: (progress: {
      readonly chunks: number;
      readonly bytesDone: number;
      readonly bytesTotal: number;
    }) => void,
    signal: AbortSignal,
  ): Promise<StoreCheckResult>;
};

/** An upload, and how much it still waits for. */
export type UploadProgress = {
  readonly id: string;
  readonly digest: Digest;
  readonly status: 'open' | 'stored';
  readonly missingChunks: number;
  /** Of those chunks, uncompressed. */
  readonly missingBytes: number;
  readonly files: readonly { readonly name: string; readonly bytes: number; readonly received: number }[];
};

/** The same with every chunk by its name: some 70 bytes for each, so nothing to answer to each part that comes. */
export type UploadView = UploadProgress & {
  /** Chunks to send, 64 hex digits each, in the order of the index. */
  readonly missing: readonly string[];
};

export type UploadUseCases = {
  begin(indexText: string, name: string, tag: string): Promise<UploadView>;
  find(id: string): Promise<UploadView>;
  /** A part of a file. May be repeated, and may begin anywhere up to where the file has come. */
  putFile(id: string, name: string, offset: number, body: AsyncIterable<Uint8Array>): Promise<UploadProgress>;
  /** Frames in the form of `frame-stream.ts`. Those that came already are passed over. */
  putFrames(id: string, body: AsyncIterable<Uint8Array>): Promise<UploadProgress>;
  /** Checks what was sent and makes it an image. Nothing of it remains when it is wrong. */
  commit(id: string): Promise<Digest>;
  /** Gives it up. */
  remove(id: string): Promise<void>;
};
