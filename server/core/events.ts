/** What can happen to a host or an image, for the append-only log. */
export type EventKind =
  | 'host-enrolled'
  | 'host-changed'
  | 'host-removed'
  | 'assigned'
  | 'attempt-began'
  | 'attempt-moved'
  | 'attempt-ended'
  | 'claimed'
  | 'claim-refused'
  | 'claim-released'
  | 'report'
  | 'report-stale'
  | 'discovered'
  | 'discovery-decided'
  | 'machine-changed'
  | 'merged'
  | 'merge-refused'
  | 'approved'
  | 'forgotten'
  | 'discovery-changed'
  | 'image-stored'
  | 'image-removed'
  | 'image-damaged'
  | 'build-queued'
  | 'build-began'
  | 'build-ended';

/** One line of the log: who, what, when, why. `id` rises by one with each. */
export type NewEvent = {
  readonly kind: EventKind;
  readonly hostId: string | null;
  readonly attempt: string | null;
  /** `operator`, `host`, `server`. */
  readonly actor: string;
  readonly reason: string;
  /** Facts for programs; no secrets. */
  readonly data: Readonly<Record<string, unknown>>;
};
export type Event = NewEvent & { readonly id: number; readonly at: number };
