import type { HostState } from './host-state.ts';
import type { Readiness } from './readiness.ts';
import type { RolloutStatus } from './rollout.ts';

/** What a server says of itself to an operator who looks whether all is well. Nothing of it is counted anew from all hosts. */
export type ServerStatus = {
  readonly version: string;
  /** The number of the newest migration in the database. */
  readonly schema: number;
  /** Milliseconds since 1970. */
  readonly startedAt: number;
  readonly readiness: Readiness;
  readonly hosts: ReadonlyMap<HostState, number>;
  readonly openAttempts: number;
  /** Those that are not over, oldest first. */
  readonly rollouts: readonly {
    readonly id: string;
    readonly name: string | null;
    readonly status: RolloutStatus;
    /** Why it stands still; empty while it goes on. */
    readonly reason: string;
    /** From 1. */
    readonly wave: number;
    readonly waveCount: number;
  }[];
  readonly transfers: TransfersNow;
  readonly images: {
    readonly count: number;
    /** Of all packs on the disk. */
    readonly storedBytes: number;
    /** What the filesystem of the data folder has left. */
    readonly freeBytes: number;
  };
  readonly boot: {
    readonly url: string;
    /** Null: off. */
    readonly tftp: { readonly host: string; readonly port: number; readonly transfers: number } | null;
    /** Null: off. */
    readonly proxyDhcp: { readonly interfaces: readonly string[]; readonly relayed: boolean } | null;
  } | null;
};

/** Images and disks that are being sent by HTTP, hosts told to wait for their turn, and how often one was told so. */
export type TransfersNow = { readonly active: number; readonly waiting: number; readonly refused: number };

export type AskStatus = () => Promise<ServerStatus>;
