import type { Attempt } from './attempt.ts';
import type { Digest } from './digest.ts';
import type { Mac } from './mac.ts';

/**
 * May this machine take part? `discovered` waits for an operator, `ignored` is left to its disk until one asks for it,
 * `retired` is told nothing any more.
 */
export type EnrolmentStatus = 'discovered' | 'ignored' | 'approved' | 'retired';

/** The image a host shall run: what the operator wrote and the digest it meant at that moment. */
export type Assignment = { readonly ref: string; readonly digest: Digest };

/**
 * Who may speak as this host. The server keeps the token's hash, never the token. A new install attempt may be
 * claimed once more (`claimedFor` is then not that attempt); until it is, the token that was good before stays good.
 */
export type Claim = {
  readonly tokenHash: string;
  /** The install attempt for which the token was accepted. */
  readonly claimedFor: string;
  /** False until the first report made with it: an unused claim is released by the ticker. */
  readonly used: boolean;
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
  readonly claim: Claim | null;
  /** Serial of the manifest: rises with every change a manifest can show, and hosts refuse a lower one. */
  readonly serial: number;
  /** Milliseconds since 1970. */
  readonly createdAt: number;
  /** An operator said that it waits, or is ignored: rules pass over it. */
  readonly byHand: boolean;
  /** When the ticker forgets a machine that nobody has approved; null: never. Milliseconds since 1970. */
  readonly forgetAt: number | null;
};

/** `valid`: every chunk was verified; `modified`: was valid and has been run since (it is mounted read-write). */
export type SlotState = 'empty' | 'invalid' | 'valid' | 'modified';
export type SlotObservation = { readonly state: SlotState; readonly digest: Digest | null };

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
  /** Runs on trial: the boot loader goes back unless it confirms. */
  readonly trial: boolean;
  /** Milliseconds since 1970, the server's clock. */
  readonly at: number;
};

/** A host's three records. `attempt` is the open one or, when none is open, the last that ended. */
export type Host = {
  readonly enrolment: Enrolment;
  readonly attempt: Attempt | null;
  readonly observation: Observation | null;
};

/** A machine that was just seen, with the defaults of everything that operators say about a host. */
export function newEnrolment(id: string, macs: readonly Mac[], now: number): Enrolment {
  return {
    id,
    status: 'discovered',
    macs,
    assignment: null,
    layout: 'two-slots',
    diskRule: 'smallest',
    labels: {},
    wipe: false,
    append: '',
    switchMode: 'kexec',
    claim: null,
    serial: 0,
    createdAt: now,
    byHand: false,
    forgetAt: null,
  };
}

/** Slots in the order of their letters: `a`, `b`, … (2 to 8). */
export function slotNames(count: number): readonly string[] {
  return Array.from({ length: count }, (_, index) => String.fromCharCode('a'.charCodeAt(0) + index));
}
