import type { Attempt } from './attempt.ts';
import type { BuildOrder, BuildProgress, BuildRecord, KnownRecipe } from './build-ports.ts';
import type { By } from './by.ts';
import type { Digest } from './digest.ts';
import type { DiscoveryDecision, DiscoveryPolicy, PolicyEdition } from './discovery.ts';
import type { Disk } from './disk-layout.ts';
import type { EventFilter, EventQuery, LogBounds } from './event-port.ts';
import type { Event, EventKind } from './events.ts';
import type { HostPlace } from './fleet-port.ts';
import type { Assignment, Host } from './host.ts';
import type { HostBoot } from './host-script.ts';
import type { ImageDetailStore } from './image-details-port.ts';
import type { ImageLayer, SharedWith } from './image-layers.ts';
import type { SaidInventory } from './inventory.ts';
import type { Manifest } from './manifest.ts';
import type { NextStep } from './next-step.ts';
import type { ByteSource, InventoryRecord, StoredImage } from './ports.ts';
import type { Profile } from './profile.ts';
import type { Report, Verdict } from './report.ts';
import type { Expected } from './revision.ts';
import type { Webhook } from './webhook.ts';

/**
 * What Warmboot can be asked to do. `control/` does it; HTTP, TFTP and whatever comes ask for it through these types.
 * Who asks for a change comes first. MACs and image references come as the text that was sent; every function throws a WarmbootError for what is wrong with them.
 */

/** What an operator says to enrol a host; what is left out takes the default. */
export type NewHost = {
  readonly macs: readonly string[];
  /** With an image, enrolling is the order to install it. */
  readonly image?: string | undefined;
  /** Here and below: null gives a setting back to the profile, or to the default. */
  readonly layout?: string | null | undefined;
  readonly disk?: string | null | undefined;
  readonly labels?: Readonly<Record<string, string>> | undefined;
  readonly wipe?: boolean | undefined;
  /** Null: none. */
  readonly profile?: string | null | undefined;
  readonly append?: string | null | undefined;
  readonly switch?: 'kexec' | 'reboot' | null | undefined;
  /** Null: as the server says for all. */
  readonly trialSeconds?: number | null | undefined;
  /** Bytes per second that staging may take; null: no limit. */
  readonly rate?: number | null | undefined;
  readonly readBack?: boolean | null | undefined;
};
/** What a profile may say for its hosts. */
export type HostSettings = Partial<
  Pick<NewHost, 'layout' | 'disk' | 'append' | 'switch' | 'trialSeconds' | 'rate' | 'readBack'>
>;
export type ProfileUseCases = {
  list(): Promise<readonly Profile[]>;
  find(name: string): Promise<Profile>;
  /**
   * Makes a profile, or puts other settings in its place and then in those of its hosts, a part of them at a time.
   * @param expected revisions from which it may be changed; `new`: it must not be there
   */
  put(by: By, name: string, wish: HostSettings, expected?: Expected | 'new'): Promise<Profile>;
  /** @throws WarmbootError `conflict` while a host has it */
  remove(by: By, name: string, expected?: Expected): Promise<void>;
};

export type HostChanges = HostSettings &
  Partial<Pick<NewHost, 'labels' | 'profile'>> & {
    /** Single labels to set, or with null to take away; `labels` replaces them all. */
    readonly labelChanges?: Readonly<Record<string, string | null>> | undefined;
  };

/** `attempt` is null when the host runs the image already. */
export type Reassigned = { readonly host: Host; readonly attempt: Attempt | null };

/** Which hosts, and which page of them. All that is given must fit. */
export type HostQuery = {
  /** Selectors as in Kubernetes, see `selector.ts`. */
  readonly labels: readonly string[];
  /** Any of them, with commas between; none: all but ignored ones. */
  readonly states: readonly string[];
  /** `NAME[:TAG]` or digest: hosts that shall run it, or run it. */
  readonly image?: string | undefined;
  readonly profile?: string | undefined;
  /** A part of a MAC, of a label, or of a serial. */
  readonly text?: string | undefined;
  /** Null: the first page. */
  readonly after: HostPlace | null;
  /** At least 1. */
  readonly limit: number;
};
/** In the order of enrolment. `next` is null when none follows. */
export type HostPage = { readonly hosts: readonly Host[]; readonly next: HostPlace | null };

export type HostUseCases = {
  list(query: HostQuery): Promise<HostPage>;
  find(mac: string): Promise<Host>;
  /** Oldest first, behind that one. `next` is null when none follows. */
  attempts(
    mac: string,
    after: HostPlace | null,
    limit: number,
  ): Promise<{ readonly attempts: readonly Attempt[]; readonly next: HostPlace | null }>;
  /** The same for a host at hand. */
  stepOf(host: Host): NextStep;
  enrol(by: By, wish: NewHost): Promise<Host>;
  /**
   * Changes what operators say about a host. Its image is changed by `reassign`.
   * @param expected here and below: revisions from which the change may begin
   * @throws here and below: WarmbootError `outdated` when the host has another one
   */
  update(by: By, mac: string, changes: HostChanges, expected?: Expected): Promise<Host>;
  remove(by: By, mac: string, expected?: Expected): Promise<void>;
  /** Gives the host another image; the reference is resolved now and frozen. */
  reassign(by: By, mac: string, image: string, fresh: boolean, expected?: Expected): Promise<Reassigned>;
  /** Tries the assigned image once more after a failure or a rollback. */
  retry(by: By, mac: string, expected?: Expected): Promise<Reassigned>;
  /** Installs from the start, at the machine's next netboot. `wipe` allows to overwrite foreign data. */
  reinstall(by: By, mac: string, wipe: boolean, expected?: Expected): Promise<Reassigned>;
};

/** The log as operators ask for it: a host by any of its MACs. */
export type EventWish = Omit<EventFilter, 'hostId'> & { readonly mac?: string | undefined };

export type EventUseCases = {
  /** @throws WarmbootError for a MAC that no host has */
  filterOf(wish: EventWish): Promise<EventFilter>;
  list(query: EventQuery): Promise<readonly Event[]>;
  bounds(): Promise<LogBounds>;
};

/** What an administrator says of a webhook; what is left out stays, or takes the default. */
export type WebhookWish = {
  readonly url?: string | undefined;
  readonly kinds?: readonly EventKind[] | null | undefined;
  readonly selector?: string | null | undefined;
  readonly enabled?: boolean | undefined;
  /** Of a new one: begin after this event; left out, with what comes. */
  readonly after?: number | undefined;
};

export type WebhookUseCases = {
  list(): Promise<readonly Webhook[]>;
  find(id: string): Promise<Webhook>;
  /** The newest event: how far a hook is behind. */
  last(): Promise<number>;
  add(by: By, wish: WebhookWish): Promise<Webhook>;
  change(by: By, id: string, wish: WebhookWish): Promise<Webhook>;
  remove(by: By, id: string): Promise<void>;
  /** Sends one message of type `test` now; the hook's place in the log stays. */
  test(id: string, signal: AbortSignal): Promise<WebhookTest>;
};
export type WebhookTest = {
  readonly isTaken: boolean;
  readonly status: number | null;
  readonly error: string | null;
  readonly tookMs: number;
};

/** Events, and up to which id the log was looked through for them. */
export type EventPart = { readonly events: readonly Event[]; readonly upTo: number };

export type EventFeed = {
  /** The next events after `afterId` that fit; waits until the log goes on, or `signal` aborts. */
  next(filter: EventFilter, afterId: number, signal: AbortSignal): Promise<EventPart>;
  stop(): void;
};

/** What operators do with a host besides giving it images. */
export type LifecycleUseCases = {
  /** Takes it out of service: it is told nothing, its token is worth nothing, its images may go. Once more is the same. */
  retire(by: By, mac: string, expected?: Expected): Promise<Host>;
  /** Brings it back to the image that it ran before. */
  rollBack(by: By, mac: string, expected?: Expected): Promise<Reassigned>;
  /**
   * Where that would bring it now, and which slot holds it still (null: none); nothing is changed.
   * @throws WarmbootError `conflict` where there is nothing to go back to
   */
  previous(mac: string): Promise<{ readonly image: Assignment; readonly slot: string | null }>;
  /** Holds back its orders until it is resumed. @param reason told to whoever asks why */
  hold(by: By, mac: string, reason: string, expected?: Expected): Promise<Host>;
  resume(by: By, mac: string, expected?: Expected): Promise<Host>;
  /** Takes the host's token away; its next install claims it with another. @returns the host as it is now */
  release(by: By, mac: string, reason: string | undefined, expected?: Expected): Promise<Host>;
};

/** What an operator says to approve a machine that was discovered; what is left out takes the default. */
export type Approval = Omit<NewHost, 'macs'>;

/** What a machine would be told now, and why: by its manifest, by iPXE, and by the rules for discovery. */
export type Told = {
  /** Null for a MAC that no host has. */
  readonly host: Host | null;
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
  setPolicy(by: By, policy: DiscoveryPolicy, expected: number): Promise<PolicyEdition | null>;
  /** Lets a machine take part; with an image, that is the order to install it. */
  approve(by: By, mac: string, wish: Approval, expected?: Expected): Promise<Host>;
  /**
   * A board or a card was replaced: a machine that waits is the host `as`, which has its MACs and its inventory from then on.
   * @returns that host
   */
  approveAs(by: By, mac: string, as: string, expected?: Expected): Promise<Host>;
  /** By hand: the machine is left to its disk, or waits again. Rules pass over it from then on. */
  setIgnored(by: By, mac: string, ignored: boolean, expected?: Expected): Promise<Host>;
  inventory(mac: string): Promise<InventoryRecord | null>;
  next(mac: string): Promise<Told>;
};

/** How a host proves that it is that host: the sha256 of the token it sent. */
export type Caller = { readonly tokenHash: string | null };

/** `new` token taken, the `same` once more, or `refused` because another holds the host. */
export type ClaimAnswer = 'new' | 'same' | 'refused';
export type ReportAnswer = { readonly verdict: Verdict; readonly why: string; readonly serial: number };

/** What machines ask and say. Only `claim`, `report` and `takeInventory` change anything. */
export type MachineUseCases = {
  /** The id of the host that holds a token, by the token's hash; null when none does. */
  hostOfToken(tokenHash: string): Promise<string | null>;
  manifest(mac: string, caller: Caller): Promise<Manifest>;
  /**
   * The host's own files as a tar, for its own token and nobody else's.
   * @throws WarmbootError `unauthorized`; `not-found` where they are others by now, and for a retired host
   */
  files(mac: string, sha256: string, caller: Caller): Promise<Uint8Array>;
  /** Listens for changes of a manifest: whoever reads it after this misses none. @returns what ends it */
  listen(mac: string, onChange: () => void): Promise<() => void>;
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
  /** What can be built by its name alone. */
  recipes(): Promise<readonly KnownRecipe[]>;
  /** Begins a build, or lets it wait in line while enough others run. */
  start(by: By, order: BuildOrder): Promise<BuildRecord>;
  find(id: string): Promise<BuildRecord>;
  /** The newest, in the order in which they began. @param before only those that were ordered before this one */
  list(limit: number, before?: string): Promise<readonly BuildRecord[]>;
  /** What the build said so far and what it will say, until it ends or `signal` aborts. */
  log(id: string, signal: AbortSignal): AsyncIterable<BuildNews>;
  images(): Promise<readonly StoredImage[]>;
  /** @param ref `NAME[:TAG]` or digest */
  image(ref: string): Promise<StoredImage>;
  /** Ends what runs and what waits, and waits for it. */
  stop(): Promise<void>;
};

export type ImageDetailUseCases = {
  hostCounts: ImageDetailStore['hostCounts'];
  /** `bytes`: of chunks, from the layer's start to the next one's; `bytesBefore` the first. Null: no build recorded them here. */
  layers(digest: Digest): Promise<{
    readonly bytesBefore: number;
    readonly layers: readonly (ImageLayer & { readonly bytes: number })[];
  } | null>;
  /** What other images have of it, most first. `contentBytes`: of all its chunks, at each place where one lies. */
  shared(digest: Digest): Promise<{ readonly contentBytes: number; readonly images: readonly SharedWith[] }>;
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
  remove(by: By, ref: string): Promise<Removed>;
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
  commit(by: By, id: string): Promise<Digest>;
  /** Gives it up. */
  remove(id: string): Promise<void>;
};
