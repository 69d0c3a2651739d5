import type { Attempt } from './attempt.ts';
import type { Digest } from './digest.ts';
import type { FilesOfHost } from './file-set.ts';
import type { Mac } from './mac.ts';

/**
 * May this machine take part? `discovered` waits for an operator, `ignored` is left to its disk until one asks for it,
 * `retired` is told nothing any more.
 */
export type EnrolmentStatus = 'discovered' | 'ignored' | 'approved' | 'retired';

/** The image a host shall run: what the operator wrote and the digest it meant at that moment. */
export type Assignment = { readonly ref: string; readonly digest: Digest };

/**
 * `new`: no report has come with it. `lapsed`: none came in time, so another may be made. `released`: an operator took it away, so
 * no token is good until the next install claims the host.
 */
export type ClaimStanding = 'new' | 'used' | 'lapsed' | 'released';

/**
 * Who may speak as this host, see `claim-moves.ts`. The server keeps the token's hash, never the token. A new install attempt
 * may be claimed once more (`claimedFor` is then not that attempt); until it is, the token that was good before stays good.
 */
export type Claim = {
  readonly tokenHash: string;
  /** The install attempt for which the token was accepted. */
  readonly claimedFor: string;
  readonly standing: ClaimStanding;
  /** The token that was good before, until a report comes with this one; null: none was. */
  readonly before: string | null;
  /** Tokens that operators took away, the newest last: none of them is ever taken again. */
  readonly refused: readonly string[];
};

/** First record of a host: what operators said about it. Only operators' calls and claims change it. */
export type Enrolment = {
  readonly id: string;
  readonly status: EnrolmentStatus;
  /** At least one; the first is the one shown. */
  readonly macs: readonly Mac[];
  readonly assignment: Assignment | null;
  /** Name of a file in `images/disks/`. */
  readonly layout: string;
  /** Which disk the installer takes, see `disk-rule.ts`. */
  readonly diskRule: string;
  readonly labels: Readonly<Record<string, string>>;
  /** The operator's word that the first install may overwrite foreign data. */
  readonly wipe: boolean;
  /** Kernel arguments of this host (its consoles), after the image's own. */
  readonly append: string;
  readonly switchMode: 'kexec' | 'reboot';
  /** How long an image on trial may take to prove itself, in seconds; null: as the server says for all. */
  readonly trialSeconds: number | null;
  /** What staging may take of the network, in bytes per second; null: as much as there is. */
  readonly rateBytes: number | null;
  /** Whether installer and agent read a slot back from the disk and compare it, after they wrote it. */
  readonly readBack: boolean;
  /** Name of the profile whose settings count where the host has none of its own. */
  readonly profile: string | null;
  /** Its own files, see `file-set.ts`; null: none. */
  readonly files: FilesOfHost | null;
  /** Where each setting came from; one that is left out is the default. */
  readonly origins: Readonly<Partial<Record<keyof Settings, 'own' | 'profile'>>>;
  readonly claim: Claim | null;
  /** Serial of the manifest: rises with every change a manifest can show, and hosts refuse a lower one. */
  readonly serial: number;
  /** Rises with everything that operators say of the host or order for it, see `revision.ts`. */
  readonly revision: number;
  /** Milliseconds since 1970. */
  readonly createdAt: number;
  /** Why an operator holds the host: no order is carried out until it is resumed. Null: none does. */
  readonly held: string | null;
  /** An operator said that it waits, or is ignored: rules pass over it. */
  readonly byHand: boolean;
  /** When the ticker forgets a machine that nobody has approved; null: never. Milliseconds since 1970. */
  readonly forgetAt: number | null;
};

/** `valid`: every chunk was verified; `modified`: was valid and has been run since (it is mounted read-write). */
export type SlotState = 'empty' | 'invalid' | 'valid' | 'modified';
export type SlotObservation = {
  readonly state: SlotState;
  readonly digest: Digest | null;
  /** By sha256, the host's own files that it has; null: none; left out: an agent of before. */
  readonly files?: string | null | undefined;
};

/** Third record of a host: what the machine itself said last. Only its reports change it. */
export type Observation = {
  readonly bootId: string;
  /** Highest sequence number taken within `bootId`. */
  readonly seq: number;
  readonly environment: 'installer' | 'os';
  /** Slot and image that run; null in the installer. */
  readonly slot: string | null;
  readonly digest: Digest | null;
  /** Slot that the boot loader starts by default. */
  readonly bootDefault: string | null;
  readonly slots: Readonly<Record<string, SlotObservation>>;
  /** GUID of its Warmboot disk, from which the GUIDs of the partitions follow; null while none is known. */
  readonly disk: string | null;
  /** Its disk takes no writes any more, as it said in this boot. */
  readonly readOnly: boolean;
  /** Runs on trial: the boot loader goes back unless it confirms. */
  readonly trial: boolean;
  /** Why it left the image that it was to run, in its own words, while it runs what it went back to; null: it did not. */
  readonly wentBack: string | null;
  /** Milliseconds since 1970, the server's clock. */
  readonly at: number;
};

/** A host's three records. `attempt` is the open one or, when none is open, the last that ended. */
export type Host = {
  readonly enrolment: Enrolment;
  readonly attempt: Attempt | null;
  readonly observation: Observation | null;
};

/** What a profile may say for its hosts. */
export type Settings = Pick<
  Enrolment,
  'layout' | 'diskRule' | 'append' | 'switchMode' | 'trialSeconds' | 'rateBytes' | 'readBack'
>;

export const DEFAULT_SETTINGS: Settings = {
  layout: 'two-slots',
  diskRule: 'smallest',
  append: '',
  switchMode: 'kexec',
  trialSeconds: null,
  rateBytes: null,
  readBack: true,
};

/** A machine that was just seen, with the defaults of everything that operators say about a host. */
export function newEnrolment(id: string, macs: readonly Mac[], now: number): Enrolment {
  return {
    id,
    status: 'discovered',
    macs,
    assignment: null,
    ...DEFAULT_SETTINGS,
    profile: null,
    files: null,
    origins: {},
    labels: {},
    wipe: false,
    claim: null,
    serial: 0,
    revision: 0,
    createdAt: now,
    held: null,
    byHand: false,
    forgetAt: null,
  };
}

/** Slots in the order of their letters: `a`, `b`, … (2 to 8). */
export function slotNames(count: number): readonly string[] {
  return Array.from({ length: count }, (_, index) => String.fromCharCode('a'.charCodeAt(0) + index));
}
