import type { Attempt } from './attempt.ts';
import type { BootChoice } from './boot-choice.ts';
import type { Disk } from './disk-layout.ts';
import type { Event } from './events.ts';
import type { Host } from './host.ts';
import type { Manifest } from './manifest.ts';
import type { NextStep } from './next-step.ts';
import type { BuildProgress, BuildRecord, StoredImage } from './ports.ts';
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
  /** What the host would be told now, and why. */
  next(mac: string): Promise<NextStep>;
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

/** What machines ask and say. Only `claim` and `report` change anything. */
export type MachineUseCases = {
  manifest(mac: string, caller: Caller): Promise<Manifest>;
  /** Begins to listen at once: whoever reads the manifest after this misses no change. */
  listen(mac: string): Promise<Wait>;
  /** What a machine that netboots gets; an unknown one is sent to discovery. */
  bootChoice(mac: string): Promise<BootChoice & { readonly append: string }>;
  /** The partition table for the disk that the host's open install attempt has chosen, for sfdisk(8). */
  partitionTable(mac: string, attempt: string | null, disk: Disk, caller: Caller): Promise<string>;
  claim(mac: string, claim: { readonly attempt: string; readonly tokenHash: string }): Promise<ClaimAnswer>;
  /** `bodyHash` tells a repetition from a contradiction. */
  report(mac: string, report: Report, bodyHash: string, caller: Caller): Promise<ReportAnswer>;
};

export type BuildUseCases = {
  start(name: string, tag: string): Promise<BuildRecord>;
  find(id: string): Promise<BuildRecord>;
  /** What the build said so far and what it will say, until it ends or `signal` aborts. */
  log(id: string, signal: AbortSignal): AsyncIterable<BuildProgress>;
  images(): Promise<readonly StoredImage[]>;
  /** @param ref `NAME[:TAG]` or digest */
  image(ref: string): Promise<StoredImage>;
  /** Ends what runs and waits for it. */
  stop(): Promise<void>;
};
